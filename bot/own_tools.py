"""The tools of the installation: files in the folder FLAGMAN_TOOLS, and entry points `flagman.tools` of packages."""

from __future__ import annotations

import re
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

from bot.settings import Settings
from supervisor.core.errors import InvalidInput
from supervisor.core.events.base import APPROVAL
from supervisor.tools.builtin import builtin_tools
from supervisor.tools.contract import Tool, Toolset

GROUP = "flagman.tools"
VARIABLE = "FLAGMAN_TOOLS"
# What all model providers take; two underscores are for the tools of MCP servers.
_NAME = re.compile(r"^(?!.*__)[a-zA-Z][a-zA-Z0-9_-]{0,63}$")


@dataclass(frozen=True)
class OwnTool:
    """A tool of the installation, and where it comes from: a file with its line, or a package."""

    tool: Tool
    source: str


def all_tools(settings: Settings) -> Toolset:
    """Return the built-in tools and those of the installation by name. Raises InvalidInput as `own_tools`."""
    own = {name: one.tool for name, one in own_tools(settings).items()}
    return {**builtin_tools(allow_private=settings.allow_private_http), **own}


def own_tools(settings: Settings) -> dict[str, OwnTool]:
    """Return the tools of the installation by name, which are imported once in a process.

    Raises InvalidInput with one sentence that names the file and the line, or the package, of the first mistake.
    """
    return dict(_loaded(settings.tools.resolve() if settings.tools else None))


@cache
def _loaded(folder: Path | None) -> dict[str, OwnTool]:
    taken = {name: "a built-in tool" for name in (*builtin_tools(), APPROVAL)}
    found: dict[str, OwnTool] = {}
    for what, one in (*_of_folder(folder), *_of_packages()):
        name = one.tool.name
        if one.tool.control:
            raise InvalidInput(f"{what}: `control` is for tools of Flagman itself, so not for `{name}`.")
        if not _NAME.match(name):
            raise InvalidInput(
                f"{what}: `{name[:80]}` is no name for a tool; it begins with a letter and has at most 64 letters, "
                "digits, `-` and `_`, no two `_` in a row."
            )
        if name in taken:
            raise InvalidInput(f"{what}: the name `{name}` is taken by {taken[name]}.")
        found[name], taken[name] = one, f"that of {one.source}"
    return found


def _of_folder(folder: Path | None) -> Iterator[tuple[str, OwnTool]]:
    """The tools in the files of the folder; those that begin with `_` or `.` are no tools."""
    if folder is None:
        return
    if not folder.is_dir():
        raise InvalidInput(f"{VARIABLE}: {folder} is no folder.")
    for path in sorted(folder.glob("*.py")):
        if path.name.startswith(("_", ".")):
            continue
        module = _imported(path)
        tools = _tools_in(module)
        if not tools:
            raise InvalidInput(f"{VARIABLE}: {path}: there is no tool in it; mark a function with `@tool`.")
        for tool in tools:
            line = _line(tool)
            yield f"{VARIABLE}: {path}:{line}", OwnTool(tool, f"{path}:{line}")


def _imported(path: Path) -> ModuleType:
    spec = spec_from_file_location(f"flagman_tools_{path.stem}", path)
    assert spec, "the name ends in .py"
    assert spec.loader
    module = module_from_spec(spec)
    sys.modules[spec.name] = module
    loader = spec.loader
    _run(lambda: loader.exec_module(module), f"{VARIABLE}: {path}", path)
    return module


def _of_packages() -> Iterator[tuple[str, OwnTool]]:
    """The tools of installed packages: an entry point names a tool, a list of tools, or a module that has some."""
    for point in sorted(entry_points(group=GROUP), key=lambda one: (_package(one), one.name)):
        what = f"{GROUP}: {point.name} of the package {_package(point)}"
        loaded = _run(point.load, what)
        given = _tools_in(loaded) if isinstance(loaded, ModuleType) else loaded
        tools = list(given) if isinstance(given, list | tuple) else [given]
        if not tools or not all(isinstance(tool, Tool) for tool in tools):
            raise InvalidInput(
                f"{what}: `{point.value}` is no tool, no list of tools and no module with tools."
            )
        for tool in tools:
            yield what, OwnTool(tool, f"the package {_package(point)}")


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist else "?"


def _run(work: Callable[[], Any], what: str, path: Path | None = None) -> Any:
    """Run code of the installation. Raises InvalidInput, with the line in the file at `path` where that is known."""
    try:
        return work()
    except SyntaxError as error:
        place = f"{what}:{error.lineno}" if path and error.filename == str(path) else what
        raise InvalidInput(f"{place}: {error.msg}.") from error
    except (Exception, SystemExit) as error:  # noqa: BLE001  what a file raises as it is imported is anything
        _refuse(error, what, path)


def _refuse(error: BaseException, what: str, path: Path | None) -> NoReturn:
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    place = f"{what}:{frames[-1].lineno}" if frames else what
    said = str(error).rstrip(".") or "it ends the process"
    kind = "" if isinstance(error, TypeError) else f"{type(error).__name__}: "
    raise InvalidInput(f"{place}: {kind}{said}.") from error


def _tools_in(module: ModuleType) -> list[Tool]:
    """The tools that are made in a module, and not those that it imports."""
    tools = [value for value in vars(module).values() if isinstance(value, Tool)]
    return [tool for tool in tools if getattr(_function(tool), "__module__", None) == module.__name__]


def _function(tool: Tool) -> Any:
    """The function of which the decorator made the tool."""
    return getattr(getattr(tool.run, "__self__", None), "function", None)


def _line(tool: Tool) -> int:
    return int(_function(tool).__code__.co_firstlineno)
