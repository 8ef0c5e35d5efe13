"""Who has to look after an append of a session with sub-agents: itself, whoever launched it, those who show it."""

from __future__ import annotations

from typing import Any

import pytest

from storage.log import Effects
from supervisor.core.events import (
    ApprovalRequested,
    Cancelled,
    ChildDecided,
    ChildFinished,
    Event,
    Lineage,
    ToolFinished,
    ToolStarted,
)
from supervisor.core.reducer import apply, fold
from supervisor.core.state import Session
from supervisor.effects import effects_of
from supervisor.repository import Sessions
from tests.core.build import BOB, SID, by, decided, launched, one_of_each, responded, subtask, tool_call
from tests.core.plans import Planned

ORIGIN = {"channel": "C1"}
LINEAGE = Lineage(
    parent="pppp-pppp", call_id="1.1", name="look", root="rrrr-rrrr", depth=2, requesters=(), folder="r/x"
)


def child(origin: Any = None) -> Session:
    return fold(SID, [launched(lineage=LINEAGE, origin=origin or {})])


def moved(before: Session | None, *events: Event) -> Effects:
    return effects_of(before, fold(before.id if before else SID, events, before))


@pytest.mark.parametrize("end", ["Completed", "Failed", "Cancelled"])
def test_the_end_of_a_sub_agent_wakes_whoever_launched_it(end: str) -> None:
    assert list(moved(child(), one_of_each()[end]).enqueue_others) == [("pppp-pppp", "ready")]


def test_it_is_woken_by_the_end_alone_and_once() -> None:
    call = tool_call(mode="allow")
    start = ToolStarted(**by(), call_id="1.1", attempt=1, idempotency_key="k", digest=call.digest)
    session = child()
    for event in (responded(call), start, Cancelled(**by(BOB))):
        others = moved(session, event).enqueue_others
        session = apply(SID, session, event)
        assert bool(others) == session.ended
    late = ToolFinished(**by(), call_id="1.1", attempt=1, ok=True, content="late")
    assert not moved(session, late).enqueue_others


def test_boards_that_show_a_sub_agent_look_at_whatever_it_does() -> None:
    assert list(moved(child(ORIGIN), responded(tool_call())).enqueue_others) == [
        ("rrrr-rrrr", "outbox"), ("pppp-pppp", "outbox")
    ]  # fmt: skip
    first = child(ORIGIN)
    assert list(effects_of(None, first).enqueue_others) == [("rrrr-rrrr", "outbox"), ("pppp-pppp", "outbox")]
    assert list(moved(first, one_of_each()["Failed"]).enqueue_others)[-1] == ("pppp-pppp", "ready")


def test_a_session_that_a_person_launched_wakes_nobody() -> None:
    session = fold(SID, [launched(origin=ORIGIN)])
    for end in ("Completed", "Failed", "Cancelled"):
        assert not moved(session, one_of_each()[end]).enqueue_others


def test_what_is_born_is_ready_to_run_and_listed() -> None:
    session = child(ORIGIN)
    born = Sessions.new_log(session, [launched(lineage=LINEAGE, origin=ORIGIN)])
    assert (born.session_id, len(born.events)) == (SID, 1)
    assert set(born.effects.enqueue) == {"ready", "outbox"}
    assert set(born.effects.indexes) == {"all", "running"}


def asking() -> Planned:
    plan = Planned(subtask("a"), subtask("b"), on_failure="ask")
    plan.ends("a", "failed")
    return plan


@pytest.mark.parametrize("verdict", ["retry", "stop"])
def test_a_verdict_puts_the_session_to_work(verdict: Any) -> None:
    plan = asking()
    decided = ChildDecided(**by(BOB), child_id=plan.last("a").id, verdict=verdict)
    assert "ready" in moved(plan.session, decided).enqueue


def test_a_session_that_is_cancelled_stops_its_sub_agents() -> None:
    assert "ready" in moved(asking().session, Cancelled(**by(BOB))).enqueue


def test_the_end_of_one_puts_nobody_to_work_while_the_rest_is_awaited() -> None:
    plan = Planned(subtask("a"), subtask("b"))
    ended = ChildFinished(**by(), child_id=plan.last("a").id, ending="completed", result="")
    assert "ready" not in moved(plan.session, ended).enqueue
    last = ChildFinished(**by(), child_id=plan.last("b").id, ending="completed", result="")
    assert "ready" in moved(plan.session, ended, last).enqueue


def test_an_open_session_is_listed_for_its_launcher_until_it_ends() -> None:
    session = fold(SID, [launched()])
    name = f"open:{session.launched_by}"
    assert moved(None, launched()).indexes[name] is not None
    for type_, event in one_of_each().items():
        if type_ in ("Completed", "Failed", "Cancelled"):
            assert moved(session, event).indexes[name] is None
    assert name not in moved(session, responded(tool_call())).indexes
    assert not any(index.startswith("open:") for index in effects_of(None, child()).indexes)


def test_steps_are_shown_in_their_time_and_what_people_wait_for_at_once() -> None:
    free, asked = tool_call(mode="allow"), tool_call("2.1")
    session = fold(SID, [launched(origin=ORIGIN)])
    start = ToolStarted(**by(), call_id="1.1", attempt=1, idempotency_key="k", digest=free.digest)
    end = ToolFinished(**by(), call_id="1.1", attempt=1, ok=True, content="fine")
    request = ApprovalRequested(**by(), request_id="r2", call_ids=("2.1",))
    found = []
    for event in (responded(free), start, end, responded(asked), request):
        found.append(moved(session, event).unhurried)
        session = apply(SID, session, event)
    assert found == [True, True, True, True, False]
    assert not moved(session, decided(session, BOB, call_id="2.1")).unhurried
    for end_ in ("Failed", "Cancelled"):
        assert not moved(session, one_of_each()[end_]).unhurried
    assert not effects_of(None, session).unhurried
