"""Sessions of every shape, for Hypothesis: hostile and long texts, many calls, all phases."""

from __future__ import annotations

from datetime import timedelta
from functools import cache
from typing import Any

from hypothesis import strategies as st

from supervisor.core.digest import call_digest
from supervisor.core.errors import IllegalEvent
from supervisor.core.events import (
    ApprovalDecided,
    ApprovalRequested,
    CallEdited,
    Cancelled,
    Completed,
    Event,
    Failed,
    OutcomeLost,
    Paused,
    QuestionAnswered,
    QuestionAsked,
    Resumed,
    TimerFired,
    TimerSet,
    ToolCall,
    ToolFinished,
    ToolStarted,
)
from supervisor.core.persona import Approvers
from supervisor.core.reducer import apply
from supervisor.core.state import Call, Session
from supervisor.core.text.sanitize import clean_text
from tests.core.build import ALICE, AT, BOB, CAROL, SID, by, launched, responded, tool_call

# A secret that the mask knows.
SECRET = "correct-horse-battery-staple"
PIECES = (
    "&", "<", ">", "*", "_", "`", "~", "\n", "\t", " ", "\\", '"', "\x00", "\x1b[2J", "\u202e", "\u200b", "🙂",
    "<!channel>", "<@U0GRACE01>", "<#C0OPS0001>", "<https://evil.example|ok>", "@here", "```", "# ", "- ", "| a ",
    "[x](https://evil.example)", "xoxb-1234567890-abcdef", SECRET, "https://u:pw@host/", "ä", "word ",
    "ز", "<!date^1^{time}|x>",
)  # fmt: skip
FATES = ("held", "wait", "half", "approve", "deny", "start", "ok", "fail", "lost", "answer")


@cache
def texts(most: int) -> st.SearchStrategy[str]:
    """Short ones, long ones, empty ones, of whatever hurts."""
    pieces = st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=8)), max_size=6).map("".join)
    return st.builds(
        lambda piece, times: clean_text(piece * times)[:most], pieces, st.sampled_from((1, 1, 1, 7, 90, 4000))
    )


_VALUES = st.one_of(
    texts(70_000), st.integers(), st.booleans(), st.none(), st.lists(texts(3_000), max_size=3)
)
ARGUMENTS = st.dictionaries(texts(300), _VALUES, max_size=4)
APPROVERS = st.one_of(
    st.none(),
    st.builds(
        Approvers,
        users=st.sampled_from([(), ("U2",), tuple(f"U{n}" for n in range(2, 40))]),
        groups=st.lists(texts(80), max_size=2).map(tuple),
        quorum=st.sampled_from((1, 1, 2, 20)),
        exclude_requester=st.booleans(),
    ),
)


@st.composite
def _call(draw: st.DrawFn, call_id: str) -> ToolCall:
    mode = draw(st.sampled_from(("ask", "ask", "ask", "allow", "refuse")))
    control = mode == "allow" and draw(st.booleans())
    question = {"question": draw(texts(2_900)), "options": []}
    return tool_call(
        call_id,
        tool=draw(texts(200)) or "tool",
        arguments=question if control else draw(ARGUMENTS),
        mode=mode,
        control=control,
        approvers=draw(APPROVERS) if mode == "ask" else None,
        reason=draw(texts(2_000)),
    )


