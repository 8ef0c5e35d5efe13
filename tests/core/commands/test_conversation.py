"""Answers to questions of the agent, and words that it reads at its next step."""

from __future__ import annotations

from datetime import timedelta

import pytest

from supervisor.core.commands.conversation import (
    MOST_RECORDED,
    Given,
    answer,
    given,
    heard,
    note_refusal,
    refused,
    tell,
    was_refused,
)
from supervisor.core.conditions import OnEvent, Webhook
from supervisor.core.errors import IllegalEvent, InvalidInput, LimitReached
from supervisor.core.events import (
    ActionRefused,
    Actor,
    ApprovalWithdrawn,
    ContextAdded,
    Event,
    FilesTaken,
    GivenFile,
    LostFile,
    Paused,
    QuestionAnswered,
    QuestionAsked,
    TakenFile,
)
from supervisor.core.reducer import fold
from supervisor.core.reducer.session import MOST_REFUSALS
from supervisor.core.state import Session
from supervisor.core.triggers import Signal
from tests.core.build import (
    AT,
    BOB,
    CAROL,
    PIPELINE,
    SID,
    awaiting,
    by,
    launched,
    responded,
    tool_call,
)


def asking(count: int = 1) -> Session:
    calls = [
        tool_call(f"1.{n}", tool="ask_human", mode="allow", control=True, arguments={"question": str(n)})
        for n in range(1, count + 1)
    ]
    asked: list[Event] = [QuestionAsked(**by(), call_id=c.call_id, question="Which?") for c in calls]
    return fold(SID, [launched(), responded(*calls), *asked])


@pytest.mark.parametrize("call_id", ["1.1", None, ""])
def test_the_only_question_needs_no_name(call_id: str | None) -> None:
    events = answer(asking(), call_id, Given(" this "), BOB, AT)
    assert events == [QuestionAnswered(**by(BOB), call_id="1.1", answer="this")]
    assert heard(events) == "answered"


def test_one_of_several_is_named() -> None:
    with pytest.raises(IllegalEvent, match="more than one question is open, so name its call"):
        answer(asking(2), None, Given("this"), BOB, AT)
    assert answer(asking(2), "1.2", Given("this"), BOB, AT) == [
        QuestionAnswered(**by(BOB), call_id="1.2", answer="this")
    ]


def test_a_question_is_answered_once() -> None:
    answered = fold(SID, answer(asking(2), "1.1", Given("this"), BOB, AT), asking(2))
    with pytest.raises(IllegalEvent, match="already answered"):
        answer(answered, "1.1", Given("that"), BOB, AT)
    # The one that is left needs no name.
    assert answer(answered, None, Given("that"), BOB, AT) == [
        QuestionAnswered(**by(BOB), call_id="1.2", answer="that")
    ]


def test_without_a_question_there_is_no_answer() -> None:
    with pytest.raises(IllegalEvent, match="no question is open"):
        answer(awaiting(), None, Given("this"), BOB, AT)
    with pytest.raises(IllegalEvent, match="not part of this session"):
        answer(asking(), "2.1", Given("this"), BOB, AT)


@pytest.mark.parametrize("text", ["", "  \n"])
def test_empty_words_are_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="The answer is empty"):
        answer(asking(), "1.1", Given(text), BOB, AT)
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


PLAN = GivenFile(source="F1", name="plan.txt", size=3)


def test_files_come_with_words_or_without() -> None:
    session = awaiting()
    (told,) = tell(session, "", BOB, AT, kind="reply", files=[PLAN])
    assert isinstance(told, ContextAdded)
    assert (told.text, told.files, told.kind, told.by, told.at) == (
        "(Attached: plan.txt (3 bytes))", (PLAN,), "reply", BOB.id, AT,
    )  # fmt: skip
    (note,) = tell(session, "Look", BOB, AT, kind="command", persona="sre", files=[PLAN])
    assert isinstance(note, ContextAdded)
    assert (note.text, note.persona) == ("Look\n\n(Attached: plan.txt (3 bytes))", "sre")
    with pytest.raises(InvalidInput, match="The message is empty"):
        tell(session, " ", BOB, AT, kind="reply")


def test_words_instead_withdraw_what_waits_and_files_come_along() -> None:
    session = awaiting()
    withdrawn, told = tell(session, "Look first", BOB, AT, kind="reply", instead=True, files=[PLAN])
    assert isinstance(withdrawn, ApprovalWithdrawn)
    assert isinstance(told, ContextAdded)
    assert (withdrawn.call_ids, withdrawn.reason, withdrawn.by, withdrawn.at) == (
        ("1.1",),
        "Look first",
        BOB.id,
        AT,
    )
    assert (told.text, told.by, told.at, told.kind) == ("(Attached: plan.txt (3 bytes))", BOB.id, AT, "reply")
    assert heard([withdrawn, told]) == "withdrawn"
    assert len(tell(session, "Look first", BOB, AT, kind="reply", instead=True)) == 1


