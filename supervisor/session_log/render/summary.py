"""The first section of a SESSION_LOG: the task, the status or end, the approvals and the cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from supervisor.core.events import Cancelled, Completed, Failed
from supervisor.core.messages import Json
from supervisor.core.state import Session
from supervisor.core.text.format import count, join_items, money, span, stamp
from supervisor.session_log.hints import ResumeHints
from supervisor.session_log.render.blocks import Lines, prose, table
from supervisor.session_log.render.calls import call_name
from supervisor.session_log.render.labels import decider, is_unpriced, person, tokens, waiting
from supervisor.session_log.render.moments import Moment, PausePeriod
from supervisor.session_log.render.progress import current_step, plan_progress
from supervisor.session_log.render.safe import cell, code, inline

Row = tuple[str, str]


def summary(
    moments: Sequence[Moment], rests: Sequence[PausePeriod], persona: Json, hints: ResumeHints, version: int
) -> Lines:
    session = moments[-1].after
    rows = [
        (f"**{name}**", cell(words))
        for name, words in _rows(session, moments, rests, persona, hints, version)
        if words
    ]
    written = ["## Summary", "", "**Task**", "", *prose(session.task, 1), "", *table(("", ""), rows), ""]
    ending = next((m for m in moments if isinstance(m.event, Completed | Failed | Cancelled)), None)
    if ending and session.ending.strip():
        title = {"completed": "Result", "failed": "Error", "cancelled": "Reason"}[session.lifecycle]
        written += [f"**{title}**", "", *prose(session.ending, ending.n), ""]
    return written


def _rows(
    session: Session,
    moments: Sequence[Moment],
    rests: Sequence[PausePeriod],
    persona: Json,
    hints: ResumeHints,
    version: int,
) -> Iterator[Row]:
    yield "Stands" if not session.ended else "Ended", _status_line(session, moments, rests, version)
    if version > 2:
        yield "Progress", plan_progress(session)
        yield "Current step", "" if session.ended else current_step(session)
    launched = f"{stamp(session.launched_at)} by {person(session.launched_by, session.launched_by_name)}"
    yield "Launched", f"{launched}, {place}" if (place := hints.place(session)) else launched
    yield "Agent", f"{code(session.persona)}: {inline(str(persona.get('description', '')))}"
    yield "Model", join_items(list(dict.fromkeys(code(step.model, 80) for step in session.steps)))
    yield "Lineage", _lineage(session)
    yield "Did", _did(session)
    yield "Approved", _deciders(session, "approve")
    yield "Denied", _deciders(session, "deny")
    yield "Answered", _deciders(session, "respond")
    yield "Sub-agents", _children(session)
    yield "Files", join_items([code(path, 120) for path in session.artifacts], 20)
    yield "Cost", _cost(session)
    if session.restored_at:
        yield "Restored", f"{stamp(session.restored_at)}, from an earlier SESSION_LOG"


def _status_line(
    session: Session, moments: Sequence[Moment], rests: Sequence[PausePeriod], version: int
) -> str:
    if session.ended:
        end = next(m.event.at for m in moments if m.after.ended)
        by = f", by {person(session.ended_by)}" if session.lifecycle == "cancelled" else ""
        return f"**{session.lifecycle}** {stamp(end)}, after {span(end - session.began_at)}{by}"
    if rests and rests[-1].ended is None:
        rest = rests[-1]
        where = f"see Pause Checkpoint {rest.number}"
        return f"**paused** since {stamp(rest.since)}: {waiting(rest.reason, version)}; {where}"
    return f"**running** at {stamp(session.changed_at)}"


def _lineage(session: Session) -> str:
    words: list[str] = []
    if session.lineage:
        line = session.lineage
        root = f", in the end of {code(line.root)}" if line.root != line.parent else ""
        words.append(f"sub-agent {code(line.name)} of session {code(line.parent)}{root}")
    if session.forked:
        fork = session.forked
        who = person(fork.by, fork.by_name)
        words.append(f"copied from {code(fork.source)} up to step {fork.step}, {stamp(fork.at)} by {who}")
    return "; ".join(words)


def _did(session: Session) -> str:
    calls = [c for step in session.steps for c in step.calls]
    ran = [c for c in calls if c.attempt or c.phase == "finished"]
    waved = sum(bool(c.decisions) for c in ran)
    parts = [f"{waved} approved by people", f"{len(ran) - waved} allowed by the persona's rules"]
    failed = sum(c.phase == "finished" and not c.ok for c in ran)
    words = f"{count(len(session.steps), 'step')}, {count(len(calls), 'call')} proposed, {len(ran)} ran"
    words += f" ({', '.join(parts)})" if ran else ""
    return words + (f"; {failed} failed" if failed else "")


def _deciders(session: Session, verdict: str) -> str:
    """Return the people with this verdict, each with the calls."""
    found: dict[str, list[str]] = {}
    for call in (c for step in session.steps for c in step.calls):
        for decision in call.decisions:
            if decision.verdict == verdict:
                calls = found.setdefault(decider(decision), [])
                calls.append(call_name(call.call_id, call.call.tool))
    return "; ".join(f"{who}: {join_items(calls, 12)}" for who, calls in found.items())


def _children(session: Session) -> str:
    states = Counter(child.state for child in session.children)
    return ", ".join(f"{number} {state}" for state, number in states.items())


def _cost(session: Session) -> str:
    cost = money(session.total_cost_usd, unpriced=is_unpriced(session))
    part = (
        f", of which sub-agents {money(session.total_cost_usd - session.cost_usd)}"
        if session.children
        else ""
    )
    return f"{cost}{part}; {tokens(session.total_usage)}"
