"""A session with plans and its sub-agents in a store, and two workers who carry them out on what they last read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from supervisor.core.control import Wait, next_action
from supervisor.core.delegation import Delegate
from supervisor.core.errors import AlreadyEnded
from supervisor.core.events import Actor, Cancelled, ChildFinished, Completed, Event, Failed, decode, encode
from supervisor.core.messages import Json
from supervisor.core.persona import Budgets
from supervisor.core.reducer import apply, fold
from supervisor.core.state import Session
from supervisor.runtime.subagents import _end_of
from tests.core.build import BOB, SID, by, launched, plan_call, responded, subtask
from tests.core.plan_oracle import Part, PlanOracle, Told
from tests.core.plans import COORDINATOR, House, Kept

Plan = tuple[str, Mapping[str, tuple[str, ...]]]


class PlanWorld:
    """`plans` are the policy and, for each subtask, what it needs; one call each."""

    def __init__(self, plans: list[Plan], most: int) -> None:
        self.house = House()
        calls = [
            plan_call(*self._subtasks(needs), on_failure=policy, call_id=f"1.{n}")
            for n, (policy, needs) in enumerate(plans, start=1)
        ]
        told = {
            call.call_id: Told(policy, {name: Part(deps) for name, deps in needs.items()})
            for call, (policy, needs) in zip(calls, plans, strict=True)
        }
        self.oracle = PlanOracle(told, most)
        self.log: list[Event] = [launched(budgets=Budgets(max_children=most)), responded(*calls)]
        self.session = fold(SID, self.log)
        self.children: dict[str, Session] = {}
        self.workers = [self.fresh(), self.fresh()]

    @staticmethod
    def _subtasks(needs: Mapping[str, tuple[str, ...]]) -> list[Json]:
        return [subtask(name, *deps) for name, deps in needs.items()]

    # The store: one append at an expected version, with the logs that begin in it

    def append(self, expected: int, events: list[Event], born: Mapping[str, Event]) -> bool:
        if expected != self.session.version:
            return False
        for event in events:
            assert decode(SID, 0, encode(event)) == event
            self.oracle.see(event)
            self.session = apply(SID, self.session, event)
            self.log.append(event)
        for child_id, first in born.items():
            assert child_id not in self.children
            self.children[child_id] = apply(child_id, None, first)
        assert set(self.children) == self.oracle.launched
        return True

    def by(self, actor: Actor | None = None) -> dict[str, Any]:
        return by(actor, self.house.now)

    # Workers, as the runner does it

    def fresh(self) -> Kept:
        return self.house.unit(self.session)

    def commit(self, number: int) -> bool:
        """What this worker decided, appended; after a conflict it reads, and decides again."""
        worker = self.workers[number]
        done = self.append(worker.stored_version, worker.decided, worker.born)
        self.workers[number] = self.fresh()
        return done

    def works(self, number: int) -> bool:
        """One pass of its loop; False where it has come to rest."""
        worker = self.workers[number]
        self.collect(worker)
        action = next_action(worker.session, self.house.now)
        if isinstance(action, Delegate) and action.stops:
            if self.commit(number):
                for child_id in action.stops:
                    self.stop(child_id)
            return True
        if isinstance(action, Delegate):
            self.house.coordinator.go_on(worker, action, COORDINATOR)
            return True
        rests = not worker.pending
        return not (self.commit(number) and rests)

    def collect(self, worker: Kept) -> None:
        for child in worker.session.running_children:
            if worker.session.ended:
                self.stop(child.id)
            found = self.children.get(child.id)
            # One that is decided on and not stored yet is not there to be looked at.
            if found and found.ended:
                worker.add(ChildFinished.model_validate({**self.by(), **_end_of(found)}))

    def stop(self, child_id: str) -> None:
        if child_id in self.children and not self.children[child_id].ended:
            self.child_ends(child_id, "cancelled")

    def rest(self) -> None:
        """A worker that reads everything goes on until nothing goes on by itself."""
        self.workers[0] = self.fresh()
        for _ in range(100):
            if not self.works(0):
                break
        else:
            raise AssertionError("it goes round for ever")
        if not self.session.pause:
            self.oracle.nothing_is_due()

    # Sub-agents and people

    def child_ends(self, child_id: str, ending: Literal["completed", "failed", "cancelled"]) -> None:
        event: Event
        if ending == "completed":
            event = Completed(**self.by(), summary="Done")
        elif ending == "failed":
            event = Failed(**self.by(), error="Broken")
        else:
            event = Cancelled(**self.by(BOB))
        child = self.children[child_id]
        if child.ended:
            raise AlreadyEnded("It has ended.")
        self.children[child_id] = apply(child_id, child, event)
        self.oracle.endings[child_id] = ending

    @property
    def at_work(self) -> list[str]:
        return [child_id for child_id, child in self.children.items() if not child.ended]

    @property
    def waits(self) -> bool:
        return isinstance(next_action(self.session, self.house.now), Wait)
