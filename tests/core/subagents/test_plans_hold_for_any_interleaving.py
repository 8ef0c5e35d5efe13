"""Plans with any dependencies, two workers, failures and people in any order: what must never happen does not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from supervisor.core.control import CallModel, next_action
from supervisor.core.errors import IllegalEvent
from supervisor.core.events import Cancelled, ChildDecided, Event, Paused, Resumed
from supervisor.core.reducer import fold
from supervisor.core.state import Session
from tests.core.build import BOB, SID
from tests.core.copies import assert_copies
from tests.core.plan_world import Plan, PlanWorld
from tests.examples import examples


@st.composite
def plans(draw: st.DrawFn, most: int) -> Plan:
    """A policy and up to `most` subtasks, each of which may need any that do not need it; in any order."""
    names = [f"n{n}" for n in range(draw(st.integers(1, most)))]
    needs = {
        name: tuple(draw(st.lists(st.sampled_from(names[:n]), unique=True, max_size=3))) if n else ()
        for n, name in enumerate(names)
    }
    order = draw(st.permutations(names))
    return draw(st.sampled_from(("continue", "fail_fast", "ask", "ask"))), {
        name: needs[name] for name in order
    }


@dataclass(frozen=True)
class Deed:
    """What happens next; then the worker `number` makes so many passes of its loop."""

    what: str
    pick: int
    ending: Literal["completed", "failed", "cancelled"]
    verdict: Literal["retry", "skip", "stop"]
    number: int
    passes: int


DEEDS = st.builds(
    Deed,
    what=st.sampled_from(
        ["ends"] * 6 + ["decides"] * 4 + ["rests"] * 2 + ["pauses", "dies", "cancels", "nothing"]
    ),
    pick=st.integers(0, 15),
    ending=st.sampled_from(("completed", "completed", "failed", "cancelled")),
    verdict=st.sampled_from(("retry", "retry", "retry", "skip", "skip", "stop")),
    number=st.integers(0, 1),
    passes=st.integers(0, 4),
)


class PlanInterleaving(RuleBasedStateMachine):
    world: PlanWorld

    @initialize(
        first=plans(8), others=st.lists(plans(4), max_size=2), most=st.sampled_from((50, 50, 50, 50, 9, 3))
    )
    def begin(self, first: Plan, others: list[Plan], most: int) -> None:
        self.world = PlanWorld([first, *others], most)
        self.world.rest()

    @rule(deed=DEEDS)
    def moment(self, deed: Deed) -> None:
        getattr(self, deed.what)(deed)
        for _ in range(deed.passes):
            self.world.works(deed.number)

    def nothing(self, deed: Deed) -> None:
        pass

    def rests(self, deed: Deed) -> None:
        self.world.rest()

    def dies(self, deed: Deed) -> None:
        """With all it had decided; another one begins."""
        self.world.workers[deed.number] = self.world.fresh()

    def ends(self, deed: Deed) -> None:
        if self.world.at_work:
            self.world.child_ends(self.world.at_work[deed.pick % len(self.world.at_work)], deed.ending)

    def decides(self, deed: Deed) -> None:
        """Mostly on a sub-agent that failed; of any other the verdict is refused."""
        ids = [c.id for c in self.world.session.children]
        due = [child_id for child_id in ids if self.world.oracle.may_decide(child_id)]
        ids = due if due and deed.pick else ids
        if ids:
            child_id = ids[deed.pick % len(ids)]
            expected = self.world.oracle.may_decide(child_id)
            decided = ChildDecided(**self.world.by(BOB), child_id=child_id, verdict=deed.verdict)
            assert self.person(decided) == expected

    def pauses(self, deed: Deed) -> None:
        if self.world.session.pause:
            self.person(Resumed(**self.world.by(BOB)))
        else:
            self.person(Paused(**self.world.by(BOB), reason="manual"))

    def cancels(self, deed: Deed) -> None:
        if deed.pick == 0:
            self.person(Cancelled(**self.world.by(BOB)))

    def person(self, event: Event) -> bool:
        try:
            fold(SID, [event], self.world.session)
        except IllegalEvent:
            return False
        return self.world.append(self.world.session.version, [event], {})

    @invariant()
    def the_session_says_what_the_log_says(self) -> None:
        session, oracle = self.world.session, self.world.oracle
        running = {
            p.child for told in oracle.plans.values() for p in told.parts.values() if p.state == "running"
        }
        assert {c.id for c in session.running_children} == running
        for call_id, told in oracle.plans.items():
            assert (session.call(call_id).phase == "finished") == told.joined
        assert Session.model_validate_json(session.model_dump_json()) == session

    def teardown(self) -> None:
        """From wherever it stands, every plan comes to its end, and the agent reads of it."""
        world = self.world
        for _ in range(60):
            if world.session.pause:
                self.person(Resumed(**world.by(BOB)))
            world.rest()
            for child_id in world.at_work:
                world.child_ends(child_id, "completed")
            for child in world.session.children:
                if world.oracle.may_decide(child.id):
                    self.person(ChildDecided(**world.by(BOB), child_id=child.id, verdict="skip"))
        assert not world.session.running_children
        if not world.session.ended:
            assert all(told.joined for told in world.oracle.plans.values())
            assert isinstance(next_action(world.session, world.house.now), CallModel)
        assert fold(SID, world.log) == world.session
        assert_copies(world.log)


TestPlanInterleaving = PlanInterleaving.TestCase
TestPlanInterleaving.settings = settings(
    max_examples=examples(50),
    stateful_step_count=40,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
