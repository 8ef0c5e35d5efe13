"""The tools that come with Flagman."""

from __future__ import annotations

from supervisor.tools.contract import Toolset
from supervisor.tools.events import emit_event
from supervisor.tools.files import read_file, write_file
from supervisor.tools.http import http_tool
from supervisor.tools.human import ask_human
from supervisor.tools.shell import DEFAULT_PATH, shell_tool
from supervisor.tools.waits import wait_for


def builtin_tools(*, allow_private: bool = False, path: str = DEFAULT_PATH) -> Toolset:
    """`shell`, `read_file`, `write_file`, `http_request`, `ask_human`, `wait_for` and `emit_event`, by name.

    `allow_private` lets http_request reach loopback and private addresses; `path` is the PATH of shell commands.
    """
    http_request = http_tool(allow_private=allow_private)
    tools = (shell_tool(path=path), read_file, write_file, http_request, ask_human, wait_for, emit_event)
    return {tool.name: tool for tool in tools}
