"""A command that was over a limit never counts as one that succeeded."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from storage import guard
from supervisor.tools.executor import Limits
from tests.storage.processes import wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="other systems have no limits")


async def test_a_command_that_ends_while_its_excess_is_reported_has_not_succeeded(tmp_path: Path) -> None:
    """Its guard waits at a full pipe until the command has ended with exit code 0."""
    limits = json.dumps({**asdict(replace(Limits(), disk=10**6)), "folder": -1})
    command = "head -c 4M /dev/zero > a; sleep 0.5; echo $$ > ended"
    leash, guarded = socket.socketpair()
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    filled = 0
    while True:
        try:
            filled += os.write(writing, b"x" * 4096)
        except BlockingIOError:
            break
    os.set_blocking(writing, True)
    mode = ["reap", str(int(signal.SIGKILL)), str(guarded.fileno()), "inf", "-1", limits]
    with leash, os.fdopen(reading, "rb") as output:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", guard.__file__, *mode, "/bin/sh", "-c", command],
            cwd=tmp_path,
            stdout=writing,
            stderr=writing,
            pass_fds=(guarded.fileno(),),
        )
        guarded.close()
        os.close(writing)
        await wait_until((tmp_path / "ended").exists, 20)
        said = output.read()[filled:].decode()
        assert process.wait(20) != 0
    assert "more than 0 MB of new files]" in said
