"""A terminal in which a command runs, as a person has one."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time

from tests.cli.served import SCRIPT, Cli

STYLES = re.compile(r"\x1b\[[0-9;]*m|\x1b\[\?25[hl]")


class Terminal:
    """`flagman …`, or another program, in a terminal of its own."""

    def __init__(self, cli: Cli, *words: str, program: str = SCRIPT, columns: int = 100, **more: str) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        self.process = subprocess.Popen(
            [program, *words],
            cwd=cli.folder,
            env={**cli.environment, "TERM": "xterm-256color", **more},
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            # Its own, so that Ctrl-C reaches it.
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(slave)
        self.raw = ""

    @property
    def seen(self) -> str:
        """Without colours."""
        return STYLES.sub("", self.raw).replace("\r\n", "\n")

    def says(self, words: str, seconds: float = 20) -> None:
        end = time.monotonic() + seconds
        while words not in self.seen:
            assert select.select([self._master], [], [], max(0, end - time.monotonic()))[0], self.seen
            assert self._read(), self.seen

    def type(self, words: str) -> None:
        os.write(self._master, words.encode())

    def interrupted(self) -> int:
        """Press Ctrl-C, and again where a signal came right before the program began to read, which then waits on."""
        while self.process.poll() is None:
            self.type("\x03")
            until = time.monotonic() + 5
            while self.process.poll() is None and time.monotonic() < until:
                if select.select([self._master], [], [], 0.05)[0] and not self._read():
                    break
        return self.ended()

    def ended(self) -> int:
        while self._read():
            pass
        os.close(self._master)
        return self.process.wait(10)

    def _read(self) -> bool:
        try:
            data = os.read(self._master, 65536)
        except OSError:
            return False
        self.raw += data.decode("utf-8", "replace")
        return bool(data)
