"""What people and programs may add to a session is limited; deciding, answering, resuming and ending it is not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from supervisor.core.commands import base
from supervisor.core.commands.control import cancel, pause, resume, resume_later, wake
from supervisor.core.commands.conversation import note_refusal, tell
from supervisor.core.commands.reminders import remind, snooze
from supervisor.core.conditions import Webhook
from supervisor.core.errors import IllegalEvent, InvalidInput
from supervisor.core.events import ContextAdded, Event, Paused, Resumed, TimerFired, TimerSet
from supervisor.core.reducer import fold
from supervisor.core.state import Session
from supervisor.core.triggers import Signal
from tests.core.build import AT, BOB, SID, by, launched, responded

LATER = AT + timedelta(hours=1)


def words(number: int, text: str = "look") -> list[Event]:
    return [ContextAdded(**by(BOB), text=text) for _ in range(number)]


def paused(*events: Event) -> Session:
    hook = Webhook(type="webhook", name="go")
    return fold(SID, [launched(), *events, Paused(**by(BOB), reason="manual", conditions=(hook,))])


@pytest.mark.parametrize(
    ("number", "text"), [(base.MOST_UNREAD, "x"), (2, "x" * (base.MOST_UNREAD_TEXT // 2))]
)
def test_an_agent_that_does_not_read_is_told_no_more(number: int, text: str) -> None:
    session = paused(*words(number, text))
    refused: list[Callable[[], Any]] = [
        lambda: tell(session, "more", BOB, AT, kind="reply"),
        lambda: resume(session, BOB, AT, context="more"),
        lambda: resume(session, BOB, AT, data={"a": 1}),
        lambda: resume_later(session, LATER, BOB, AT, context="more"),
    ]
    for verb in refused:
        with pytest.raises(IllegalEvent, match=r"messages to read first, so this one was not added"):
            verb()
    assert resume(session, BOB, AT)
    assert cancel(session, BOB, AT)
    assert resume_later(session, LATER, BOB, AT)
    # What it waits for still comes.
    assert wake(session, Signal("webhook", "go", {"a": 1}), BOB, AT)


def test_when_it_has_read_them_there_is_room_again() -> None:
    read = responded(context_seen=base.MOST_UNREAD)
    session = fold(SID, [launched(), *words(base.MOST_UNREAD), read])
    assert tell(session, "more", BOB, AT, kind="reply")


def test_a_session_is_told_so_much_in_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "MOST_HEARD_TEXT", 20)
    session = fold(SID, [launched(), *words(2, "x" * 8), responded(context_seen=2)])
    assert tell(session, "four", BOB, AT, kind="reply")
    with pytest.raises(IllegalEvent, match="told as much as it may be"):
        tell(session, "fives", BOB, AT, kind="reply")


def test_a_log_is_full_at_some_length(monkeypatch: pytest.MonkeyPatch) -> None:
    timer: list[Event] = [
        TimerSet(**by(BOB), timer_id="t1", due=LATER),
        TimerFired(**by(BOB), timer_id="t1"),
    ]
    running, halted = fold(SID, [launched(), *timer]), paused(*timer)
    monkeypatch.setattr(base, "MOST_EVENTS", running.version)
    refused: list[Callable[[], Any]] = [
        lambda: tell(running, "more", BOB, AT, kind="reply"),
        lambda: pause(running, BOB, AT),
        lambda: remind(running, LATER, BOB, AT),
        lambda: snooze(running, "t1", LATER, BOB, AT),
        lambda: resume_later(halted, LATER, BOB, AT),
    ]
    for verb in refused:
        with pytest.raises(IllegalEvent, match=r"log of this session is full.*cancel it or fork it"):
            verb()
    assert resume(halted, BOB, AT)
    assert cancel(running, BOB, AT)


def test_data_that_comes_with_a_resume_is_no_longer_than_that_of_a_webhook() -> None:
    frame = len('{"text":""}')
    fits = {"text": "x" * (base.MOST_DATA - frame)}
    (resumed,) = resume(paused(), BOB, AT, data=fits)
    assert isinstance(resumed, Resumed)
    assert resumed.data == fits
    with pytest.raises(InvalidInput, match="The data is too long: 262,145 bytes as JSON, at most 262,144"):
        resume(paused(), BOB, AT, data={"text": fits["text"] + "x"})


def test_refusals_are_not_told_to_an_agent_that_does_not_read() -> None:
    assert note_refusal(paused(), Signal("webhook", "go"), 5, BOB, AT)
    assert note_refusal(paused(*words(base.MOST_UNREAD)), Signal("webhook", "go"), 5, BOB, AT) == []
