"""A command in the sandbox sees its session's folder and the system, and nothing else of this machine."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from bot.sandbox import find_sandbox, make_executor, missing_grants
from bot.settings import Settings
from storage.embedded_server import SOCKET, embedded_server
from supervisor.core.errors import ToolError
from supervisor.core.persona import Grants, Persona
from supervisor.tools.contract import ToolContext
from supervisor.tools.executor import Executor, Limits
from supervisor.tools.shell import shell_tool
from tests.storage.processes import alive, wait_until

FOUND = find_sandbox(Settings(FLAGMAN_SANDBOX="auto"))
pytestmark = pytest.mark.skipif(FOUND.sandbox is None, reason=FOUND.said)
shell = shell_tool()


@dataclass
class House:
    """A data folder with keys, the folders of two sessions, and the context of a call in the first one."""

    data: Path
    ctx: ToolContext
    other: Path

    async def run(self, command: str, *, grants: Grants | None = None, **more: int) -> str:
        ctx = replace(self.ctx, grants=grants or Grants())
        return (await shell.run(shell.validate({"command": command, **more}), ctx)).content

    def limited(self, **limits: int) -> House:
        executor = replace(self.ctx.executor, limits=replace(Limits(), **limits))
        return replace(self, ctx=replace(self.ctx, executor=executor))


@pytest.fixture
def house(tmp_path: Path) -> House:
    data = tmp_path / "data"
    mine, other = data / "workspace" / "aaaa-bbbb", data / "workspace" / "cccc-dddd"
    for folder in (mine, other):
        folder.mkdir(parents=True)
    (data / "cli.key").write_text("the-local-key")
    (data / "secret_key").write_text("the-signing-key")
    (other / "notes").write_text("of-another-session")
    assert FOUND.sandbox
    sandbox = replace(FOUND.sandbox, hidden=(data, data / "workspace"))
    environment = {"REGION": "north", "TOKEN": "t0ken"}
    ctx = ToolContext("aaaa-bbbb", "1.1", "key", 1, mine, executor=Executor(sandbox, environment))
    return House(data, ctx, other)


async def test_it_works_in_its_folder(house: House) -> None:
    assert await house.run("pwd; echo kept > file; cat file") == f"exit code 0\n{house.ctx.folder}\nkept"
    assert (house.ctx.folder / "file").read_text() == "kept\n"
    with pytest.raises(ToolError, match=r"^exit code 3\nbroken$"):
        await house.run("echo broken; exit 3")
    # Bubblewrap gives the code of a shell for a signal, so this one is told as it is.
    with pytest.raises(ToolError, match=r"^exit code 139 .*SIGSEGV"):
        await house.run("kill -SEGV $$")
    for code in (128, 130, 137, 193, 255):
        with pytest.raises(ToolError, match=rf"^exit code {code}\b"):
            await house.run(f"exit {code}")
    assert "python" in await house.run("ls /usr/lib /usr/local/lib; df -h . && du -sh .")


@pytest.mark.parametrize("read", [(), ("{tmp}",), ("{data}",), ("{data}/workspace",), ("{link}",)])
async def test_keys_and_other_sessions_are_not_there(
    house: House, read: tuple[str, ...], tmp_path: Path
) -> None:
    (tmp_path / "link").symlink_to(house.data)
    paths = tuple(path.format(tmp=tmp_path, data=house.data, link=tmp_path / "link") for path in read)
    look = (
        f"cat {house.data}/cli.key {tmp_path}/link/cli.key {house.data}/secret_key {house.other}/notes; true"
    )
    text = await house.run(f"{look}; cd ..; ls -la; find / -name cli.key -o -name notes 2>/dev/null; true",
                           grants=Grants(read=paths))  # fmt: skip
    assert text.count("No such file") == 4, text
    for secret in ("the-local-key", "the-signing-key", "of-another-session", "/cli.key\n", "cccc-dddd\n"):
        assert secret not in text


async def test_nothing_outside_of_its_folder_is_written(house: House, tmp_path: Path) -> None:
    places = (
        house.data,
        house.other,
        Path("/"),
        Path("/usr"),
        Path("/etc"),
        Path("/dev"),
        Path.home(),
    )
    tries = "; ".join(
        f"(mkdir -p {place}; echo x > {place}/planted) && echo WROTE {place}" for place in places
    )
    text = await house.run(f"{tries}; true")
    assert not [place for place in places if (place / "planted").exists()]
    assert not [place for place in places[:-1] if f"WROTE {place}\n" in text]


async def test_the_kernels_settings_are_not_written(house: House) -> None:
    """For a process of root some of them name programs that run outside of any sandbox."""
    look = "[ -w /proc/sysrq-trigger ] && echo WROTE; ls /sys && echo SEEN; true"
    text = await house.run(f"echo planted > /proc/sys/kernel/domainname && echo WROTE; {look}")
    assert "WROTE" not in text
    assert "SEEN" not in text


async def test_of_etc_only_what_programs_need_is_there(house: House) -> None:
    text = await house.run(
        "cat /etc/passwd | head -1; cat /etc/shadow /etc/gshadow; ls /root /home /var /run /opt; true"
    )
    assert "root:x:0:0" in text
    assert text.count("No such file") == 7, text


async def test_what_the_persona_may_read_is_there(house: House, tmp_path: Path) -> None:
    granted = tmp_path / "granted"
    granted.mkdir()
    (granted / "file").write_text("shown")
    text = await house.run(
        f"cat {granted}/file; echo; echo x > {granted}/file; true", grants=Grants(read=(str(granted),))
    )
    assert "shown\n" in text
    assert "Read-only file system" in text
    assert "No such file" in await house.run(f"cat {granted}/file; true")


async def test_a_link_in_what_is_granted_gives_no_more(house: House, tmp_path: Path) -> None:
    granted, other = tmp_path / "granted", tmp_path / "other"
    for folder in (granted, other):
        folder.mkdir()
    (other / "file").write_text("not granted")
    (granted / "deep").symlink_to(other)
    (tmp_path / "link").symlink_to(granted)
    look = f"cat {granted}/deep/file {other}/file {tmp_path}/link/deep/file; true"
    for path in (granted / "deep", granted, tmp_path / "link"):
        assert "not granted" not in await house.run(look, grants=Grants(read=(str(path),)))


async def test_what_is_granted_and_not_given_is_told(house: House, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(house.data)
    sandbox = Grants(
        network=True,
        read=(str(tmp_path / "link"), str(tmp_path / "gone"), str(house.data)),
        env=("REGION", "MISSING"),
    )
    persona = Persona(name="ops", description="x", instructions="x", sandbox=sandbox)
    assert list(missing_grants(persona, replace(house.ctx.executor, no_network="no network here"))) == [
        "Its commands are refused here: no network here.",
        f"It may read {tmp_path}/link, which is a link and is left out; the persona has to name {house.data}.",
        f"It may read {tmp_path}/gone, which is not there.",
        "It may use the variable MISSING, which is not set here.",
    ]


async def test_the_network_is_refused_where_everyone_could_approve(house: House) -> None:
    executor = make_executor(Settings(FLAGMAN_SANDBOX="auto"), house.ctx.executor.sandbox)
    local = replace(house, ctx=replace(house.ctx, executor=executor))
    with pytest.raises(ToolError, match=r"^not run: .* the local playground"):
        await local.run("touch ran", grants=Grants(network=True))
    assert not (house.ctx.folder / "ran").exists()
    assert await local.run("echo fine") == "exit code 0\nfine"


async def test_flagmans_own_variables_are_not_granted(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FLAGMAN_SECRET_KEY", "flagman_secret_key", "Slack_Signing_Secret", "OF_OTHERS"):
        monkeypatch.setenv(name, "x" * 40)
    environment = make_executor(Settings(), None).environment
    assert [name for name in environment if "secret" in name.lower() or "slack" in name.lower()] == []
    assert "OF_OTHERS" in environment


async def test_only_granted_variables_are_there(house: House) -> None:
    assert await house.run("echo $REGION$TOKEN") == "exit code 0\n(no output)"
    assert (
        await house.run("echo $REGION$TOKEN", grants=Grants(env=("REGION", "HOSTILE")))
        == "exit code 0\nnorth"
    )
    assert str(house.ctx.folder) in await house.run("echo $HOME", grants=Grants(env=("HOME",)))


@pytest.fixture
async def store(house: House) -> AsyncIterator[Path]:
    async with embedded_server(house.data):
        yield house.data / "valkey" / SOCKET


CONNECT = """python3 -c 'import socket; socket.socket(socket.AF_UNIX).connect("{}"); print("REACHED")'"""


@pytest.mark.parametrize("network", [False, True])
async def test_the_store_is_not_reached(house: House, store: Path, network: bool) -> None:
    assert store.is_socket()
    text = await house.run(
        CONNECT.format(store) + "; true", grants=Grants(network=network, read=(str(store.parent),))
    )
    assert "FileNotFoundError" in text
    assert "REACHED" not in text


def _listening() -> tuple[socket.socket, int]:
    server = socket.create_server(("127.0.0.1", 0))
    return server, server.getsockname()[1]


async def test_the_network_is_off_unless_granted(house: House) -> None:
    server, port = _listening()
    with server:
        attempt = f"exec 3<>/dev/tcp/127.0.0.1/{port} && echo REACHED; true"
        assert "REACHED" not in await house.run(attempt)
        assert "REACHED" in await house.run(attempt, grants=Grants(network=True))


async def test_processes_outside_are_not_there(house: House) -> None:
    victim = subprocess.Popen(["sleep", "600"])
    try:
        text = await house.run(
            f"kill -9 {victim.pid}; kill -9 {os.getpid()}; ls -d /proc/{os.getpid()}; kill -9 -1; true"
        )
    except ToolError as error:
        text = str(error)
    assert "No such process" in text
    assert victim.poll() is None
    victim.kill()
    victim.wait()


def _pids(marker: str) -> list[int]:
    """The processes of this machine with the marker in their command line."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                if marker.encode() in (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


