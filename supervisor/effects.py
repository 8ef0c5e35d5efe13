"""The changes of the store together with an append: indexes, timers, blobs and queues. Pure functions."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from datetime import datetime
from typing import TypeVar

from storage.keys import QueueName, TimerKey
from storage.log import Claim, Effects, Lease, NewLog
from supervisor.core.commands.deadlines import deadlines
from supervisor.core.conditions import At, Cron
from supervisor.core.control import Wait, next_action
from supervisor.core.events.base import workspace_of
from supervisor.core.records import Grant
from supervisor.core.state import Session
from supervisor.core.triggers import awaited_signals

# The index of all sessions with a grant that has not ended.
GRANTING = "grants"
# The phases of calls that wait for somebody.
_WAITING = {"awaiting", "asking", "unknown", "sleeping", "delegating"}
Name = TypeVar("Name", bound=Hashable)


def effects_of(
    before: Session | None,
    after: Session,
    *,
    blobs: dict[str, bytes] | None = None,
    claim: Claim | None = None,
    new_logs: Sequence[NewLog] = (),
    lease: Lease | None = None,
    release: bool = False,
) -> Effects:
    """Return the effects of the change from `before` to `after`; `before` is None at the launch."""
    return Effects(
        indexes=_indexes(before, after),
        timers=_changed(_timers(before), _timers(after)),
        blobs=blobs or {},
        enqueue=_queues(before, after),
        unhurried=before is not None and _asked(before) == _asked(after),
        new_logs=new_logs,
        enqueue_others=_enqueue_others(before, after),
        claim=claim,
        lease=lease,
        release=release,
    )


def _indexes(before: Session | None, after: Session) -> dict[str, float | None]:
    rows: dict[str, float | None] = {}
    # Those of all workspaces, and those of its own.
    for workspace in dict.fromkeys(("", workspace_of(after.origin))):
        if before is None:
            rows[index_of("all", workspace)] = _ms(after.began_at)
        old = _bucket(before) if before else None
        new = _bucket(after)
        if old != new:
            if old:
                rows[index_of(old, workspace)] = None
            rows[index_of(new, workspace)] = _ms(after.changed_at)
    owner = launcher_of(after)
    if owner and (before is None or before.ended) != after.ended:
        rows[open_of(owner)] = None if after.ended else _ms(after.began_at)
    granted = dict.fromkeys(_granting(before) if before else (), 0.0)
    rows |= _changed(granted, dict.fromkeys(_granting(after), _ms(after.changed_at)))
    waiting = {name: _ms(after.changed_at) for name in awaited_signals(after)}
    old_waiting = {name: 0.0 for name in awaited_signals(before)} if before else {}
    return rows | _changed(old_waiting, waiting)


def index_of(name: str, workspace: str) -> str:
    """The name of the part of an index that is of a workspace alone; the first one shares the whole of it."""
    return f"{name}@{workspace}" if workspace else name


def open_of(actor_id: str) -> str:
    """The name of the index of the sessions of a launcher that have not ended."""
    return f"open:{actor_id}"


def granting_of(place: str) -> str:
    """The name of the index of the sessions with a grant for a place that has not ended."""
    return f"{GRANTING}:{place}"


def _granting(session: Session) -> list[str]:
    """Return the names of the indexes in which the grants of a session are found."""
    lasting = _unended_grants(session)
    return [GRANTING, *(granting_of(grant.place) for grant in lasting if grant.place)] if lasting else []


def _unended_grants(session: Session) -> list[Grant]:
    return [g for g in session.grants if not g.ended_at and not (session.ended and not g.place)]


def launcher_of(session: Session) -> str:
    """The id of the person or key that launched or copied the session; empty for a sub-agent."""
    if session.lineage:
        return ""
    return session.forked.by if session.forked else session.launched_by


def _timers(session: Session | None) -> dict[TimerKey, float]:
    """Return the timers of a session with their due times in ms since 1970."""
    if session is None:
        return {}
    granted = {TimerKey(session.id, grant.id): _ms(grant.until) for grant in _unended_grants(session)}
    if session.ended:
        return granted
    rows = granted | {TimerKey(session.id, t.id): _ms(t.due) for t in session.timers if t.state == "set"}
    for name, condition in session.waits:
        if isinstance(condition, At | Cron):
            rows[TimerKey(session.id, name)] = _ms(condition.due)
    return rows | {TimerKey(session.id, d.name): _ms(d.due) for d in deadlines(session)}


def _changed(before: dict[Name, float], after: dict[Name, float]) -> dict[Name, float | None]:
    """Return the names to set with their scores, and the names to remove with None; unchanged names are left out."""
    gone: dict[Name, float | None] = {name: None for name in before if name not in after}
    return gone | {name: score for name, score in after.items() if name not in before}


def _bucket(session: Session) -> str:
    return "ended" if session.ended else session.status


def _queues(before: Session | None, after: Session) -> list[QueueName]:
    # A session without an origin is shown nowhere.
    queues: list[QueueName] = ["outbox"] if after.origin else []
    # A pause or an end must also reach the worker that runs the session, and what is added to a pause may have come.
    stopped = before is not None and (
        after.lifecycle != before.lifecycle or len(after.halts) != len(before.halts)
    )
    # The sub-agents of a restored session may have ended in the meantime.
    returned = before is None and bool(after.running_children)
    awaited = bool(after.attachments.awaited) and not after.ended
    if stopped or returned or awaited or not isinstance(next_action(after, after.changed_at), Wait):
        queues.append("ready")
    return queues


def _asked(session: Session) -> tuple[object, ...]:
    """Return what people wait to see; everything else is shown with the next change that they do."""
    waiting = [call for call in session.open_calls if call.phase in _WAITING]
    state = session.status, len(session.halts), session.children, session.attachments
    return *state, session.timers, session.grants, waiting


def _enqueue_others(before: Session | None, after: Session) -> list[tuple[str, QueueName]]:
    """Return the other sessions to queue: those whose board shows this sub-agent, and its parent once it has ended.

    A parent that is paused pauses a sub-agent that goes on by itself.
    """
    lineage = after.lineage
    if lineage is None:
        return []
    boards = dict.fromkeys((lineage.root, lineage.parent)) if after.origin else {}
    others: list[tuple[str, QueueName]] = [(session_id, "outbox") for session_id in boards]
    goes_on = before is not None and before.lifecycle == "paused" and after.lifecycle == "running"
    if goes_on or (_over(after) and not (before and _over(before))):
        others.append((lineage.parent, "ready"))
    return others


def _over(session: Session) -> bool:
    """Return whether the session and all its sub-agents have ended."""
    return session.ended and not session.running_children


def _ms(at: datetime) -> float:
    return int(at.timestamp() * 1000)
