"""The tools that come with Flagman."""

from __future__ import annotations

from supervisor.tools.contract import Toolset
from supervisor.tools.files import read_file, write_file
from supervisor.tools.http import http_tool
from supervisor.tools.human import ask_human
from supervisor.tools.shell import DEFAULT_PATH, shell_tool


def builtin_tools(*, allow_private: bool = False, path: str = DEFAULT_PATH) -> Toolset:
    """`shell`, `read_file`, `write_file`, `http_request` and `ask_human`, by name.

    `allow_private` lets http_request reach loopback and private addresses; `path` is the PATH of shell commands.
    """
    tools = (shell_tool(path=path), read_file, write_file, http_tool(allow_private=allow_private), ask_human)
    return {tool.name: tool for tool in tools}
