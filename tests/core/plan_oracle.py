"""What must be true of every plan that is carried out, told in plain Python: it knows the plans, not the core."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from supervisor.core.events import (
    Cancelled,
    ChildDecided,
    ChildFinished,
    ChildLaunched,
    ChildrenJoined,
    ChildSkipped,
    Event,
    Paused,
    Resumed,
)

State = Literal["idle", "running", "completed", "failed", "skipped"]


@dataclass
class Part:
    """One subtask: `retries` are those that people asked for, `again` says that one of them is still to begin."""

    needs: tuple[str, ...]
    state: State = "idle"
    child: str = ""
    verdict: str = ""
    again: bool = False
    launches: int = 0
    retries: int = 0

    @property
    def to_begin(self) -> bool:
        return self.state == "idle" or self.again


@dataclass
class Told:
    """One plan, as the log tells it."""

    policy: str
    parts: Mapping[str, Part]
    joined: bool = False

    @property
    def stopping(self) -> bool:
        failed = [p for p in self.parts.values() if p.state == "failed" and not p.again]
        return any(p.verdict == "stop" for p in failed) or (self.policy == "fail_fast" and bool(failed))

    def given_up(self, name: str) -> bool:
        part = self.parts[name]
        without = self.policy != "ask" or part.verdict == "skip"
        return part.state == "skipped" or (part.state == "failed" and not part.again and without)

    def ready(self, part: Part) -> bool:
        return part.to_begin and all(self.parts[n].state == "completed" for n in part.needs)

    def undecided(self) -> Iterator[Part]:
        if self.policy == "ask" and not self.joined:
            yield from (p for p in self.parts.values() if p.state == "failed" and not p.verdict)

    def over(self) -> bool:
        """Whether nothing of it is to come."""
        moving = any(p.to_begin or p.state == "running" for p in self.parts.values())
        return not moving and (self.stopping or not list(self.undecided()))


@dataclass
class PlanOracle:
    """Sees every event that is appended. `endings` are how the sub-agents really ended."""

    plans: Mapping[str, Told]
    most: int
    endings: dict[str, str] = field(default_factory=dict)
    launched: set[str] = field(default_factory=set)
    paused: bool = False
    ended: bool = False

    def part(self, child_id: str) -> tuple[Told, Part]:
        [found] = [(t, p) for t in self.plans.values() for p in t.parts.values() if p.child == child_id]
        return found

    def may_decide(self, child_id: str) -> bool:
        return not self.ended and any(p.child == child_id for t in self.plans.values() for p in t.undecided())

    def see(self, event: Event) -> None:
        match event:
            case ChildLaunched():
                self._launch(event)
            case ChildFinished():
                self._end(event)
            case ChildSkipped():
                self._skip(event)
            case ChildDecided():
                self._verdict(event)
            case ChildrenJoined():
                self._join(event)
            case Paused():
                self.paused = True
            case Resumed():
                self.paused = False
            case Cancelled():
                self.ended = True
            case _:
                pass

    def _goes_on(self) -> None:
        assert not self.paused, "something begins while the session is paused"
        assert not self.ended, "something begins after the end"

    def _launch(self, event: ChildLaunched) -> None:
        self._goes_on()
        told = self.plans[event.call_id]
        part = told.parts[event.name]
        assert not told.joined, "launched after the join"
        assert not told.stopping, "launched although the rest was stopped"
        assert told.ready(part), "launched out of turn"
        assert len(self.launched) < self.most, "too many"
        assert event.child_id not in self.launched, "two with one id"
        self.launched.add(event.child_id)
        part.state, part.child, part.verdict, part.again = "running", event.child_id, "", False
        part.launches += 1
        assert part.launches <= 1 + part.retries, "done twice, and nobody asked for it"

    def _end(self, event: ChildFinished) -> None:
        _, part = self.part(event.child_id)
        assert part.state == "running", "an end of what was not running"
        assert self.endings.get(event.child_id) == event.ending, "it did not end like that"
        part.state = "completed" if event.ending == "completed" else "failed"

    def _skip(self, event: ChildSkipped) -> None:
        self._goes_on()
        told = self.plans[event.call_id]
        part = told.parts[event.name]
        assert part.to_begin, "given up, though it runs or has ended"
        hopeless = any(told.given_up(name) for name in part.needs)
        due = sum(map(told.ready, told.parts.values()))
        full = told.ready(part) and len(self.launched) + due > self.most
        assert told.stopping or hopeless or full, "given up without a reason"
        part.state, part.again = "skipped", False

    def _verdict(self, event: ChildDecided) -> None:
        assert self.may_decide(event.child_id), "a verdict that nobody was asked for"
        _, part = self.part(event.child_id)
        part.verdict, part.again = event.verdict, event.verdict == "retry"
        part.retries += part.again

    def _join(self, event: ChildrenJoined) -> None:
        self._goes_on()
        told = self.plans[event.call_id]
        assert not told.joined, "joined twice"
        assert told.over(), "joined before all had ended"
        completed = [p.state == "completed" for p in told.parts.values()]
        assert event.ok == all(completed)
        for name in told.parts:
            assert f"## {name} (" in event.content, "an end that the agent does not read of"
        assert event.content.startswith(f"{sum(completed)} of {len(completed)} ")
        told.joined = True

    def nothing_is_due(self) -> None:
        """Whatever could be done without anybody else has been done."""
        if self.ended:
            return
        for told in self.plans.values():
            assert told.joined == told.over()
            for part in told.parts.values():
                assert not told.ready(part), "it could run"
                assert not (part.to_begin and any(map(told.given_up, part.needs))), "it waits in vain"
                assert not (told.stopping and part.state == "running"), "it should have been stopped"