async def test_nothing_outlives_its_call(house: House) -> None:
    marker = f"7{time.time_ns() % 10**8}"
    await house.run(f"setsid sleep {marker} & (setsid sleep {marker} &) ; sleep 0.2; echo done")
    assert _pids(marker) == []
    with pytest.raises(ToolError, match=r"^stopped: the time limit of 1 s was reached\nbegun"):
        await house.run(f"trap '' TERM; echo begun; setsid sleep {marker} & sleep {marker}", timeout_s=1)
    assert _pids(marker) == []


async def test_it_is_asked_to_end_before_it_is_killed(house: House) -> None:
    with pytest.raises(ToolError, match=r"time limit of 1 s was reached\n[\s\S]*tidied up"):
        await house.run("trap 'echo tidied up; exit' TERM; while :; do sleep 0.1; done", timeout_s=1)


WORKER = """
import asyncio, sys
from pathlib import Path
from supervisor.tools.contract import ToolContext
from supervisor.tools.executor import Executor
from supervisor.tools.sandbox import Sandbox
from supervisor.tools.shell import shell_tool
shell = shell_tool()
ctx = ToolContext("s", "c", "k", 1, Path(sys.argv[2]), executor=Executor(Sandbox(sys.argv[1])))
asyncio.run(shell.run(shell.validate({"command": sys.argv[3]}), ctx))
"""


