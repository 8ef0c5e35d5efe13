"""A Pause Checkpoint: the reason of a pause, the progress of the session, and how to resume it."""

from __future__ import annotations

from supervisor.core.delegation import DELEGATING, subtask_statuses
from supervisor.core.state import Call, Session
from supervisor.core.text.format import count, join_items, span, stamp
from supervisor.core.text.labels import WAITING_LOGGED as WAITING
from supervisor.session_log.hints import ResumeHints, Way
from supervisor.session_log.render.blocks import table
from supervisor.session_log.render.calls import by_whom, call_name
from supervisor.session_log.render.labels import person
from supervisor.session_log.render.moments import PausePeriod, failures
from supervisor.session_log.render.safe import cell, code, inline

TITLE = "### Pause Checkpoint"
_DECISIONS = 5
_PAST = {"approve": "approved", "deny": "denied"}


def checkpoint(rest: PausePeriod, hints: ResumeHints) -> list[str]:
    """Return the section for a pause, with the session at its beginning, or the present one if it has not ended."""
    session = rest.session
    rows = [
        ("Reason", f"{code(rest.reason)}: {WAITING[rest.reason]}{_detail(session)}"),
        ("Current step", current_step(session)),
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
        *(f"- **{name}**: {words}" for name, words in snapshot(session)),
        "",
        "#### Resume Instructions",
        "",
        *(f"- **{name}**: {words}" for name, words in hints.ways(rest)),
    ]


def _detail(session: Session) -> str:
    return f". {inline(session.pause.detail, 300)}" if session.pause and session.pause.detail else ""


def _end(rest: PausePeriod) -> str:
    if rest.ended is None:
        return "not yet: this is where it stands"
    event = rest.ended.event
    after = span(event.at - rest.since)
    return f"{stamp(event.at)}, after {after}, by {person(event.by, event.by_name)}"


def current_step(session: Session) -> str:
    """Return `3/5 · name`: ended and running subtasks of a plan, else the steps and the tools of the last one."""
    plans = [c for c in session.calls_in("open", "delegating") if c.call.tool in DELEGATING]
    if plans:
        stands = [stand for call in plans for stand in subtask_statuses(session, call)]
        ended = [stand for stand in stands if stand.state not in ("waiting", "ready", "running")]
        names = [code(stand.subtask.id) for stand in stands if stand.state == "running"]
        return f"{len(ended)}/{len(stands)} · {join_items(names) or 'none at work'}"
    tools = dict.fromkeys(code(c.call.tool, 60) for c in session.steps[-1].calls) if session.steps else {}
    doing = join_items(list(tools)) or ("no tool" if session.steps else "not begun")
    return f"{len(session.steps)}/{session.budgets.max_steps} · {doing}"


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
    return [
        ("Task", inline(session.task, 400)),
        ("Progress", _progress(session)),
        ("Artifacts", join_items([code(path, 120) for path in session.artifacts], 20) or "none yet"),
        ("Decisions", _decisions(session)),
    ]


def _progress(session: Session) -> str:
    calls = [c for step in session.steps for c in step.calls]
    finished = [c for c in calls if c.phase == "finished"]
    failed = sum(not c.ok for c in finished)
    words = f"{count(len(session.steps), 'step')}, {len(finished)} of {len(calls)} calls finished"
    words += f" ({failed} failed)" if failed else ""
    said = session.steps[-1].text.strip() if session.steps else ""
    return f"{words}; last said: “{inline(said, 240)}”" if said else words


def _decisions(session: Session) -> str:
    made = [(d, c) for step in session.steps for c in step.calls for d in c.decisions]
    last = sorted(made, key=lambda row: row[0].at)[-_DECISIONS:]
    words = [f"{person(d.by, d.by_name)} {_PAST[d.verdict]} {_call_name(c)}" for d, c in last]
    earlier = len(made) - len(last)
    return (f"{count(earlier, 'earlier one')}, then " if earlier else "") + ("; ".join(words) or "none yet")
