"""The tools that come with Flagman."""

from __future__ import annotations

from supervisor.tools.agents import launch_agent, plan_tasks
from supervisor.tools.contract import Toolset
from supervisor.tools.decisions import note_decision
from supervisor.tools.events import emit_event
from supervisor.tools.files import read_file, write_file
from supervisor.tools.give_up import give_up
from supervisor.tools.http import http_tool
from supervisor.tools.human import ask_human
from supervisor.tools.shell import DEFAULT_PATH, shell_tool
from supervisor.tools.waits import wait_for


def builtin_tools(*, allow_private: bool = False, path: str = DEFAULT_PATH) -> Toolset:
    """Return the built-in tools by name.

    `allow_private` lets http_request reach loopback and private addresses; `path` is the PATH of shell commands.
    """
    http_request = http_tool(allow_private=allow_private)
    acting = (shell_tool(path=path), read_file, write_file, http_request, emit_event)
    tools = (*acting, ask_human, note_decision, wait_for, plan_tasks, launch_agent, give_up)
    return {tool.name: tool for tool in tools}