@pytest.mark.crash
async def test_it_ends_with_its_worker(house: House) -> None:
    marker = f"8{time.time_ns() % 10**8}"
    assert FOUND.sandbox
    command = f"setsid sleep {marker} & echo > begun; wait"
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER, FOUND.sandbox.bwrap, str(house.ctx.folder), command]
    )
    await wait_until((house.ctx.folder / "begun").exists, seconds=60)
    assert len(_pids(marker)) > 1
    worker.kill()
    worker.wait()
    await wait_until(lambda: not _pids(marker), seconds=60)
    assert not alive(worker.pid)


async def test_a_fork_bomb_is_ended(house: House) -> None:
    with pytest.raises(ToolError, match=r"\[stopped: more than 40 processes and threads\]"):
        await house.limited(tasks=40).run("for i in $(seq 200); do sleep 60 & done; wait")


async def test_too_much_memory_is_ended(house: House) -> None:
    limited = house.limited(memory=200 * 2**20)
    hold = "python3 -c 'b = bytearray(120 * 2**20); import time; time.sleep(60)'"
    with pytest.raises(ToolError, match=r"\[stopped: more than 200 MB of memory\]"):
        await limited.run(f"{hold} & {hold} & wait")
    with pytest.raises(ToolError, match="MemoryError"):
        await limited.run("python3 -c 'bytearray(300 * 2**20)'")


