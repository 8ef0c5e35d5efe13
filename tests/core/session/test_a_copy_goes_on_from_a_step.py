"""A copy is cut where nothing is under way, takes along what was done and nothing that is still to run, and goes on."""

from __future__ import annotations

from typing import Any

import pytest

from supervisor.core.commands.fork import copy_events, cut_at
from supervisor.core.control import CallModel, next_action
from supervisor.core.errors import IllegalEvent, InvalidInput, NotAllowed
from supervisor.core.events import (
    Actor,
    ApprovalDecided,
    ApprovalRequested,
    Cancelled,
    ChildDecided,
    ChildFinished,
    ChildLaunched,
    ChildrenJoined,
    Compacted,
    Completed,
    ContextAdded,
    Event,
    Lineage,
    OutcomeDecided,
    OutcomeLost,
    Paused,
    QuestionAnswered,
    QuestionAsked,
    Resumed,
    SessionForked,
    SessionRestored,
    TimerDropped,
    TimerFired,
    TimerSet,
    ToolFinished,
    ToolStarted,
    WaitBegun,
    WaitEnded,
)
from supervisor.core.persona import Approvers
from supervisor.core.policy import right_to_decide
from supervisor.core.reducer import fold
from tests.core.build import (
    ALICE,
    AT,
    BOB,
    CAROL,
    DAN,
    PIPELINE,
    SID,
    by,
    edited,
    launched,
    plan_call,
    responded,
    step_events,
    subtask,
    tool_call,
)
from tests.core.copies import assert_copies, copy_of


def start(call_id: str, attempt: int = 1, digest: str = "") -> ToolStarted:
    given = {"attempt": attempt, "idempotency_key": "k", "digest": digest or tool_call(call_id).digest}
    return ToolStarted(**by(), call_id=call_id, **given)


def end(call_id: str, attempt: int = 1, **fields: Any) -> ToolFinished:
    return ToolFinished(**by(), call_id=call_id, attempt=attempt, **{"ok": True, "content": "ok", **fields})


def asked(call_id: str) -> ApprovalRequested:
    return ApprovalRequested(**by(), request_id=f"r{call_id}", call_ids=(call_id,))


def verdict(call_id: str, given: Any = "approve") -> ApprovalDecided:
    return ApprovalDecided(**by(BOB), call_id=call_id, digest=tool_call(call_id).digest, verdict=given)


def pause(**fields: Any) -> Paused:
    return Paused(**by(BOB), reason="manual", **fields)


