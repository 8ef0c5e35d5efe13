"""A Pause Checkpoint: the reason of a pause, the progress of the session, and how to resume it."""

from __future__ import annotations

from collections.abc import Sequence

from supervisor.core.state import Call, Session
from supervisor.core.text.format import join_items, span, stamp
from supervisor.session_log.hints import ResumeHints, Way
from supervisor.session_log.render import earlier
from supervisor.session_log.render.blocks import table
from supervisor.session_log.render.calls import by_whom, call_name, people_decided
from supervisor.session_log.render.instructions import next_step, to_verify
from supervisor.session_log.render.labels import person, waiting
from supervisor.session_log.render.moments import PausePeriod, failures
from supervisor.session_log.render.progress import current_step, progress
from supervisor.session_log.render.safe import cell, code, inline

TITLE = "### Pause Checkpoint"
DECISIONS_SHOWN = 5


def checkpoint(rest: PausePeriod, hints: ResumeHints, version: int) -> list[str]:
    """Return the section for a pause, with the session at its beginning, or the present one if it has not ended."""
    session, old = rest.session, version < 3
    rows = [
        ("Reason", f"{code(rest.reason)}: {waiting(rest.reason, version)}{_detail(session)}"),
        ("Current step", earlier.current_step(session) if old else current_step(session)),
        ("Resumes on", waits(session)),
        ("Ended", _end(rest)),
    ]
    return [
        f"{TITLE} {rest.number} · {stamp(rest.since)} UTC",
        "",
        *table(("", ""), [(f"**{name}**", cell(words)) for name, words in rows]),
        "",
        "#### Context Snapshot",
        "",
        *_list(earlier.snapshot(session) if old else snapshot(session)),
        "",
        "#### Resume Instructions",
        "",
        *([] if old else _before_resuming(session)),
        *_list(hints.ways(rest)),
    ]


def _list(ways: Sequence[Way]) -> list[str]:
    return [f"- **{name}**: {words}" for name, words in ways]


def _before_resuming(session: Session) -> list[str]:
    """Return what to verify, and the step that comes next, before the ways to resume."""
    checks = [*to_verify(session, waits(session)), ("Next step", next_step(session))]
    return ["Verify first:", "", *_list(checks), "", "Then resume it:", ""]


def _detail(session: Session) -> str:
    return f". {inline(session.pause.detail, 300)}" if session.pause and session.pause.detail else ""


def _end(rest: PausePeriod) -> str:
    if rest.ended is None:
        return "not yet: this is where it stands"
    event = rest.ended.event
    after = span(event.at - rest.since)
    return f"{stamp(event.at)}, after {after}, by {person(event.by, event.by_name)}"


def waits(session: Session) -> str:
    """Return the conditions and decisions that the session waits for, in the form in which people write them."""
    words = [code(str(condition)) for _, condition in session.waits]
    awaiting, asking = session.calls_in("awaiting"), session.calls_in("asking")
    approval = session.approval
    # Earlier logs name no approvers; the text of their documents stays as it was.
    if approval and approval.call.approvers is not None:
        words[words.index(code(approval.call.tool))] += f" {by_whom(approval.call, _given(approval))}"
        return " or ".join(dict.fromkeys(words))
    if session.pause:
        return " or ".join([*dict.fromkeys(words), "anybody, by hand"])
    words += [f"{code('approval')} of {_call_name(c)} {by_whom(c.call, _given(c))}" for c in awaiting[:8]]
    words += [f"an answer to {code(c.call_id)}" for c in asking[:8]]
    words += [f"word on {_call_name(c)}" for c in session.calls_in("unknown")[:8]]
    if session.running_children:
        names = [code(child.name) for child in session.running_children]
        words.append(f"{code('children')}: the end of {join_items(names)}")
    words += [f"a decision on {code(child.name)}" for child in failures(session)]
    return ", ".join(words) or "somebody's decision"


def _call_name(call: Call) -> str:
    return call_name(call.call_id, call.call.tool)


def _given(call: Call) -> list[int]:
    return [len(call.approvals(position)) for position in range(len(call.call.rules))]


def snapshot(session: Session) -> list[Way]:
    """Return task, progress, artifacts and decisions, for a person who takes over."""
    noted = [inline(one.text, 240) for one in session.decisions[-DECISIONS_SHOWN:]]
    decided = "; ".join(
        [*(f"the agent: {words}" for words in noted), *filter(None, [people_decided(session)])]
    )
    return [
        ("Task", inline(session.task, 400)),
        ("Progress", progress(session)),
        ("Artifacts", join_items([code(path, 120) for path in session.artifacts], 20) or "none yet"),
        ("Decisions", decided or "none yet"),
    ]