MEMFD = "import os, time; f = os.memfd_create('x'); b = bytes(2**20)\nfor _ in range(120): os.write(f, b)\n"


@pytest.mark.parametrize(
    "rest", ["time.sleep(60)", "import mmap; m = mmap.mmap(f, 120 * 2**20); time.sleep(60)"]
)
async def test_files_in_memory_without_a_name_are_counted_once(house: House, rest: str) -> None:
    (house.ctx.folder / "hold.py").write_text(MEMFD + rest)
    with pytest.raises(ToolError, match=r"\[stopped: more than 100 MB of memory\]"):
        await house.limited(memory=100 * 2**20).run("python3 hold.py & wait")
    (house.ctx.folder / "hold.py").write_text(MEMFD + rest.replace("60", "0.5"))
    assert "exit code 0" in await house.limited(memory=200 * 2**20).run("python3 hold.py")


async def test_scratch_space_is_limited(house: House) -> None:
    for place in ("/tmp", "/dev/shm"):
        with pytest.raises(ToolError, match="No space left"):
            await house.run(f"head -c {300 * 2**20} /dev/zero > {place}/x")


TOO_MUCH = r"\[(stopped:|it has left) more than 50 MB of new files\]"


@pytest.mark.parametrize(
    "command",
    [
        "head -c 80M /dev/zero > a; sleep 60",
        "mkdir -p x/y; for i in $(seq 80); do head -c 1M /dev/zero > x/y/$i; done; sleep 60",
        "exec 3> gone; rm gone; head -c 80M /dev/zero >&3; sleep 60",
        "d=.; for i in $(seq 250); do mkdir d; cd d; done; head -c 80M /dev/zero > a; sleep 60",
        "mkdir shut; head -c 80M /dev/zero > shut/a; chmod 0 shut; sleep 60",
        "head -c 80M /dev/zero > quickly",
    ],
)
async def test_what_a_call_adds_to_its_folder_is_limited(house: House, command: str) -> None:
    with pytest.raises(ToolError, match=TOO_MUCH):
        await house.limited(disk=50 * 2**20).run(command)


async def test_what_was_there_before_a_call_is_not_its_own(house: House) -> None:
    (house.ctx.folder / "before").write_bytes(bytes(80 * 2**20))
    assert "exit code 0" in await house.limited(disk=50 * 2**20).run(
        "head -c 30M /dev/zero > mine; cat before > /dev/null"
    )


async def test_a_file_that_is_too_long_is_not_written(house: House) -> None:
    with pytest.raises(ToolError, match=r"exit code|SIGXFSZ"):
        await house.limited(file_size=10**6).run("head -c 2000000 /dev/zero > long")
    assert (house.ctx.folder / "long").stat().st_size == 10**6


async def test_many_at_once_leave_nothing(house: House) -> None:
    assert set(await asyncio.gather(*(house.run("echo x") for _ in range(8)))) == {"exit code 0\nx"}
    assert shutil.which("true")