FREE, FREE_2 = tool_call(mode="allow"), tool_call("2.1", mode="allow")
LOOK = plan_call(subtask("look"), call_id="1.1")
CHANGED = edited(tool_call("1.1"), {"command": "pwd"}, BOB)
# Each is what happens after the launch.
STORIES: dict[str, list[Event]] = {
    "nothing": [],
    "told before the first step": [ContextAdded(**by(BOB), text="Mind the gap")],
    "an approval that has run": [responded(tool_call()), asked("1.1"), verdict("1.1"), start("1.1"), end("1.1")],
    "an approval that has not": [*step_events(1), responded(tool_call("2.1")), asked("2.1"), verdict("2.1")],
    "one of two has run": [
        responded(tool_call(), tool_call("1.2")), asked("1.1"), asked("1.2"),
        verdict("1.1"), start("1.1"), end("1.1"), verdict("1.2"),
    ],
    "a denial": [responded(tool_call()), asked("1.1"), verdict("1.1", "deny")],
    "a refusal": [responded(tool_call(mode="refuse", reason="No."))],
    "a changed call": [
        responded(tool_call()), asked("1.1"), CHANGED,
        ApprovalDecided(**by(BOB), call_id="1.1", digest=CHANGED.call.digest, verdict="approve"),
        start("1.1", digest=CHANGED.call.digest), end("1.1"),
    ],
    "an outcome nobody knows": [
        *step_events(1), responded(tool_call("2.1")), asked("2.1"), verdict("2.1"), start("2.1"),
        OutcomeLost(**by(), call_id="2.1", attempt=1),
    ],
    "an outcome somebody knew": [
        responded(tool_call()), asked("1.1"), verdict("1.1"), start("1.1"),
        OutcomeLost(**by(), call_id="1.1", attempt=1),
        OutcomeDecided(**by(BOB), call_id="1.1", verdict="run_again"), start("1.1", 2), end("1.1", 2, ok=False),
    ],
    "a question": [
        responded(tool_call(mode="allow", control=True)),
        QuestionAsked(**by(), call_id="1.1", question="Which?"),
        QuestionAnswered(**by(BOB), call_id="1.1", answer="This"),
        *step_events(2),
        responded(tool_call("3.1", mode="allow", control=True)),
        QuestionAsked(**by(), call_id="3.1", question="And now?"),
    ],
    "a pause between two steps": [
        *step_events(1), pause(), ContextAdded(**by(BOB), text="Wait"), Resumed(**by(BOB)), *step_events(2),
    ],
    "a pause without an end": [*step_events(1), pause(), ContextAdded(**by(BOB), text="Wait")],
    "a step that ended within a pause": [responded(FREE), start("1.1"), pause(), end("1.1")],
    "the same, cancelled": [responded(FREE), start("1.1"), pause(), end("1.1"), Cancelled(**by(BOB))],
    "paused before anything": [pause()],
    "a wait of its own": [
        responded(tool_call(mode="allow", control=True)),
        WaitBegun(**by(), call_id="1.1"), pause(), Resumed(**by(BOB)),
        WaitEnded(**by(), call_id="1.1", content="It came"), *step_events(2),
        responded(tool_call("3.1", mode="allow", control=True)), WaitBegun(**by(), call_id="3.1"), pause(),
    ],
    "reminders": [
        TimerSet(**by(BOB), timer_id="t1", due=AT, text="Look"), *step_events(1),
        TimerFired(**by(), timer_id="t1"), TimerSet(**by(BOB), timer_id="t2", due=AT), *step_events(2),
        TimerDropped(**by(BOB), timer_id="t1"),
    ],
    "a plan": [
        responded(LOOK),
        ChildLaunched(**by(), call_id="1.1", child_id="a-a", name="look", persona="sre", task="t"),
        ChildFinished(**by(), child_id="a-a", ending="completed", result="Seen"),
        ChildrenJoined(**by(), call_id="1.1", ok=True, content="1 of 1"), *step_events(2),
    ],
    "a plan under way": [
        *step_events(1), responded(plan_call(subtask("look"), call_id="2.1", on_failure="ask")),
        ChildLaunched(**by(), call_id="2.1", child_id="a-a", name="look", persona="sre", task="t"),
        ChildFinished(**by(), child_id="a-a", ending="failed", result="Broken"),
        ChildDecided(**by(BOB), child_id="a-a", verdict="retry"),
        ChildLaunched(**by(), call_id="2.1", child_id="b-b", name="look", persona="sre", task="t"),
    ],
    "a plan that was lost on the way": [
        responded(LOOK),
        ChildLaunched(**by(), call_id="1.1", child_id="a-a", name="look", persona="sre", task="t"),
        SessionRestored(**by(BOB), chain="c" * 64, lost=("1.1",)), responded(FREE_2, step=2), start("2.1"), end("2.1"),
        ChildFinished(**by(), child_id="a-a", ending="completed", result="Seen"), responded(text="So it is"),
    ],
    "a summary": [*step_events(1), *step_events(2), Compacted(**by(), through_step=1, summary="S"), *step_events(3)],
    "a last word": [*step_events(1), responded(text="Done"), Completed(**by(), summary="Done")],
    "a last word, and a word more": [
        responded(text="Done"), ContextAdded(**by(BOB), text="Not yet"), *step_events(2, context_seen=1),
    ],
    "cancelled in the middle": [
        *step_events(1), responded(tool_call("2.1", mode="allow")), start("2.1"), Cancelled(**by(BOB)), end("2.1"),
    ],
}  # fmt: skip


ABOVE = Lineage(
    parent="p-p", call_id="1.1", name="x", root="r-r", depth=1, requesters=(CAROL.id,), folder="r-r/x"
)


@pytest.mark.parametrize("lineage", [None, ABOVE], ids=["of a person", "of an agent"])
@pytest.mark.parametrize("story", STORIES)
def test_every_step_that_is_over_can_be_copied_and_no_other(story: str, lineage: Lineage | None) -> None:
    assert assert_copies([launched(origin={"channel": "C1"}, lineage=lineage), *STORIES[story]]) >= 1


def cut(story: str, step: int | None = None, *, words: bool = False) -> Any:
    return cut_at(SID, [launched(), *STORIES[story]], step, words=words)


# Where


@pytest.mark.parametrize(
    ("story", "step", "words"),
    [
        ("nothing", 0, 0),
        ("an approval that has run", 1, 1),
        ("an approval that has not", 1, 1),
        ("one of two has run", 0, 0),
        ("an outcome nobody knows", 1, 1),
        ("a plan under way", 1, 1),
        ("a last word", 1, 2),
        ("a last word, and a word more", 2, 2),
        ("a step that ended within a pause", 1, 1),
        ("cancelled in the middle", 1, 1),
    ],
)
def test_without_a_step_it_goes_as_far_as_it_can(story: str, step: int, words: int) -> None:
    assert cut(story).step == step
    assert cut(story, words=True).step == words


def test_it_is_cut_after_the_pause_that_is_over_and_before_the_one_that_is_not() -> None:
    over, open_ = cut("a pause between two steps", 1), cut("a pause without an end", 1)
    assert (over.version, over.paused) == (1 + 3 + 3, False)
    assert (open_.version, open_.paused) == (1 + 3, False)


