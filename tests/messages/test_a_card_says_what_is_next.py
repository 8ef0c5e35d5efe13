"""The card says in words what waits, leads to what it has no buttons for, and shows who put it off until when."""

from __future__ import annotations

from datetime import timedelta

from handlers.messages.home import Need, need_blocks
from handlers.messages.thread import thread
from handlers.modals.allow import allow_modal
from supervisor.core.events import ApprovalRequested, Event, QuestionAsked, TimerSet
from supervisor.core.reducer import fold
from supervisor.core.state import Session
from supervisor.core.text.masking import Masker
from tests.core.build import ALICE, AT, BOB, SID, awaiting, by, decided, launched, responded, tool_call
from tests.support.slack import buttons, texts


def asked(said: str, *more: Event) -> Session:
    requested = ApprovalRequested(**by(), request_id="r2", call_ids=("1.1",))
    return fold(SID, [launched(), responded(tool_call(), text=said), requested, *more])


def test_a_question_is_one_click_away() -> None:
    call = tool_call(tool="ask_human", mode="allow", control=True, arguments={"question": "Which disk?"})
    question = QuestionAsked(**by(), call_id="1.1", question="Which disk?")
    card, *others = thread(fold(SID, [launched(), responded(call), question]))
    assert next(b["text"]["text"] for b in buttons({"blocks": card.blocks}).values()) == "Answer the question"
    assert card.leads_to in [message.key for message in others if message.decides]


def test_the_reason_is_read_without_its_marks() -> None:
    card = thread(asked("**Look** first,\n\n- with `df -h`\n- *only* then act"))[0]
    shown = texts({"blocks": card.blocks})
    assert "Look first, with `" in shown
    assert "df -h` only then act" in shown


def test_what_was_denied_is_not_counted_as_done() -> None:
    session = awaiting()
    denied = fold(SID, [decided(session, BOB, "deny")], session)
    plan = thread(denied)[0].plan
    assert plan is not None
    assert plan[1]["title"] == "0 of 1 call done, 1 did not run"


def test_who_put_the_request_off_stands_on_the_card() -> None:
    later = TimerSet(**by(ALICE), timer_id="t1", due=AT + timedelta(hours=1), about="r2")
    card = thread(asked("Look.", later))[0]
    assert "Will be reminded" in texts({"blocks": card.blocks})


def test_an_open_request_outside_of_its_thread_says_how_risky_it_is() -> None:
    session = awaiting()
    need = Need("approval", session, session.call("1.1"))
    shown = texts({"blocks": need_blocks(need, Masker(), {}, {"shell": "destructive"})})
    assert "destructive, it cannot be undone" in shown


def test_a_grant_for_a_channel_says_that_it_is_for_every_session() -> None:
    session = awaiting()
    form = allow_modal(session, session.call("1.1"), Masker(), lambda until: "15:21")
    (terms,) = [b["element"]["options"] for b in form["blocks"] if b.get("block_id") == "terms"]
    said = [option["description"]["text"] for option in terms]
    assert said[0] == "until 15:21"
    assert said[2] == "every session of helper there, until 15:21"
