"""The parts of formats 1 and 2 that format 3 words differently; verification renders older documents with them."""

from __future__ import annotations

from supervisor.core.delegation import DELEGATING, subtask_statuses
from supervisor.core.state import Session
from supervisor.core.text.format import count, join_items
from supervisor.session_log.hints import Way
from supervisor.session_log.render.calls import people_decided
from supervisor.session_log.render.safe import code, inline


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


def snapshot(session: Session) -> list[Way]:
    """Return task, progress, artifacts and decisions, for a person who takes over."""
    return [
        ("Task", inline(session.task, 400)),
        ("Progress", _progress(session)),
        ("Artifacts", join_items([code(path, 120) for path in session.artifacts], 20) or "none yet"),
        ("Decisions", people_decided(session) or "none yet"),
    ]


def _progress(session: Session) -> str:
    calls = [c for step in session.steps for c in step.calls]
    finished = [c for c in calls if c.phase == "finished"]
    failed = sum(not c.ok for c in finished)
    words = f"{count(len(session.steps), 'step')}, {len(finished)} of {len(calls)} calls finished"
    words += f" ({failed} failed)" if failed else ""
    said = session.steps[-1].text.strip() if session.steps else ""
    return f"{words}; last said: “{inline(said, 240)}”" if said else words
