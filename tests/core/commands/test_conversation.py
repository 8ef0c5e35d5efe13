"""Answers to questions of the agent, and words that it reads at its next step."""

from __future__ import annotations

from datetime import timedelta

import pytest

from supervisor.core.commands.conversation import MOST_RECORDED, answer, heard, refused, tell
from supervisor.core.errors import IllegalEvent, InvalidInput
from supervisor.core.events import Actor, ContextAdded, Event, QuestionAnswered, QuestionAsked
from supervisor.core.reducer import fold
from supervisor.core.state import Session
from tests.core.build import AT, BOB, SID, awaiting, by, launched, responded, tool_call


def asking(count: int = 1) -> Session:
    calls = [
        tool_call(f"1.{n}", tool="ask_human", mode="allow", control=True, arguments={"question": str(n)})
        for n in range(1, count + 1)
    ]
    asked: list[Event] = [QuestionAsked(**by(), call_id=c.call_id, question="Which?") for c in calls]
    return fold(SID, [launched(), responded(*calls), *asked])


@pytest.mark.parametrize("call_id", ["1.1", None, ""])
def test_the_only_question_needs_no_name(call_id: str | None) -> None:
    events = answer(asking(), call_id, " this ", BOB, AT)
    assert events == [QuestionAnswered(**by(BOB), call_id="1.1", answer="this")]
    assert heard(events) == "answered"


def test_one_of_several_is_named() -> None:
    with pytest.raises(IllegalEvent, match="more than one question is open, so name its call"):
        answer(asking(2), None, "this", BOB, AT)
    assert answer(asking(2), "1.2", "this", BOB, AT) == [
        QuestionAnswered(**by(BOB), call_id="1.2", answer="this")
    ]


def test_a_question_is_answered_once() -> None:
    answered = fold(SID, answer(asking(2), "1.1", "this", BOB, AT), asking(2))
    with pytest.raises(IllegalEvent, match="already answered"):
        answer(answered, "1.1", "that", BOB, AT)
    # The one that is left needs no name.
    assert answer(answered, None, "that", BOB, AT) == [
        QuestionAnswered(**by(BOB), call_id="1.2", answer="that")
    ]


def test_without_a_question_there_is_no_answer() -> None:
    with pytest.raises(IllegalEvent, match="no question is open"):
        answer(awaiting(), None, "this", BOB, AT)
    with pytest.raises(IllegalEvent, match="not part of this session"):
        answer(asking(), "2.1", "this", BOB, AT)


@pytest.mark.parametrize("text", ["", "  \n"])
def test_empty_words_are_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="The answer is empty"):
        answer(asking(), "1.1", text, BOB, AT)
    with pytest.raises(InvalidInput, match="The message is empty"):
        tell(asking(), text, BOB, AT, kind="reply")
    with pytest.raises(InvalidInput, match="too long"):
        tell(asking(), "x" * 20_001, BOB, AT, kind="reply")


def test_words_answer_the_only_question() -> None:
    events = tell(asking(), " this ", BOB, AT, kind="mention")
    assert events == [QuestionAnswered(**by(BOB), call_id="1.1", answer="this")]


@pytest.mark.parametrize("kind", ["reply", "mention", "command", "api"])
def test_other_words_are_context(kind: str) -> None:
    # With two questions nobody knows which one is meant.
    for session in (awaiting(), asking(2)):
        events = tell(session, " mind the gap ", BOB, AT, kind=kind)  # type: ignore[arg-type]
        expected = {**by(BOB), "text": "mind the gap", "kind": kind}
        assert events == [ContextAdded.model_validate(expected)]
        assert heard(events) == "noted"


def test_what_a_log_cannot_store_is_replaced() -> None:
    assert tell(awaiting(), "a\ud800b", BOB, AT, kind="api") == [
        ContextAdded(**by(BOB), text="a?b", kind="api")
    ]


def test_a_log_records_so_many_refusals_and_no_more() -> None:
    session, at = awaiting(), AT
    for number in range(MOST_RECORDED + 50):
        # Each is another person, and a long time after the one before.
        at += timedelta(days=1)
        session = fold(
            SID, refused(session, "approve", "no", "1.1", Actor(id=f"slack:U{number}"), at), session
        )
    assert session.refused == MOST_RECORDED
    assert session.version == awaiting().version + MOST_RECORDED