def test_an_answer_with_files_is_an_answer_and_files() -> None:
    session = asking()
    answered, told = tell(session, "This", BOB, AT, kind="reply", files=[PLAN])
    assert isinstance(answered, QuestionAnswered)
    assert isinstance(told, ContextAdded)
    assert (answered.answer, told.text, told.by) == ("This", "(Attached: plan.txt (3 bytes))", BOB.id)
    # Files alone are no answer, and neither is the note of a persona.
    assert [type(e) for e in tell(session, "", BOB, AT, kind="reply", files=[PLAN])] == [ContextAdded]
    assert [type(e) for e in tell(session, "This", BOB, AT, kind="reply", persona="sre")] == [ContextAdded]
    assert [type(e) for e in tell(session, "This", BOB, AT, kind="reply", answers=False)] == [ContextAdded]


def test_a_session_takes_so_many_files() -> None:
    session = awaiting()
    full = fold(SID, tell(session, "", BOB, AT, kind="reply", files=[PLAN] * 99), session)
    assert tell(full, "", BOB, AT, kind="reply", files=[PLAN])
    with pytest.raises(LimitReached, match="has 99 attached files, and may have 100; nothing was added"):
        tell(full, "", BOB, AT, kind="reply", files=[PLAN] * 2)
    asked = fold(SID, tell(asking(), "", BOB, AT, kind="reply", files=[PLAN] * 99), asking())
    for session, instead in ((full, True), (asked, False)):
        with pytest.raises(LimitReached):
            tell(session, "This", BOB, AT, kind="reply", files=[PLAN] * 2, instead=instead)


def test_what_was_too_large_is_noted_where_it_is_waited_for_once_in_ten_minutes() -> None:
    running = fold(SID, [launched()])
    conditions = (Webhook(type="webhook", name="go"), OnEvent(type="event", event="done"))
    paused = fold(SID, [Paused(**by(BOB), reason="manual", conditions=conditions)], running)
    (note,) = note_refusal(paused, Signal("webhook", "go"), 1000, PIPELINE, AT)
    assert isinstance(note, ContextAdded)
    assert note.text == (
        "A webhook `go` came and was refused, as it has more than the 1,000 bytes that are taken. It did not resume "
        "this session."
    )
    assert (note.by, note.at, note.kind) == (PIPELINE.id, AT, "api")
    (event,) = note_refusal(paused, Signal("event", "done"), 1000, PIPELINE, AT)
    assert isinstance(event, ContextAdded)
    assert event.text.startswith("An event `done` came")
    assert note_refusal(paused, Signal("webhook", "other"), 1000, PIPELINE, AT) == []
    assert note_refusal(running, Signal("webhook", "go"), 1000, PIPELINE, AT) == []
    told = fold(SID, [note], paused)
    soon, later = AT + timedelta(minutes=9), AT + timedelta(minutes=10)
    assert note_refusal(told, Signal("webhook", "go"), 1000, PIPELINE, soon) == []
    assert note_refusal(told, Signal("webhook", "go"), 1000, PIPELINE, later)
    assert note_refusal(told, Signal("event", "done"), 1000, PIPELINE, soon)


def test_a_refusal_is_recorded_once_in_ten_minutes_for_each_attempt_and_actor() -> None:
    session = awaiting()
    (first,) = refused(session, "cancel", "You may not.", "", BOB, AT)
    after = fold(SID, [first], session)
    soon, later = AT + timedelta(minutes=9), AT + timedelta(minutes=10)
    assert was_refused(after, "cancel", BOB, soon)
    assert not was_refused(after, "cancel", BOB, later)
    assert refused(after, "cancel", "You may not.", "", BOB, soon) == []
    assert refused(after, "cancel", "You may not.", "", BOB, later)
    assert refused(after, "pause", "You may not.", "", BOB, soon)
    assert refused(after, "cancel", "You may not.", "", CAROL, soon)


def test_a_refusal_names_its_call_and_others_wait_until_the_oldest_is_ten_minutes_old() -> None:
    session = fold(SID, [launched()])
    for number in range(MOST_REFUSALS):
        who = Actor(id=f"slack:U{number}")
        (event,) = refused(session, "approve", "No.", "1.1", who, AT + timedelta(seconds=number))
        assert event == ActionRefused(
            **by(who, AT + timedelta(seconds=number)), attempt="approve", problem="No.", about="1.1"
        )
        session = fold(SID, [event], session)
    another = Actor(id="slack:U99")
    for seconds, recorded in ((599, False), (600, True)):
        found = refused(session, "approve", "No.", "", another, AT + timedelta(seconds=seconds))
        assert bool(found) is recorded


def test_what_the_agent_reads_of_attached_files() -> None:
    both = FilesTaken(
        **by(),
        taken=(TakenFile(source="F1", path="a.txt", size=1), TakenFile(source="F2", path="b.txt", size=2048)),
        lost=(LostFile(source="F3", name="c.iso", problem="it is too large"),),
    )
    there = "In your folder are now, as people attached them: `a.txt` (1 byte), `b.txt` (2,048 bytes)."
    elsewhere = "Attached, but not in your folder: c.iso: it is too large"
    for event, said in (
        (both, f"{there}\n{elsewhere}"),
        (both.model_copy(update={"lost": ()}), there),
        (both.model_copy(update={"taken": ()}), elsewhere),
    ):
        assert [note.text for note in fold(SID, [launched(), event]).inbox] == [said]


def test_no_note_names_a_persona_unless_one_gave_it() -> None:
    (words,) = given(None, "Mind", [], "command", BOB, AT)
    assert words == ContextAdded(**by(BOB), text="Mind", kind="command")
