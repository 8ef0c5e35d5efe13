"""Copies a log at every step, and checks each copy by what the events say, without the code that chose the place."""

from __future__ import annotations

from collections.abc import Sequence

from supervisor.core.commands.fork import Cut, copy_events, cut_at
from supervisor.core.control import Finish, Wait, next_action
from supervisor.core.errors import InvalidInput
from supervisor.core.events import (
    ApprovalDecided,
    ChildFinished,
    ChildLaunched,
    ChildrenJoined,
    ContextAdded,
    Event,
    ModelResponded,
    OutcomeDecided,
    QuestionAnswered,
    Resumed,
    SessionForked,
    SessionRestored,
    ToolFinished,
    WaitEnded,
)
from supervisor.core.reducer import fold
from supervisor.core.state import Session
from tests.core.build import DAN, SID, by


def copy_of(log: Sequence[Event], cut: Cut, *, words: str = "", session_id: str = SID) -> Session:
    """The copy, as it is made by whoever forks the session."""
    source = fold(session_id, log)
    forked = SessionForked(
        **by(DAN),
        source=session_id,
        step=cut.step,
        version=cut.version,
        requesters=tuple(sorted(source.requesters)),
    )
    events: list[Event] = [*copy_events(log, cut, origin={"channel": "C9"}), forked]
    events += [Resumed(**by(DAN))] if cut.paused else []
    events += [ContextAdded(**by(DAN), text=words, kind="command")] if words else []
    return fold("copy-copy", events)


def quiet(log: Sequence[Event]) -> dict[int, list[int]]:
    """For each step the versions at which it is over, with every call answered and no sub-agent at work."""
    open_: set[str] = set()
    at_work: set[str] = set()
    places: dict[int, list[int]] = {}
    step = 0
    for version, event in enumerate(log, start=1):
        match event:
            case ModelResponded():
                step += 1
                open_ |= {c.call_id for c in event.calls if c.mode != "refuse"}
            case ApprovalDecided(verdict="deny") | OutcomeDecided(verdict="done" | "failed"):
                open_.discard(event.call_id)
            case ToolFinished() | QuestionAnswered() | WaitEnded() | ChildrenJoined():
                open_.discard(event.call_id)
            case SessionRestored():
                open_ -= set(event.lost)
            case ChildLaunched():
                at_work.add(event.child_id)
            case ChildFinished():
                at_work.discard(event.child_id)
            case _ if event.type in ("Completed", "Failed", "Cancelled"):
                break
            case _:
                pass
        if not open_ and not at_work:
            places.setdefault(step, []).append(version)
    return places


def assert_copies(log: Sequence[Event], session_id: str = SID) -> int:
    """Copy at every step and beyond; gives how many places there were."""
    places = quiet(log)
    steps = fold(session_id, log).steps
    for step in range(-1, len(steps) + 2):
        for words in ("", "Do it otherwise"):
            cut = cut_or_refusal(session_id, log, step, words)
            if isinstance(cut, InvalidInput):
                assert str(cut).endswith(".")
                said = 0 < step <= len(steps) and not steps[step - 1].calls
                assert step not in places or (said and not words), "refused, though the step is over"
                continue
            assert cut.step == step
            assert cut.version in places[step], "cut where something is under way"
            assert_copy(log, cut, words, session_id)
    assert cut_at(session_id, log, None, words=True).step == max(places)
    return len(places)


def cut_or_refusal(session_id: str, log: Sequence[Event], step: int, words: str) -> Cut | InvalidInput:
    try:
        return cut_at(session_id, log, step, words=bool(words))
    except InvalidInput as refusal:
        return refusal


def assert_copy(log: Sequence[Event], cut: Cut, words: str, session_id: str) -> None:
    source, copy = fold(session_id, log), copy_of(log, cut, words=words, session_id=session_id)
    before = fold(session_id, log[: cut.version])
    assert copy.steps == before.steps
    assert all(call.settled for step in copy.steps for call in step.calls), "something would run"
    assert not copy.running_children
    assert (copy.timers, copy.waits, copy.lineage) == ((), (), None)
    assert copy.notes == before.notes
    told = [note.text for note in copy.inbox]
    assert told[: len(before.inbox)] == [note.text for note in before.inbox]
    assert told[-1:] == [words] if words else len(told) == len(before.inbox)
    assert source.requesters <= copy.requesters
    assert DAN.id in copy.requesters
    assert copy.origin == {"channel": "C9"}
    assert copy.lifecycle == "running"
    assert not isinstance(next_action(copy, copy.changed_at), Wait | Finish), "it would not go on"
