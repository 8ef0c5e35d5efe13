"""A real `flagman serve` in a folder of its own, and the command line beside it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.ports import free_port
from tests.support.process import Process
from tests.support.process_pool import process_pool

SCRIPT = str(Path(sys.executable).with_name("flagman"))
START_SECONDS = 60.0


def environment(**more: str) -> dict[str, str]:
    """Nothing of whoever runs the tests but where programs are."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {**kept, "TZ": "Europe/Berlin", **more}


@dataclass(frozen=True)
class Cli:
    """`flagman …` as a process of its own; `environment` is all that it knows."""

    folder: Path
    environment: dict[str, str] = field(default_factory=environment)

    def __call__(
        self, *words: str, given: str | None = None, code: int | None = 0, **more: str
    ) -> subprocess.CompletedProcess[str]:
        with tempfile.TemporaryDirectory() as place:
            said, errors, asked = (Path(place) / name for name in ("output", "errors", "given"))
            asked.write_text(given or "")
            knows = {**self.environment, **more}
            process = process_pool().start(words, knows, said, errors=errors, given=asked, folder=self.folder)
            try:
                until(lambda: process.code is not None, 60)
            finally:
                process.kill()
            assert process.code is not None
            done = subprocess.CompletedProcess(words, process.code, said.read_text(), errors.read_text())
        if code is not None:
            assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
        return done

    def json(self, *words: str) -> Any:
        return json.loads(self(*words, "--json").stdout)

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [SCRIPT, *words],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def launched(self, task: str = "check the disk", persona: str = "sre") -> str:
        """A new session of the demo, which has proposed the two calls of a report."""
        session_id = self("launch", persona, f"{task} (report)").stdout.strip()
        until(lambda: self.json("show", session_id)["waiting_for"] == "human_approval_required")
        return session_id


@dataclass(frozen=True)
class Served:
    """`serve` runs with the playground and the demo on `url`; its key is where the command line looks for it."""

    folder: Path
    url: str
    process: Process

    @property
    def cli(self) -> Cli:
        return Cli(self.folder)

    @property
    def key(self) -> str:
        text = (self.folder / ".flagman" / "cli.key").read_text()
        return str(json.loads(text)["key"])


@contextmanager
def served(folder: Path, **more: str) -> Iterator[Served]:
    port = free_port()
    output = folder / "serve.log"
    output.unlink(missing_ok=True)
    given = environment(PORT=str(port), FLAGMAN_API_RATE="1000", **more)
    process = process_pool().start("serve", given, output, folder=folder)
    try:
        until(lambda: "ready" in process.output or process.code is not None, START_SECONDS)
        assert process.code is None, process.output
        yield Served(folder, f"http://127.0.0.1:{port}", process)
    finally:
        process.terminate()
        process.wait()


def until(holds: Callable[[], Any], seconds: float = 60.0) -> None:
    """Wait for it."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "not in time"
        time.sleep(0.01)
