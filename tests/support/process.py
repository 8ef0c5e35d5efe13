"""A running `flagman …`, with what a crash test does to it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from tests.support.slack import wait_for


class Process:
    """One process; `code` is None while it runs and negative after a signal."""

    def __init__(self, pid: int, output: Path, poll: Callable[[], int | None]) -> None:
        self.pid, self._output, self._poll = pid, output, poll

    @classmethod
    def run(cls, command: str, environment: dict[str, str], output: Path) -> Process:
        """The installed `flagman` itself, with exactly this environment."""
        script = Path(sys.executable).with_name("flagman")
        with output.open("ab") as file:
            started = subprocess.Popen(
                [str(script), command],
                env=environment,
                cwd=output.parent,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
            )
        return cls(started.pid, output, started.poll)

    @property
    def code(self) -> int | None:
        return self._poll()

    @property
    def output(self) -> str:
        """All that it said so far, on both streams."""
        return self._output.read_text(errors="replace")

    def signal(self, number: signal.Signals) -> None:
        if self.code is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        self.signal(signal.SIGKILL)

    def terminate(self) -> None:
        self.signal(signal.SIGTERM)

    def freeze(self) -> None:
        self.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.signal(signal.SIGCONT)

    def wait(self, timeout: float = 60) -> None:
        """Block until it has ended."""
        end = time.monotonic() + timeout
        while self.code is None:
            assert time.monotonic() < end, f"still running after {timeout} s:\n{self.output}"
            time.sleep(0.01)

    async def ended(self, timeout: float = 60) -> int:
        """Its exit code, as soon as it has one."""
        try:
            await wait_for(lambda: self.code is not None, timeout)
        except AssertionError:
            raise AssertionError(f"still running after {timeout} s:\n{self.output}") from None
        assert self.code is not None
        return self.code

    async def says(self, words: str, timeout: float = 60) -> None:
        """Wait until it has said this."""
        await wait_for(lambda: words in self.output or self.code is not None, timeout)
        assert words in self.output, self.output
