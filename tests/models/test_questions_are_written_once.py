"""A question that is written step by step is the one that would be written anew, and old steps are not touched."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from supervisor.core.events import Compacted, ContextAdded, Event, Resumed, ToolFinished, ToolStarted
from supervisor.core.prompt import conversation
from supervisor.core.reducer import apply, fold
from supervisor.core.state import Session
from supervisor.runtime.prompt_cache import PromptCache
from tests.core.build import BOB, SID, by, launched, responded, tool_call


def add(session: Session, *events: Event) -> Session:
    for event in events:
        session = apply(SID, session, event)
    return session


def step(session: Session, seen: int) -> Session:
    number = len(session.steps) + 1
    call = tool_call(f"{number}.1", mode="allow")
    return add(
        session,
        responded(call, step=number, context_seen=seen, text=f"I do {number}"),
        ToolStarted(**by(), call_id=call.call_id, attempt=1, idempotency_key="k", digest=call.digest),
        ToolFinished(**by(), call_id=call.call_id, attempt=1, ok=True, content=f"did {number}"),
    )


@given(st.lists(st.sampled_from(["step", "note", "resume", "sum up", "ask", "elsewhere"]), max_size=40))
def test_it_is_the_question_that_would_be_written_anew(moves: list[str]) -> None:
    session, questions = fold(SID, [launched()]), PromptCache(cached=2)
    for number, move in enumerate(moves):
        if move == "step":
            session = step(session, len(session.inbox))
        elif move == "note":
            session = add(session, ContextAdded(**by(BOB), text=f"note {number}"))
        elif move == "resume":
            session = add(session, Resumed(**by(BOB), context=f"words {number}"))
        elif move == "elsewhere":
            for other in ("p0-a", "p0-b", "p0-c"):
                questions.conversation(fold(other, [launched()]), 0)
        elif move == "sum up":
            earlier = session.compactions[-1].through_step if session.compactions else 0
            if earlier < len(session.steps):
                summary = Compacted(**by(), through_step=len(session.steps), summary=f"sum {number}")
                session = add(session, summary)
        seen = len(session.inbox)
        assert questions.conversation(session, seen) == conversation(session, seen)


def test_a_step_that_was_told_is_not_put_into_words_again() -> None:
    questions, session = PromptCache(), step(fold(SID, [launched()]), 0)
    before = questions.conversation(session, 0)
    after = questions.conversation(step(session, 0), 0)
    assert len(after) == len(before) + 2
    assert all(old is new for old, new in zip(before[1:], after[1:], strict=False))