def test_within_a_pause_only_where_it_ran_no_more() -> None:
    place = cut("a step that ended within a pause", 1)
    assert place.paused
    log = [launched(), *STORIES["a step that ended within a pause"]]
    copy = copy_of(log, place)
    assert copy.pause is None
    assert [halt.resumed_by for halt in copy.halts] == [DAN.id]
    assert next_action(copy, AT) == CallModel(0)


def test_a_last_word_needs_words() -> None:
    with pytest.raises(InvalidInput, match="Step 2 was its last word; say what it shall do, or choose"):
        cut("a last word", 2)
    assert cut("a last word", 2, words=True).version == 1 + 3 + 1
    assert cut("a last word, and a word more", 1).version == 3, "somebody has said a word since"


@pytest.mark.parametrize("step", [-1, 2, 99])
def test_a_step_that_has_not_ended_is_refused_with_those_that_have(step: int) -> None:
    with pytest.raises(InvalidInput, match=f"There is no step {step} that has ended; choose from 0 to 1."):
        cut("an approval that has not", step)


# What


def test_no_approval_that_has_not_run_is_taken_along() -> None:
    log = [launched(), *STORIES["an approval that has not"]]
    place = cut_at(SID, log, None, words=True)
    assert not any(
        isinstance(e, ApprovalDecided | ApprovalRequested) for e in copy_events(log, place, origin={})
    )
    copy = copy_of(log, place, words="Again")
    for event in (start("2.1"), verdict("2.1")):
        with pytest.raises(IllegalEvent, match="not part of this session"):
            fold("copy-copy", [event], copy)


def test_an_approval_that_has_run_does_not_run_again() -> None:
    log = [launched(), *STORIES["an approval that has run"]]
    copy = copy_of(log, cut_at(SID, log, 1, words=False))
    for attempt in (1, 2):
        with pytest.raises(IllegalEvent, match="already finished"):
            fold("copy-copy", [start("1.1", attempt)], copy)


def test_reminders_stay_behind_and_can_be_set_anew() -> None:
    log = [launched(), *STORIES["reminders"]]
    for step in (0, 1, 2):
        events = copy_events(log, cut_at(SID, log, step, words=False), origin={})
        assert not any(isinstance(e, TimerSet | TimerFired | TimerDropped) for e in events)
    copy = copy_of(log, cut_at(SID, log, 2, words=False))
    assert fold("copy-copy", [TimerSet(**by(BOB), timer_id="t1", due=AT)], copy).timers


def test_the_source_is_not_touched_and_the_copy_is_shown_elsewhere() -> None:
    log = [launched(origin={"channel": "C1", "ts": "1.2"}), *step_events(1)]
    events = copy_events(log, cut_at(SID, log, 1, words=False), origin={})
    assert events[1:] == log[1:]
    assert events[0] == launched(origin={})
    assert log[0] == launched(origin={"channel": "C1", "ts": "1.2"})


# Who asked for it


def excluded(session_id: str, log: list[Event]) -> set[str]:
    """Who may not decide on a call that somebody else than the requester has to approve."""
    session = fold(session_id, log)
    number = len(session.steps) + 1
    call = tool_call(f"{number}.1", approvers=Approvers(exclude_requester=True))
    waits = fold(session_id, [responded(call), asked(call.call_id)], session)
    found = set()
    for actor in (ALICE, BOB, CAROL, DAN, PIPELINE, Actor(id="agent:p-p")):
        try:
            right_to_decide(waits, waits.call(call.call_id), actor)
        except NotAllowed:
            found.add(actor.id)
    return found


def test_who_asked_for_the_source_has_asked_for_the_copy_and_its_copies() -> None:
    first = launched(lineage=ABOVE).model_copy(update={"by": "agent:p-p"})
    log: list[Event] = [first, *step_events(1)]
    assert excluded(SID, log) == {"agent:p-p", CAROL.id}
    copy = forked_by(BOB, log)
    assert excluded("c-c", copy) == {"agent:p-p", CAROL.id, BOB.id}
    # A copy of the copy, cut before the place where that one was copied.
    again = forked_by(DAN, copy, step=0)
    assert excluded("d-d", again) == {"agent:p-p", CAROL.id, BOB.id, DAN.id}


def forked_by(who: Actor, log: list[Event], step: int = 1) -> list[Event]:
    place = cut_at(SID, log, step, words=False)
    requesters = tuple(sorted(fold(SID, log).requesters))
    forked = SessionForked(**by(who), source=SID, step=step, version=place.version, requesters=requesters)
    return [*copy_events(log, place, origin={}), forked]


def test_its_time_begins_with_the_copy() -> None:
    log: list[Event] = [launched(), *step_events(1)]
    copy = copy_of(log, cut_at(SID, log, 1, words=False))
    assert copy.forked is not None
    assert copy.began_at == copy.forked.at
    assert (copy.forked.source, copy.forked.step, copy.forked.version) == (SID, 1, 4)
