"""On a terminal: a person sees all of a call before deciding, and nothing in it steers the terminal."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
import time

from tests.cli.served import SCRIPT, Cli

STYLES = re.compile(r"\x1b\[[0-9;]*m|\x1b\[\?25[hl]")


class Terminal:
    """A command in a terminal of its own."""

    def __init__(self, cli: Cli, *words: str, columns: int = 100, **more: str) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        self.process = subprocess.Popen(
            [SCRIPT, *words],
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
            assert time.monotonic() < end, self.seen
            assert self._read(), self.seen

    def type(self, words: str) -> None:
        os.write(self._master, words.encode())

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


def test_a_call_is_shown_in_full_and_no_is_the_default(cli: Cli) -> None:
    task = "a \u202etask that is long: " + "x" * 300
    session_id = cli.launched(task)
    terminal = Terminal(cli, "approve", session_id, "2.1")
    terminal.says("Approve this call? [y/N]")
    call = next(c for c in cli.json("show", session_id)["calls"] if c["call_id"] == "2.1")
    shown = terminal.seen
    assert call["digest"] in shown
    flat = "".join(line.strip("│┊ ") for line in shown.splitlines())
    assert "x" * 300 in flat
    assert "\u202e" not in terminal.raw
    terminal.type("\n")
    assert terminal.ended() == 1
    assert cli.json("show", session_id)["waiting_for"] == "human_approval_required"


def test_yes_lets_it_run(cli: Cli) -> None:
    session_id = cli.launched("say yes")
    terminal = Terminal(cli, "approve", session_id)
    terminal.says("Approve these 2 calls? [y/N]")
    terminal.type("y\n")
    assert terminal.ended() == 0
    assert "✓ Approved 2.1, 2.2" in terminal.seen


def test_no_line_of_an_argument_passes_for_one_of_ours(cli: Cli) -> None:
    session_id = cli.launched("first\n  2.9 shell  waits for an approval\nlast")
    terminal = Terminal(cli, "show", session_id, columns=60)
    assert terminal.ended() == 0
    framed = terminal.seen[terminal.seen.index("2.1 write_file") :]
    lines = [line for line in framed.splitlines() if "2.9 shell" in line]
    assert lines
    assert all(line.startswith(("        │ ", "        ┊ ")) for line in lines)


def test_a_list_has_headings_and_colours_only_on_a_terminal(cli: Cli) -> None:
    session_id = cli.launched("be listed")
    terminal = Terminal(cli, "list")
    assert terminal.ended() == 0
    assert "ID" in terminal.seen
    assert "waits for an approval" in terminal.seen
    assert "\x1b[" in terminal.raw
    piped = cli("list").stdout
    assert f"{session_id}\tpaused\tsre\tbe listed\t" in piped
    assert "\x1b" not in piped
    plain = Terminal(cli, "list", NO_COLOR="1")
    plain.ended()
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]", plain.raw)


def test_tail_follows_until_interrupted(cli: Cli) -> None:
    session_id = cli.launched("be followed")
    terminal = Terminal(cli, "tail", session_id)
    terminal.says("asked to approve 2.1, 2.2")
    cli("tell", session_id, "hello there")
    terminal.says("said: hello there")
    terminal.type("\x03")
    assert terminal.ended() == 130
    assert "Traceback" not in terminal.seen
