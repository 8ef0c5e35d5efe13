"""Two workers and five people at one session, in any order: what must never happen does not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from supervisor.core.control import CallModel, Wait, next_action
from supervisor.core.digest import call_digest
from supervisor.core.errors import FlagmanError, NotAllowed
from supervisor.core.events import (
    Actor,
    ApprovalDecided,
    BudgetRaised,
    Cancelled,
    ContextAdded,
    Event,
    GrantEnded,
    OutcomeDecided,
    Paused,
    QuestionAnswered,
    Resumed,
    decode,
)
from supervisor.core.messages import Json
from supervisor.core.policy import permission, right_to_decide
from supervisor.core.prompt import conversation
from supervisor.core.reducer import fold
from supervisor.core.state import CallPhase
from tests.core.build import ALICE, BOB, SID, edited
from tests.core.copies import assert_copies
from tests.core.oracle import KINDS, PEOPLE, SHIP
from tests.core.world import Work, World
from tests.examples import examples

ARGUMENTS: list[Json] = [{}, {"b": 1, "a": [None, "ü"]}, {"x": {"y": 2.5}, "": True}]
TO: list[Json] = [{"to": where} for where in (*SHIP, "here")]
TOOL = st.sampled_from([*KINDS, *["ship"] * 5, "deploy"])
PROPOSED = st.lists(
    TOOL.flatmap(lambda t: st.tuples(st.just(t), st.sampled_from(TO if t == "ship" else ARGUMENTS))),
    max_size=4,
)


def one_in(n: int) -> st.SearchStrategy[bool]:
    return st.integers(0, n - 1).map(lambda k: k == n - 1)


WORK = st.builds(
    Work,
    number=st.integers(0, 1),
    proposed=PROPOSED.map(tuple),
    tokens=st.integers(0, 9),
    cost=st.sampled_from((None, Decimal(0), Decimal("0.0123"))),
    dies=one_in(12),
    reads=st.booleans(),
    lingers=one_in(3),
    ok=one_in(4).map(lambda fails: not fails),
    pick=st.integers(0, 3),
)
LAST = Work(0, (), 0, None, dies=False, reads=False, lingers=False, ok=True, pick=0)


@dataclass(frozen=True)
class Deed:
    """What one person tries to do."""

    what: str
    person: int
    pick: int
    anywhere: bool
    verdict: int
    how: str
    arguments: int

    @property
    def who(self) -> Actor:
        return PEOPLE[self.person]


DEEDS = st.builds(
    Deed,
    what=st.sampled_from(
        ["help"] * 10
        + ["change"] * 8
        + ["start", "forge", "forge_a_change"] * 3
        + ["decide", "add_context"] * 2
        + ["allow"] * 6
        + ["revoke"]
        + ["answer", "say_outcome", "pause", "resume", "cancel", "nothing"]
    ),
    person=st.integers(0, len(PEOPLE) - 1),
    pick=st.integers(0, 3),
    anywhere=one_in(6),
    verdict=st.integers(0, 5),
    how=st.sampled_from(("digest", "via", "repeat", "requester")),
    arguments=st.integers(0, len(ARGUMENTS) + len(TO) - 1),
)


HELPFUL = Deed("help", 1, 0, False, 5, "", 0)


class Interleaving(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.said = 0

    @rule(deed=DEEDS, work=WORK)
    def moment(self, deed: Deed, work: Work) -> None:
        getattr(self, deed.what)(deed)
        self.world.works(work)

    # People, each on the session as it stands

    def act(self, decide: Callable[[], list[Event]]) -> bool:
        """What a person wants, all or nothing; False where it is refused, with a sentence."""
        before, after, sentence = self.world.session, None, ""
        try:
            events = decide()
            after = fold(SID, events, before)
        except FlagmanError as error:
            sentence = str(error)
        if after is None:
            assert sentence.endswith(".")
            assert self.world.session is before
            return False
        assert self.world.append(before.version, events)
        assert after == self.world.session
        return True

    def target(self, deed: Deed, phase: CallPhase) -> str | None:
        """A call in that phase; sometimes any call."""
        calls = [c for s in self.world.session.steps for c in s.calls]
        ids = [c.call_id for c in calls if deed.anywhere or c.phase == phase]
        return ids[deed.pick % len(ids)] if ids else None

    def by(self, deed: Deed) -> dict[str, Any]:
        return self.world.now(deed.who)

    def help(self, deed: Deed) -> None:
        """Do one thing that the session waits for, by somebody who may."""
        session = self.world.session
        if session.pause:
            self.raise_budget(deed)
        for call_id in [c.call_id for c in session.calls_in("awaiting")]:
            may = [p for p in (deed.who, *PEOPLE) if self.world.oracle.may_decide(p, call_id)]
            if may:
                self.decides(may[0], call_id, deed)
        self.answer(deed)
        self.say_outcome(deed)

    def nothing(self, deed: Deed) -> None:
        pass

    def decide(self, deed: Deed) -> None:
        call_id = self.target(deed, "awaiting")
        if call_id:
            self.decides(deed.who, call_id, deed)

    def decides(self, who: Actor, call_id: str, deed: Deed) -> None:
        expected = self.world.oracle.may_decide(who, call_id)
        verdict = "approve" if deed.verdict else "deny"
        assert self.act(lambda: [self.world.approval(self.world.session, call_id, who, verdict)]) == expected

    def forge(self, deed: Deed) -> None:
        """A decision that nobody had the right to make, straight at the fold."""
        calls = self.world.session.calls_in("awaiting")
        half_way = [c for c in calls if c.decisions]
        if not calls:
            return
        call, who, via = (half_way or calls)[deed.pick % len(half_way or calls)], deed.who, "anyone"
        digest, may = call.call.digest, self.world.oracle.calls[call.call_id].kind.may
        if deed.how == "digest":
            digest = call_digest(call.call.tool, "something else")
        elif deed.how == "via":
            via = "group:S-NOBODY"
        elif deed.how == "repeat" and call.decisions:
            who = next(p for p in PEOPLE if p.id == call.decisions[0].by)
            via = call.decisions[0].via
        elif may is not None and ALICE.id not in may:
            who = ALICE
        else:
            return
        forged = ApprovalDecided(
            **self.world.now(who), call_id=call.call_id, digest=digest, verdict="approve", via=via
        )
        assert not self.act(lambda: [forged])

    def allow(self, deed: Deed) -> None:
        """Approve a call, and allow calls like it from then on."""
        call_id, oracle = self.target(deed, "awaiting"), self.world.oracle
        if call_id:
            may = [p for p in (deed.who, *PEOPLE) if deed.verdict and oracle.may_allow(p, call_id)]
            who, anything = next(iter(may), deed.who), deed.arguments % 3 > 0
            expected = oracle.may_allow(who, call_id)
            assert self.act(lambda: self.world.allow(call_id, who, anything, 1 + deed.pick * 2)) == expected

    def revoke(self, deed: Deed) -> None:
        grants = [grant for grant in self.world.session.grants if not grant.ended_at]
        if grants and not self.world.session.ended:
            grant = grants[deed.pick % len(grants)]
            assert self.act(lambda: [GrantEnded(**self.by(deed), grant_id=grant.id)])

    def change(self, deed: Deed) -> None:
        """Other arguments; with as much of an approval as the one who changes them may give."""
        call_id, oracle = self.target(deed, "awaiting"), self.world.oracle
        if call_id:
            may = [p for p in (deed.who, *PEOPLE) if deed.verdict and oracle.may_decide(p, call_id)]
            who, arguments = next(iter(may), deed.who), [*ARGUMENTS, *TO][deed.arguments]
            expected = oracle.may_decide(who, call_id) and oracle.may_become(call_id, arguments)
            assert self.act(lambda: self.world.change(call_id, arguments, who)) == expected

    def forge_a_change(self, deed: Deed) -> None:
        """A change that might have been, with one thing wrong each time, straight at the fold."""
        oracle, waiting = self.world.oracle, self.world.session.calls_in("awaiting")
        for other in (c for c in self.world.session.open_calls if c not in waiting):
            late = edited(other.call, {"to": "late"}, BOB)
            assert not self.act(partial(list, (late,))), "it does not wait for anybody"
        may = [(c, p) for c in waiting for p in PEOPLE if oracle.may_decide(p, c.call_id)]
        if not may:
            return
        call, who = may[deed.pick % len(may)]
        others = [a for a in [*ARGUMENTS, *TO] if call_digest(call.call.tool, a) != call.call.digest]
        via = right_to_decide(self.world.session, call, who).via
        true = edited(call.call, others[deed.arguments % len(others)], who, via=via)
        calls = ({"mode": "allow"}, {"tool": "look"}, {"ref": "x"}, {"idempotent": not call.call.idempotent})
        wrong: list[dict[str, Any]] = [{"call": true.call.model_copy(update=change)} for change in calls]
        wrong += [{"before": true.call.digest}, {"via": "group:S-NOBODY"}, {"call": call.call}]
        if call.call.approvers and call.call.approvers.exclude_requester:
            wrong.append({"by": ALICE.id})
        for forged in [true.model_copy(update=fields) for fields in wrong]:
            assert not self.act(partial(list, (forged,)))

    def start(self, deed: Deed) -> None:
        """A start that nobody decided on, of any call: only one that might have been decided on passes."""
        session = self.world.session
        calls = session.open_calls or (session.steps[-1].calls if session.steps else ())
        if calls:
            self.act(lambda: [self.world.start_of(calls[deed.pick % len(calls)])])

    def answer(self, deed: Deed) -> None:
        call_id = self.target(deed, "asking")
        if call_id:
            self.act(lambda: [QuestionAnswered(**self.by(deed), call_id=call_id, answer="This")])

    def say_outcome(self, deed: Deed) -> None:
        call_id = self.target(deed, "unknown")
        verdict: Any = ("done", "failed", "run_again")[deed.verdict % 3]
        if not call_id:
            return
        via = "anyone"
        try:
            if verdict == "run_again":
                via = permission(self.world.session, self.world.session.call(call_id), deed.who).via
        except NotAllowed:
            verdict = "run_again" if deed.anywhere else "done"
        decided = {"call_id": call_id, "verdict": verdict, "via": via}
        self.act(lambda: [OutcomeDecided(**self.by(deed), **decided)])

    def words(self) -> str:
        self.said += 1
        return f"note {self.said}"

    def add_context(self, deed: Deed) -> None:
        self.act(lambda: [ContextAdded(**self.by(deed), text=self.words())])

    def pause(self, deed: Deed) -> None:
        self.act(lambda: [Paused(**self.by(deed), reason="manual")])

    def resume(self, deed: Deed) -> None:
        if self.world.session.pause or deed.anywhere:
            self.act(lambda: [Resumed(**self.by(deed), context="" if deed.verdict else self.words())])

    def raise_budget(self, deed: Deed) -> None:
        if self.world.session.pause or deed.anywhere:
            budgets = self.world.session.budgets
            more = budgets.model_copy(update={"max_steps": budgets.max_steps + 4})
            self.act(lambda: [BudgetRaised(**self.by(deed), budgets=more), Resumed(**self.by(deed))])

    def cancel(self, deed: Deed) -> None:
        if self.world.session.version > 30:
            self.act(lambda: [Cancelled(**self.by(deed))])

    # What must be true at any moment

    @invariant()
    def snapshots_and_logs_give_the_same_session(self) -> None:
        assert self.world.reread == self.world.session
        assert self.world.session.version == len(self.world.log)

    @invariant()
    def every_call_has_at_most_one_answer(self) -> None:
        for call_id, known in self.world.oracle.calls.items():
            call = self.world.session.call(call_id)
            assert known.answers == int(call.settled)
            assert call.attempt == len(known.started)

    @invariant()
    def what_people_said_is_shown_once_and_never_lost(self) -> None:
        session, oracle = self.world.session, self.world.oracle
        assert [n.text for n in (*session.notes, *session.inbox)] == oracle.said
        assert [n.text for n in session.notes] == oracle.heard

    @invariant()
    def sums_are_sums(self) -> None:
        session, oracle = self.world.session, self.world.oracle
        assert session.usage.input_tokens + session.usage.output_tokens == oracle.tokens
        assert session.cost_usd == oracle.cost
        assert session.unpriced == any(s.cost_usd is None for s in session.steps)

    @invariant()
    def status_says_whether_something_goes_on(self) -> None:
        session, oracle = self.world.session, self.world.oracle
        action = next_action(session, self.world.clock)
        assert session.ended == oracle.ended
        assert isinstance(action, Wait) == (session.ended or session.waiting_for is not None)
        assert (session.status == "paused") == (session.waiting_for is not None)
        assert bool(session.pause) == (oracle.paused and not oracle.ended)
        assert all(h.resumed_at for h in session.halts) or session.pause or session.ended
        if isinstance(action, CallModel):
            assert all(k.answers == 1 for k in oracle.calls.values())
            assert oracle.was_shown(conversation(session, action.context_seen)) == oracle.said

    def teardown(self) -> None:
        """From wherever it stands, a session comes to its end: nothing can wedge it."""
        for _ in range(200):
            if self.world.session.ended:
                break
            worker = self.world.replace(0)
            self.world.goes_on(worker)
            if worker.asking:
                self.world.model_replies(worker, worker.asking, LAST)
            for call_id in sorted(worker.running):
                self.world.tool_ends(worker, call_id, True)
            self.help(HELPFUL)
        assert self.world.session.ended
        events = [decode(SID, n, data) for n, data in enumerate(self.world.log)]
        assert fold(SID, events) == self.world.session
        assert_copies(events)


TestInterleaving = Interleaving.TestCase
TestInterleaving.settings = settings(
    max_examples=examples(50),
    stateful_step_count=45,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