def _walk(draw: st.DrawFn, call: Call) -> list[Event]:
    """What becomes of one call; what may not follow is left out by the fold."""
    fate, ids = draw(st.sampled_from(FATES)), {"call_id": call.call_id}
    digest, rule = call.call.digest, call.call.approvers or Approvers()
    via = f"group:{rule.groups[0]}" if rule.groups else "user" if rule.users else "anyone"
    words = draw(texts(20_000))
    edited: list[Event] = []
    if call.phase == "awaiting" and draw(st.booleans()):
        other = {**(call.call.arguments if isinstance(call.call.arguments, dict) else {}), **draw(ARGUMENTS)}
        new = call.call.model_copy(
            update={"arguments": other, "digest": call_digest(call.call.tool, other), "mode": "ask"}
        )
        edited = [CallEdited(**by(BOB), **ids, before=digest, call=new, via=via)]
        digest = new.digest
    deciding = {"digest": digest, "via": via, **ids}
    asked = QuestionAsked(
        **by(),
        **ids,
        question=str(call.call.arguments)[:2_900],
        options=tuple(draw(st.lists(texts(75).filter(str.strip), max_size=5))),
    )
    if fate in ("held", "wait"):
        return [asked, *edited]
    if fate == "deny":
        return [*edited, ApprovalDecided(**by(BOB), verdict="deny", reason=words, **deciding)]
    events: list[Event] = [asked, *edited, ApprovalDecided(**by(BOB), verdict="approve", **deciding)]
    if fate == "half":
        return events
    events.append(ApprovalDecided(**by(CAROL), verdict="approve", **deciding))
    if fate in ("start", "ok", "fail", "lost"):
        events.append(ToolStarted(**by(), **ids, attempt=1, idempotency_key="k", digest=digest))
    if fate in ("ok", "fail"):
        paths = tuple(draw(st.lists(texts(300), max_size=3)))
        events.append(ToolFinished(**by(), **ids, attempt=1, ok=fate == "ok", content=words, artifacts=paths))
    if fate == "lost":
        events.append(OutcomeLost(**by(), **ids, attempt=1))
    if fate == "answer":
        events.append(QuestionAnswered(**by(BOB), **ids, answer=words or "yes"))
    return events


def _ending(draw: st.DrawFn) -> list[Event]:
    words = draw(texts(20_000))
    why = draw(st.sampled_from(("manual", "error_threshold_exceeded", "budget_exceeded")))
    pauses: list[Event] = [Paused(**by(BOB), reason=why, detail=words)]
    timer = TimerSet(**by(BOB), timer_id="t1", due=AT + timedelta(hours=1), text=words)
    ends: dict[str, list[Event]] = {
        "open": [],
        "paused": pauses,
        "resumed": [*pauses, Resumed(**by(CAROL), context=words)],
        "reminded": [timer, TimerFired(**by(), timer_id="t1"), *pauses],
        "completed": [Completed(**by(), summary=words)],
        "failed": [Failed(**by(), error=words)],
        "cancelled": [Cancelled(**by(BOB), reason=words)],
    }
    return ends[draw(st.sampled_from(sorted(ends)))]


def _apply(session: Session, *events: Event) -> Session:
    for event in events:
        try:
            session = apply(SID, session, event)
        except IllegalEvent:
            continue
    return session


@st.composite
def sessions(draw: st.DrawFn) -> Session:
    """One session at some moment of its life."""
    origin: dict[str, Any] = {"slack": {"channel": "C0OPS0001", "user": "U1"}}
    begun = launched(task=draw(texts(20_000)) or "x", origin=origin)
    session = apply(SID, None, begun.model_copy(update={"by": ALICE.id, "by_name": draw(texts(80))}))
    for step in range(1, draw(st.integers(1, 2)) + 1):
        count = draw(st.sampled_from((0, 1, 2, 3, 9, 18, 50)))
        calls = [draw(_call(f"{step}.{n}")) for n in range(1, min(count, 4) + 1)]
        calls += [tool_call(f"{step}.{n}", arguments={"n": n}) for n in range(len(calls) + 1, count + 1)]
        session = _apply(session, responded(*calls, text=draw(texts(20_000)), model=draw(texts(80)) or "m"))
        held = tuple(c.call_id for c in session.calls_in("held"))
        if held:
            session = _apply(
                session, ApprovalRequested(**by(), request_id=f"r{session.version}", call_ids=held)
            )
        for call in session.open_calls:
            session = _apply(session, *_walk(draw, call))
    return _apply(session, *_ending(draw))
