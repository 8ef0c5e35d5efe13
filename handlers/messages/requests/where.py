"""Where calls run: the hosts of the workers, and the folder of a session there."""

from __future__ import annotations

from dataclasses import dataclass

from handlers.blocks.text import inline_code, person
from supervisor.core.rights import runs_as
from supervisor.core.state import Call, Session


@dataclass(frozen=True)
class Where:
    """`hosts` are those of all workers, any of which may run a call; `workspace` is the path above all folders."""

    hosts: tuple[str, ...] = ()
    workspace: str = ""


def runs(session: Session, call: Call, where: Where | None) -> str:
    """Return in mrkdwn where a call runs and in what; empty where that is not known, or not for a call.

    A tool of a server runs there, and the control loop carries out its calls itself.
    """
    if whom := as_whom(session, call):
        return whom
    command = bool(call.grants)
    if call.call.control or call.call.definition or not (where or command):
        return ""
    shut_in = " in a sandbox without network" if call.grants and _is_shut_in(call) else ""
    if not where:
        return f"Runs{shut_in}, in the session's folder" if shut_in else ""
    folder = inline_code(f"{where.workspace.rstrip('/')}/{session.folder}")
    hosts = " or ".join(map(inline_code, where.hosts[:3])) + (" or others" if len(where.hosts) > 3 else "")
    return f"Runs{f' on {hosts}' if hosts else ''}{shut_in}, in {folder}"


def as_whom(session: Session, call: Call) -> str:
    """Return in mrkdwn as whom a call runs on its server; empty where that is connected by Flagman itself."""
    definition = call.call.definition
    if not definition or not definition.personal:
        return ""
    whom = runs_as(session)
    return f"Runs as {person(whom)} on {inline_code(definition.server)}" if whom else ""


def _is_shut_in(call: Call) -> bool:
    return bool(call.grants and not call.unsandboxed and not call.grants.network)
