"""What to verify before a session is resumed, and which step comes next."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from supervisor.core.events.base import DEFERRED_TOOLS
from supervisor.core.state import Call, Session, Step
from supervisor.core.text.format import count, join_items, stamp
from supervisor.session_log.hints import Way
from supervisor.session_log.render.calls import PHASES, named_call
from supervisor.session_log.render.labels import person
from supervisor.session_log.render.moments import failures
from supervisor.session_log.render.progress import plans
from supervisor.session_log.render.safe import code, inline

_FILES, _NAMES, _RESULT = 8, 4, 200


def to_verify(session: Session, waits: str) -> list[Way]:
    """Return what to look at first, each with its name: the last call, unclear ones, files, and what it waits for."""
    unclear = [named_call(call) for call in session.calls_in("unknown", "started")]
    files = [code(path, 120) for path in session.artifacts[::-1]]
    there = f"{join_items(files, _FILES)} should be in the session's folder, {code(session.folder, 300)}"
    rows = [
        ("Last call", _last_call(session)),
        ("Unclear", f"whether {join_items(unclear, _NAMES)} took effect" if unclear else ""),
        ("Files", there if files else ""),
        ("Waits for", waits),
    ]
    return [(name, words) for name, words in rows if words]


def _last_call(session: Session) -> str:
    ended = [(_end_of(call, step), call) for step in session.steps for call in step.calls if call.settled]
    if not ended:
        return "none has ended yet"
    at, call = max(ended, key=lambda pair: pair[0])
    return f"{named_call(call)} {_outcome(call)}, {stamp(at)}{_said(call)}"


def _end_of(call: Call, step: Step) -> datetime:
    return call.finished_at or (call.decisions[-1].at if call.decisions else step.at)


def _outcome(call: Call) -> str:
    if call.phase == "denied":
        return f"was **denied** by {person(call.decisions[-1].by, call.decisions[-1].by_name)}"
    if call.phase in ("answered", "expired", "superseded"):
        return f"was {PHASES[call.phase]}"
    if call.phase == "refused":
        return "was refused and did not run"
    return "finished" if call.ok else "**failed**"


def _said(call: Call) -> str:
    return f": “{inline(call.content, _RESULT)}”" if call.content.strip() else ""


def next_step(session: Session) -> str:
    """Return what happens once the session goes on, in order."""
    parts, agent = list(_next(session)), f"step {len(session.steps) + 1} of the agent"
    read = f"the {'result' if len(session.open_calls) == 1 else 'results'}" if parts else ""
    words = count(len(session.inbox), "new message") if session.inbox else ""
    reads = " and ".join(filter(None, (read, words)))
    parts.append(
        f"{'then ' if parts else ''}{agent}, which {f'reads {reads}' if reads else 'decides what follows'}"
    )
    return f"{'once it is resumed: ' if session.pause else ''}{'; '.join(parts)}"


def _next(session: Session) -> Iterator[str]:
    if calls := session.calls_in("unknown"):
        yield f"what a person says of {_named(calls)} is recorded, or it runs again"
    if calls := session.calls_in("held", "awaiting"):
        runs = "runs when it is approved" if len(calls) == 1 else "run as each is approved"
        yield f"{_named(calls)} {runs} (a denied call does not run)"
    if calls := session.calls_in("ready", "approved"):
        yield f"{_named(calls)} {'runs' if len(calls) == 1 else 'run'}"
    if calls := session.calls_in("started"):
        yield f"{_named(calls)} {'ends' if len(calls) == 1 else 'end'}"
    if calls := tuple(call for call in session.calls_in("asking") if call.inputs.open):
        goes = "goes on with the answer" if len(calls) == 1 else "go on with the answers"
        yield f"{_named(calls)} {goes}"
    if calls := tuple(call for call in session.calls_in("asking") if not call.inputs.open):
        yield f"the answer is the result of {_named(calls)}"
    if calls := session.calls_in("sleeping"):
        yield f"what ends the wait is the result of {_named(calls)}"
    if calls := tuple(call for call in session.calls_in("open") if call.call.tool in DEFERRED_TOOLS):
        yield f"{_named(calls)} begins"
    yield from _subtasks(session)


def _subtasks(session: Session) -> Iterator[str]:
    for child in failures(session):
        yield f"{code(child.name)} is done again, left out, or stops the plan, as a person decides"
    states = [standing for call, standing in plans(session) if not call.settled]
    at_work = [code(one.subtask.id) for one in states if one.state == "running"]
    to_come = [code(one.subtask.id) for one in states if one.state in ("ready", "waiting")]
    if at_work:
        yield f"{join_items(at_work)} {'ends' if len(at_work) == 1 else 'end'}"
    if to_come:
        yield f"{join_items(to_come)} {'begins' if len(to_come) == 1 else 'begin'}"


def _named(calls: tuple[Call, ...]) -> str:
    return join_items([named_call(call) for call in calls], _NAMES)
