"""What the sub-agents of a session wait for people to decide; each has a message with buttons in the thread."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from handlers.blocks.text import brief as first_argument
from handlers.messages.headline import WAITING, apart, failures
from handlers.messages.proposal import in_short
from handlers.messages.subagents import Member, Subagents
from supervisor.core.rights import awaited_connection, is_stopped
from supervisor.core.state import Session
from supervisor.core.text.masking import Masker
from supervisor.core.text.visible import one_line


@dataclass(frozen=True)
class PendingItem:
    """One open request. `path` names the sub-agent, `session_id` is its session, `brief` says what it waits for."""

    since: datetime
    path: str
    session_id: str
    brief: str


def pending_items(session: Session, mask: Masker, subagents: Subagents) -> list[PendingItem]:
    """Return all approvals, questions, stops and failures that people have to decide on, the oldest first."""
    rows = list(_failures(session, "", mask))
    for member in subagents.members(session):
        rows += _of_member(member, mask)
    return sorted(rows, key=lambda item: item.since)


def in_all(waiting: Sequence[PendingItem]) -> str:
    return "1 decision waits" if len(waiting) == 1 else f"{len(waiting)} decisions wait"


def _of_member(member: Member, mask: Masker) -> Iterator[PendingItem]:
    session, path = member.session, member.path
    if session.ended:
        return
    for call in session.calls_in("awaiting"):
        tool = one_line(mask.arguments(call.call.tool), 40)
        brief = f"needs approval: {tool} {in_short(call, mask) or first_argument(call.call.arguments, mask)}"
        yield PendingItem(call.requested_at or session.changed_at, path, session.id, brief)
    for call in session.calls_in("asking"):
        brief = f"asks: {one_line(mask(call.question), 120)}"
        yield PendingItem(call.requested_at or session.changed_at, path, session.id, brief)
    for call in session.calls_in("unknown"):
        brief = f"outcome unknown: {one_line(mask.arguments(call.call.tool), 80)}"
        yield PendingItem(session.changed_at, path, session.id, brief)
    if session.pause and (session.approval or is_stopped(session) or awaited_connection(session)):
        _, words = apart(WAITING[session.pause.reason])
        yield PendingItem(session.pause.at, path, session.id, f"{words[:1].lower()}{words[1:]}")
    yield from _failures(session, path, mask)


def _failures(parent: Session, above: str, mask: Masker) -> Iterator[PendingItem]:
    for child in failures(parent):
        path = f"{above} › {child.name}" if above else child.name
        brief = f"{child.state}: {one_line(mask(child.result), 80) or 'no output'}"
        yield PendingItem(child.finished_at or parent.changed_at, path, child.id, brief)
