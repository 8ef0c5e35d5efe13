"""A person who resumes a session may name what came, of what it waits for, and the agent is told who says so."""

from __future__ import annotations

from dataclasses import replace

import pytest

from supervisor.core.commands.control import resume, wake
from supervisor.core.conditions import parse_condition
from supervisor.core.errors import IllegalEvent
from supervisor.core.events import SYSTEM, Resumed
from supervisor.core.triggers import Signal
from tests.core.build import AT, CAROL, by
from tests.core.commands.test_control import BUILT, GO, LATER, NOON, after, paused


def test_a_resume_says_what_made_it() -> None:
    waits = paused(GO, BUILT, NOON)
    data = {"env": "prod"}
    for trigger, condition in (("webhook", GO), ("event", BUILT), ("clock", NOON)):
        events = resume(
            waits,
            CAROL,
            LATER,
            trigger=trigger,  # type: ignore[arg-type]
            data=data,
            context=" go on ",
        )
        came = {"trigger": trigger, "condition": str(condition), "data": data, "context": "go on"}
        assert events == [Resumed(**by(CAROL, LATER), **came)]
        session = after(waits, events)
        assert (session.status, session.waits) == ("running", ())
        told = session.inbox[-1].text
        assert told.startswith(f"Resumed by {CAROL.name}, who says that this came: {condition}.\ngo on")


def test_a_trigger_is_one_that_the_session_waits_for() -> None:
    with pytest.raises(IllegalEvent, match="This data is not that of the event that the session waits for"):
        resume(paused(BUILT), CAROL, LATER, trigger="event", data={"env": "test"})
    assert resume(paused(BUILT), CAROL, LATER, trigger="event")
    for waits, awaited in ((paused(), "a person only"), (paused(NOON, BUILT), f"`{NOON}`, `{BUILT}`")):
        with pytest.raises(IllegalEvent) as refused:
            resume(waits, CAROL, LATER, trigger="webhook")
        assert str(refused.value) == (
            f"This session waits for no webhook, but for {awaited}; "
            "name what came, or resume it without a trigger."
        )
    (by_token,) = resume(paused(NOON), CAROL, LATER, trigger="token")
    assert by_token == Resumed(**by(CAROL, LATER), trigger="token")
    signal = Signal("webhook", "approval", {"event": "approval_received"}, "d1")
    asked = parse_condition('webhook: approval where event == "approval_received"', now=AT)
    assert wake(paused(asked), signal, SYSTEM, LATER)
    assert wake(paused(asked), replace(signal, data={"event": "other"}), SYSTEM, LATER) == []
