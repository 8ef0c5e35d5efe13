"""The rooms of the house: who may import whom, what the pure core may touch, and how long a file may be."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LAYERS = ("storage", "supervisor", "handlers", "bot", "flagman")
# What each room may import, besides itself. A room is a folder with all below it, a module at the top of its layer,
# or (`supervisor`) what lies at the top of a layer and is no room of its own. Each names rooms above it only, so that
# there is no circle.
ROOMS: dict[str, str] = {
    "storage": "",
    "supervisor/core": "",
    "supervisor/tools": "storage supervisor/core",
    "supervisor/mcp": "storage supervisor/core supervisor/tools",
    "supervisor/connections": "storage supervisor/core supervisor/tools supervisor/mcp",
    "supervisor/models": "supervisor/core",
    "supervisor/personas": "storage supervisor/core",
    "supervisor": "storage supervisor/core supervisor/tools supervisor/mcp supervisor/personas",
    "supervisor/runtime": "storage supervisor/core supervisor/tools supervisor/models supervisor/personas supervisor",
    "supervisor/session_log": "storage supervisor/core supervisor/personas supervisor",
    "supervisor/contract": (
        "storage supervisor/core supervisor/connections supervisor/personas supervisor supervisor/session_log"
    ),
    "handlers/action_ids": "supervisor/core",
    "handlers/team_ids": "",
    "handlers/origin": "supervisor/core handlers/team_ids",
    "handlers/markup": "",
    "handlers/users": "supervisor/core handlers/markup handlers/team_ids",
    "handlers/workspaces": "supervisor/core",
    "handlers/directory": "supervisor/core handlers/team_ids handlers/origin handlers/users handlers/workspaces",
    "handlers/directories": "supervisor/core handlers/team_ids handlers/users handlers/directory",
    "handlers/blocks": "supervisor/core",
    "handlers/private_answers": "handlers/blocks",
    "handlers/quotes": "supervisor/core handlers/users handlers/blocks",
    "handlers/middleware": "storage supervisor/core handlers/users handlers/blocks handlers/private_answers",
    "handlers/messages": (
        "supervisor/core supervisor/contract handlers/action_ids handlers/team_ids handlers/origin handlers/blocks"
    ),
    "handlers/modals": (
        "supervisor/core handlers/action_ids handlers/team_ids handlers/origin handlers/blocks handlers/messages"
    ),
    "handlers/projection": (
        "storage supervisor/core supervisor supervisor/contract supervisor/runtime "
        "handlers/team_ids handlers/origin handlers/users handlers/directory handlers/directories handlers/blocks "
        "handlers/middleware handlers/messages handlers/private_answers"
    ),
    "handlers/announcements": (
        "supervisor/core supervisor supervisor/contract handlers/team_ids handlers/origin handlers/users "
        "handlers/directories handlers/blocks handlers/projection"
    ),
    "handlers/context": (
        "storage supervisor/core supervisor supervisor/contract "
        "handlers/action_ids handlers/users handlers/projection"
    ),
    "handlers/listeners": (
        "storage supervisor/core supervisor/tools supervisor/mcp supervisor supervisor/session_log "
        "supervisor/contract handlers/action_ids handlers/team_ids handlers/origin handlers/users "
        "handlers/directories handlers/blocks "
        "handlers/middleware "
        "handlers/private_answers handlers/quotes handlers/messages handlers/modals handlers/context"
    ),
    "handlers/app": "handlers/middleware handlers/context handlers/listeners",
    "bot/playground": "",
    "bot/setting_values": "storage supervisor/core supervisor",
    "bot/settings": "storage supervisor/core supervisor bot/setting_values",
    "bot/install": (
        "storage supervisor/core supervisor/mcp handlers/users handlers/workspaces handlers/directory "
        "handlers/directories bot/settings"
    ),
    "bot/secret_key": "supervisor/core bot/settings",
    "bot/resume_hints": "supervisor/core supervisor/session_log handlers/origin",
    "bot/sandbox": "supervisor/core supervisor/tools bot/settings",
    "bot/mcp_servers": "supervisor/core supervisor/mcp supervisor/tools bot/settings bot/sandbox",
    "bot/own_tools": "supervisor/core supervisor/tools bot/settings",
    "bot/audit_formats": "supervisor/core supervisor/contract",
    "bot/compose": (
        "storage supervisor/core supervisor/tools supervisor/mcp supervisor/connections supervisor/models "
        "supervisor/personas supervisor supervisor/session_log supervisor/contract handlers/origin "
        "handlers/directories handlers/projection handlers/announcements "
        "bot/install bot/settings bot/secret_key bot/resume_hints bot/mcp_servers bot/own_tools"
    ),
    "bot/workers": (
        "storage supervisor/core supervisor/models supervisor/runtime supervisor/contract "
        "handlers/users handlers/directory handlers/directories handlers/projection "
        "bot/install bot/sandbox bot/mcp_servers bot/compose"
    ),
    "bot/store_check": "storage",
    "bot/mcp_check": (
        "supervisor/core supervisor/mcp supervisor/personas supervisor/tools bot/settings bot/sandbox "
        "bot/mcp_servers bot/own_tools bot/store_check"
    ),
    "bot/files_check": (
        "supervisor/core supervisor/personas bot/settings bot/mcp_servers bot/own_tools bot/store_check"
    ),
    "bot/persona_reports": "storage handlers/announcements bot/compose",
    "bot/audit_digest": "storage supervisor/core supervisor handlers/announcements bot/compose",
    "bot/retention": "storage supervisor/core bot/settings bot/compose",
    "bot/clock": (
        "storage supervisor/core supervisor/runtime bot/audit_digest bot/compose bot/persona_reports bot/retention"
    ),
    "bot/local_key": "storage supervisor/core supervisor bot/settings bot/compose",
    "bot/sdk": (
        "storage supervisor/core supervisor/models supervisor/session_log supervisor/contract "
        "bot/setting_values bot/settings bot/compose bot/workers bot/clock bot/local_key"
    ),
    "bot/mcp": "supervisor/core supervisor supervisor/contract bot/sdk",
    "flagman": "supervisor/core supervisor/tools supervisor/contract bot/settings bot/sdk",
    "bot/setup": "supervisor/core handlers/users bot/install bot/settings bot/store_check",
    "bot/doctor": (
        "storage supervisor/core supervisor/personas handlers/users handlers/directory "
        "bot/install bot/settings bot/sandbox bot/mcp_servers bot/own_tools bot/mcp_check bot/files_check bot/compose "
        "bot/store_check bot/setup bot/sdk"
    ),
    "bot/api": (
        "storage supervisor/core supervisor/mcp supervisor/connections supervisor supervisor/session_log "
        "supervisor/contract bot/audit_formats bot/compose bot/retention bot/store_check bot/sdk bot/mcp"
    ),
    "bot/processes": (
        "storage supervisor/core supervisor "
        "handlers/users handlers/directories handlers/middleware handlers/projection handlers/context "
        "handlers/listeners handlers/app bot/install bot/playground bot/settings bot/compose bot/workers "
        "bot/persona_reports bot/clock bot/local_key bot/api"
    ),
    "bot/cli": (
        "storage supervisor/core supervisor/tools supervisor/personas supervisor supervisor/session_log "
        "supervisor/contract bot/settings bot/mcp_servers bot/own_tools bot/secret_key bot/resume_hints bot/local_key "
        "bot/audit_formats bot/sdk bot/mcp bot/store_check "
        "bot/doctor bot/retention bot/setup bot/processes"
    ),
}
LONGEST = 400
MOST_FILES = 20
# What reaches outside, or gives another answer each time it is asked.
_IO = (
    "asyncio concurrent contextvars ctypes fcntl ftplib getpass glob http imaplib io logging mmap "
    "multiprocessing os pathlib platform poplib queue random sched secrets select selectors shelve shutil "
    "signal smtplib socket socketserver sqlite3 ssl subprocess sys syslog tempfile threading time urllib "
    "uuid webbrowser"
)
IO_MODULES = frozenset(_IO.split())
# Libraries that only calculate, such as from a cron expression to its next moment.
CALCULATE = frozenset({"cronsim", "regex", "urllib.parse", "yarl"})
IO_CALLS = frozenset({"open", "print", "input", "exec", "eval", "__import__", "now", "utcnow", "today"})
ENVIRONMENT = frozenset({"environ", "environb", "getenv", "getenvb", "putenv", "unsetenv"})


def files(folder: str, pattern: str = "*.py") -> list[Path]:
    return sorted((ROOT / folder).rglob(pattern))


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


@cache
def imports(tree: ast.AST) -> list[tuple[int, str]]:
    """Every module that is imported, wherever in the file, with its line."""
    found: list[tuple[int, str]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found.append((node.lineno, f"{'.' * node.level}{node.module or ''}"))
    return found


def room_of(path: str) -> str:
    """The room of a module, by its path without ending; the longest name that fits."""
    parts = path.split("/")
    names = ["/".join(parts[:n]) for n in range(len(parts), 0, -1)]
    return next((name for name in names if name in ROOMS), "")


def strangers(path: str, tree: ast.AST) -> list[str]:
    """Imports of rooms that the room of `path` may not import."""
    room = room_of(path)
    allowed = {room, *ROOMS[room].split()}
    return [
        f"{line}: {name}"
        for line, name in imports(tree)
        if _root(name) in LAYERS and not _rooms_of(name, tree, line) <= allowed
    ]


@cache
def _rooms_of(name: str, tree: ast.AST, line: int) -> set[str]:
    """The rooms of what a line imports: of `from bot import settings` it is that of `bot/settings`."""
    path = name.replace(".", "/")
    nodes = [
        n for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and (n.lineno, n.module) == (line, name)
    ]
    names = [f"{path}/{alias.name}" for node in nodes for alias in node.names] or [path]
    return {room_of(one) for one in names}


def upwards(tree: ast.AST, layer: str) -> list[str]:
    above = LAYERS[LAYERS.index(layer) + 1 :]
    return [f"{line}: {name}" for line, name in imports(tree) if _root(name) in (*above, "tests", "")]


def impure(tree: ast.AST) -> list[str]:
    """What the pure core may not do."""
    found = []
    for line, name in imports(tree):
        ours = name == "supervisor.core" or name.startswith("supervisor.core.")
        stdlib = _root(name) in sys.stdlib_module_names and _root(name) not in IO_MODULES
        if not (ours or stdlib or _root(name) == "pydantic" or name in CALCULATE):
            found.append(f"{line}: import of {name}")
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return found + [f"{c.lineno}: {_name(c.func)}()" for c in calls if _name(c.func) in IO_CALLS]


def reads_environment(tree: ast.AST) -> list[str]:
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in ENVIRONMENT:
            found.append(f"{node.lineno}: {node.attr}")
        elif isinstance(node, ast.ImportFrom) and node.module == "os":
            found += [f"{node.lineno}: {alias.name}" for alias in node.names if alias.name in ENVIRONMENT]
    return found


def importing(*roots: str) -> Callable[[ast.AST], list[str]]:
    def check(tree: ast.AST) -> list[str]:
        return [f"{line}: {name}" for line, name in imports(tree) if _root(name).startswith(roots)]

    return check


def _module(path: Path) -> str:
    return str(path.relative_to(ROOT).with_suffix("")).removesuffix("/__init__")


def _root(name: str) -> str:
    return name.partition(".")[0]


def _name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def offences(folder: str, check: Callable[[ast.AST], list[str]]) -> list[str]:
    return [f"{path.relative_to(ROOT)}:{found}" for path in files(folder) for found in check(tree_of(path))]


@pytest.mark.parametrize("layer", LAYERS)
def test_imports_run_downwards(layer: str) -> None:
    assert files(layer)
    assert offences(layer, lambda tree: upwards(tree, layer)) == []


def test_every_module_is_in_a_room_and_each_room_names_rooms_above_it() -> None:
    for layer in LAYERS:
        for path in files(layer):
            if len(path.relative_to(ROOT).parts) > 2 or path.stem != "__init__":
                assert room_of(_module(path)), path
    names = list(ROOMS)
    for number, (room, allowed) in enumerate(ROOMS.items()):
        assert set(allowed.split()) <= set(names[:number]), room
        assert files(room) or (ROOT / f"{room}.py").exists(), room


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_what_its_line_names(room: str) -> None:
    paths = [p for layer in LAYERS for p in files(layer) if room_of(_module(p)) == room]
    assert paths
    found = {str(path.relative_to(ROOT)): strangers(_module(path), tree_of(path)) for path in paths}
    assert {path: lines for path, lines in found.items() if lines} == {}


@pytest.mark.parametrize("room", ROOMS)
def test_a_line_names_no_room_that_is_not_imported(room: str) -> None:
    paths = [p for layer in LAYERS for p in files(layer) if room_of(_module(p)) == room]
    imported: set[str] = set()
    for path in paths:
        tree = tree_of(path)
        for line, name in imports(tree):
            imported |= _rooms_of(name, tree, line) if _root(name) in LAYERS else set()
    assert set(ROOMS[room].split()) <= imported


def test_no_folder_has_too_many_files() -> None:
    paths = [p for folder in (*LAYERS, "tests") for p in files(folder, "*") if "__pycache__" not in p.parts]
    folders = {p.parent for p in paths if p.is_file()}
    counts = {str(f.relative_to(ROOT)): sum(p.is_file() for p in f.iterdir()) for f in folders}
    assert {folder: count for folder, count in counts.items() if count > MOST_FILES} == {}


def test_the_core_is_pure() -> None:
    assert files("supervisor/core")
    assert offences("supervisor/core", impure) == []


@pytest.mark.parametrize("layer", ["supervisor", "storage"])
def test_what_lies_below_slack_does_not_know_it(layer: str) -> None:
    assert offences(layer, importing("slack")) == []


@pytest.mark.parametrize("layer", ["supervisor", "handlers", "bot"])
def test_only_storage_knows_its_server(layer: str) -> None:
    # The composition holds the connections that it opened, and hands them to storage.
    known = offences(layer, importing("redis", "valkey"))
    assert [offence for offence in known if not offence.startswith("bot/compose.py:")] == []


@pytest.mark.parametrize("layer", ["storage", "supervisor", "handlers"])
def test_settings_come_from_above_and_not_from_the_environment(layer: str) -> None:
    assert offences(layer, reads_environment) == []


def test_the_playground_knows_slack_and_nothing_of_flagman() -> None:
    assert offences("bot/playground", importing("handlers", "supervisor", "storage")) == []


def test_no_file_is_too_long() -> None:
    paths = [p for folder in (*LAYERS, "tests") for p in files(folder)]
    for kind in ("*.js", "*.css"):
        paths += files("bot/playground/static", kind)
    sizes = {str(p.relative_to(ROOT)): len(p.read_text(encoding="utf-8").splitlines()) for p in paths}
    assert {path: lines for path, lines in sizes.items() if lines > LONGEST} == {}


# The checks themselves


def test_a_stranger_is_found_wherever_it_hides() -> None:
    source = "from supervisor import service\nfrom supervisor.core import state\ndef f():\n    import bot.api.app\n"
    assert strangers("supervisor/tools/shell", ast.parse(source)) == ["1: supervisor", "4: bot.api.app"]
    assert strangers("supervisor/runtime/job", ast.parse(source)) == ["4: bot.api.app"]
    assert strangers("handlers/app", ast.parse("from handlers import middleware, users")) == ["1: handlers"]


def found(check: Callable[[ast.AST], list[str]], source: str) -> list[str]:
    return check(ast.parse(source))


def test_an_import_upwards_is_found_wherever_it_hides() -> None:
    def check(tree: ast.AST) -> list[str]:
        return upwards(tree, "supervisor")

    hidden = "def f():\n    from bot.settings import S\nif TYPE_CHECKING:\n    import handlers.x as x\n"
    assert found(check, hidden) == ["2: bot.settings", "4: handlers.x"]
    assert found(check, "from ..bot import x") == ["1: ..bot"]
    assert found(check, "import storage.log\nimport supervisor.core\nimport bottle") == []


def test_impurity_is_found() -> None:
    assert found(
        impure, "import os.path\nfrom time import sleep\nimport redis\nfrom storage import keys"
    ) == [
        "1: import of os.path",
        "2: import of time",
        "3: import of redis",
        "4: import of storage",
    ]
    assert found(impure, "from supervisor.tools import x\nimport supervisor.corefoo") != []
    assert found(impure, "x = datetime.now(UTC)\nopen('y')") == ["1: now()", "2: open()"]
    assert (
        found(impure, "import json, math\nfrom pydantic import BaseModel\nimport supervisor.core.reducer")
        == []
    )


def test_reading_the_environment_is_found() -> None:
    assert found(reads_environment, "import os\nos.environ['A']\nos.getenv('B')") == [
        "2: environ",
        "3: getenv",
    ]
    assert found(reads_environment, "from os import environ as e") == ["1: environ"]
    assert found(reads_environment, "environment = {}\nenv = child(environment)") == []
