"""Finds and prints the calls that wait for an approval, in a session and its sub-agents."""

from __future__ import annotations

from dataclasses import dataclass

from bot.cli.output import call
from bot.cli.terminal import show, text
from bot.cli.tree import subagents_of
from bot.sdk.http_backend import HttpBackend
from supervisor.contract.models import CallView, SessionView
from supervisor.core.errors import InvalidInput


@dataclass(frozen=True)
class PendingCall:
    """A call that waits, with the session that proposed it; `name` is the path of subtasks to that session."""

    name: str
    session: SessionView
    call: CallView


async def pending_calls(remote: HttpBackend, session: SessionView, calls: list[str]) -> list[PendingCall]:
    """Return those of the calls named that wait; where none is named, all of the session and its sub-agents.

    Raises InvalidInput where all are asked for and none waits.
    """
    if calls:
        return [one for one in own_calls(session) if one.call.call_id in calls]
    found = await all_pending(remote, session)
    if not found:
        raise InvalidInput(f"Session {session.id} has no call that waits for an approval.")
    return found


async def all_pending(remote: HttpBackend, session: SessionView) -> list[PendingCall]:
    """Return all calls of the session and its sub-agents that wait for an approval."""
    return [*own_calls(session), *_below(session, await subagents_of(remote, session), "")]


def own_calls(session: SessionView) -> list[PendingCall]:
    """Return the calls of the session itself that wait for an approval."""
    return [PendingCall("", session, one) for one in session.calls if one.phase == "awaiting"]


def _below(session: SessionView, subagents: dict[str, SessionView], path: str) -> list[PendingCall]:
    found: list[PendingCall] = []
    for child in session.children:
        state = subagents.get(child.id or "")
        if state:
            name = f"{path}{child.name}"
            found += [PendingCall(name, state, one) for one in state.calls if one.phase == "awaiting"]
            found += _below(state, subagents, f"{name}/")
    return found


def show_pending(found: list[PendingCall], *, err: bool = False) -> None:
    """Print the calls in full, each below its session; with `err` on standard error."""
    owner = ""
    for one in found:
        if one.session.id != owner:
            if owner:
                show(err=err)
            owner = one.session.id
            name = ((one.name, "magenta"), "  ") if one.name else ()
            show(
                text((owner, "bold"), "  ", *name, (one.session.persona, "blue"), "  ", one.session.task),
                err=err,
            )
        show(err=err)
        call(one.call, err=err)
