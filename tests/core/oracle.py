"""What must be true of every log, told in plain Python: it knows the tools and the people, not the fold."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from decimal import Decimal

from supervisor.core.digest import call_digest, canonical_json
from supervisor.core.events import (
    Actor,
    ApprovalDecided,
    ApprovalRequested,
    CallEdited,
    CallGranted,
    Cancelled,
    Completed,
    ContextAdded,
    Event,
    Failed,
    GrantAdded,
    GrantEnded,
    InputRequested,
    ModelResponded,
    OutcomeDecided,
    OutcomeLost,
    Paused,
    QuestionAnswered,
    QuestionAsked,
    Resumed,
    ToolCall,
    ToolFinished,
    ToolStarted,
)
from supervisor.core.messages import Json, ModelTurn, ToolTurn, Turn, UserTurn
from tests.core.build import ALICE, BOB, CAROL, DAN, PIPELINE

PEOPLE = (ALICE, BOB, CAROL, DAN, PIPELINE)
EVERYBODY = frozenset(p.id for p in PEOPLE)


@dataclass(frozen=True)
class Kind:
    """What a tool of this test is: who may wave it through (nobody asked: None), and how many must."""

    may: frozenset[str] | None = None
    quorum: int = 1
    refused: bool = False
    control: bool = False
    idempotent: bool = False


KINDS = {
    "look": Kind(idempotent=True),
    "look_once": Kind(),
    "change": Kind(may=EVERYBODY),
    "deploy": Kind(may=frozenset({BOB.id, CAROL.id}), quorum=2),
    "rotate": Kind(may=frozenset({DAN.id}), idempotent=True),
    "review": Kind(may=EVERYBODY - {ALICE.id}, quorum=3),
    "forbidden": Kind(refused=True),
    "unknown": Kind(refused=True),
    "ship": Kind(may=EVERYBODY),
    "ask_human": Kind(control=True),
    "ask_gently": Kind(may=EVERYBODY, control=True),
}
# `ship` by where to: what is allowed there, and to whom.
SHIP = {
    "prod": Kind(may=frozenset({BOB.id, CAROL.id}), quorum=2),
    "safe": Kind(may=frozenset({DAN.id})),
    "dev": Kind(),
    "moon": Kind(refused=True),
}


def kind_of(tool: str, arguments: Json | str) -> Kind:
    where = arguments.get("to") if isinstance(arguments, dict) and tool == "ship" else None
    return SHIP.get(str(where), KINDS[tool])


@dataclass
class Known:
    """One call as the log tells it."""

    call: ToolCall
    kind: Kind
    proposed: Json | str
    approvals: list[str] = field(default_factory=list)
    granted: bool = False
    denied: bool = False
    started: list[int] = field(default_factory=list)
    run_agains: int = 0
    asked: bool = False
    answers: int = 0


class Oracle:
    """Sees every event that is appended, and every conversation that a model was shown."""

    def __init__(self) -> None:
        self.calls: dict[str, Known] = {}
        self.grants: dict[str, GrantAdded] = {}
        self.said: list[str] = []
        self.heard: list[str] = []
        self.tokens = 0
        self.cost = Decimal(0)
        self.answers = 0
        self.paused = self.ended = False

    def may_decide(self, actor: Actor, call_id: str) -> bool:
        known = self.calls[call_id]
        waiting = known.asked and known.kind.may is not None and not self.ended
        open_ = not known.denied and len(known.approvals) < known.kind.quorum
        return bool(
            waiting and open_ and actor.id in (known.kind.may or ()) and actor.id not in known.approvals
        )

    def may_allow(self, actor: Actor, call_id: str) -> bool:
        """Whether this person may allow calls like it in advance: it takes nobody else, and no question is one."""
        kind = self.calls[call_id].kind
        return self.may_decide(actor, call_id) and kind.quorum == 1 and not kind.control

    def may_become(self, call_id: str, arguments: Json) -> bool:
        """Whether policy lets this call be changed into that."""
        return not kind_of(self.calls[call_id].call.tool, arguments).refused

    def see(self, event: Event) -> None:
        match event:
            case ModelResponded():
                self._answer(event)
            case ContextAdded():
                self.said.append(event.text)
            case Resumed():
                self.paused = False
                self.said += [event.context] if event.context else []
            case Paused():
                self.paused = True
            case Completed() | Failed() | Cancelled():
                assert not self.ended
                if event.type == "Completed":
                    assert self.heard == self.said, "it ends before the model has heard everything"
                self.ended = True
            case ApprovalRequested():
                self._request(event)
            case _:
                self._about_a_call(event)

    def _about_a_call(self, event: Event) -> None:
        match event:
            case ApprovalDecided():
                self._decision(event)
            case CallEdited():
                self._change(event)
            case ToolStarted():
                self._start(event)
            case ToolFinished():
                assert event.attempt == self.calls[event.call_id].started[-1], "a result of another attempt"
                self.calls[event.call_id].answers += 1
            case OutcomeLost():
                assert event.attempt == self.calls[event.call_id].started[-1], "another attempt was lost"
            case InputRequested(until=None) | OutcomeDecided(verdict="run_again"):
                self._goes_on_again(event)
            case QuestionAsked():
                self._question(event)
            case GrantAdded():
                assert not self.calls[event.call_id].approvals, "allowed after the decision"
                self.grants[event.grant_id] = event
            case GrantEnded():
                del self.grants[event.grant_id]
            case CallGranted():
                self._granted(event)
            case OutcomeDecided() | QuestionAnswered():
                self.calls[event.call_id].answers += 1
            case _:
                pass

    def _goes_on_again(self, event: InputRequested | OutcomeDecided) -> None:
        """A call begins again: its server asked for input, with which it is continued, or a person says so."""
        if isinstance(event, OutcomeDecided):
            may = self.calls[event.call_id].kind.may
            assert may is None or event.by in may, "run again by somebody without the right"
        self.calls[event.call_id].run_agains += 1

    def _request(self, event: ApprovalRequested) -> None:
        self._goes_on()
        for call_id in event.call_ids:
            assert not self.calls[call_id].asked, "asked for twice"
            self.calls[call_id].asked = True

    def _granted(self, event: CallGranted) -> None:
        self._goes_on()
        known, grant = self.calls[event.call_id], self.grants[event.grant]
        arguments = known.call.arguments
        assert not known.asked, "people are asked about it"
        assert grant.at <= event.at < grant.until, "the grant has not begun, or is over"
        assert known.call.tool == grant.tool
        assert isinstance(arguments, dict)
        assert arguments.keys() == grant.patterns.keys(), "an argument that nobody allowed"
        for name, pattern in grant.patterns.items():
            value = arguments[name]
            assert pattern in ("*", value if isinstance(value, str) else canonical_json(value))
        assert known.kind.quorum == 1, "one person allows what takes several"
        assert event.granter.by == grant.by
        assert grant.by in (known.kind.may or ()), "somebody without the right has allowed it"
        assert event.digest == call_digest(known.call.tool, arguments)
        same = [k for k in self.calls.values() if k.call.digest == event.digest]
        assert not any(k.denied for k in same), "what was denied runs without asking"
        known.granted = True

    def _goes_on(self) -> None:
        assert not self.paused, "something begins while the session is paused"
        assert not self.ended, "something begins after the end"

    def _answer(self, event: ModelResponded) -> None:
        assert all(k.answers == 1 for k in self.calls.values()), "the model was asked before all was answered"
        self.answers += 1
        self.tokens += event.usage.input_tokens + event.usage.output_tokens
        self.cost += event.cost_usd or 0
        for call in event.calls:
            assert call.call_id not in self.calls, "two calls with one id"
            kind = kind_of(call.tool, call.arguments)
            self.calls[call.call_id] = Known(call, kind, call.arguments, answers=int(kind.refused))

    def _decision(self, event: ApprovalDecided) -> None:
        known = self.calls[event.call_id]
        assert known.asked
        assert not known.denied
        assert event.by in (known.kind.may or ()), "somebody without the right has decided"
        assert event.by not in known.approvals, "one person counted twice"
        assert len(known.approvals) < known.kind.quorum, "decided after the decision"
        assert event.digest == call_digest(known.call.tool, known.call.arguments)
        if event.verdict == "approve":
            known.approvals.append(event.by)
        else:
            known.denied = True
            known.answers += 1

    def _change(self, event: CallEdited) -> None:
        known, new = self.calls[event.call_id], event.call
        old = known.call
        assert known.asked
        assert not known.denied
        assert len(known.approvals) < known.kind.quorum, "changed after the decision"
        assert event.by in (known.kind.may or ()), "somebody without the right has changed it"
        assert (new.call_id, new.ref, new.tool) == (old.call_id, old.ref, old.tool)
        assert event.before == call_digest(old.tool, old.arguments)
        kind = kind_of(new.tool, new.arguments)
        assert not kind.refused, "changed into what is forbidden"
        if kind.may is None:
            # What policy would allow is for those who might have approved it as it was.
            kind = replace(kind, may=known.kind.may, quorum=known.kind.quorum)
        # Whoever approved it did not see this.
        known.call, known.kind, known.approvals = new, kind, []

    def _start(self, event: ToolStarted) -> None:
        self._goes_on()
        known = self.calls[event.call_id]
        assert not known.kind.refused, "a refused call runs"
        assert not known.kind.control, "a question runs as a tool"
        assert not known.denied, "a denied call runs"
        assert not known.answers, "a call runs after its result"
        assert event.digest == call_digest(known.call.tool, known.call.arguments)
        self._approved(known)
        known.started.append(event.attempt)
        assert known.started == list(range(1, len(known.started) + 1))
        if not known.kind.idempotent:
            assert len(known.started) <= 1 + known.run_agains, "a call runs twice by itself"

    def _question(self, event: QuestionAsked) -> None:
        self._goes_on()
        known = self.calls[event.call_id]
        assert known.kind.control
        self._approved(known)

    def _approved(self, known: Known) -> None:
        if known.kind.may is not None and not known.granted:
            assert known.asked
            assert len(set(known.approvals)) >= known.kind.quorum, "not enough people have approved"

    def was_shown(self, turns: tuple[Turn, ...]) -> list[str]:
        """Check one whole conversation; the texts of people in it, in order."""
        texts: list[str] = []
        due: list[tuple[str, str]] = []
        told: dict[str, Json | str] = {}
        assert isinstance(turns[0], UserTurn)
        for turn in turns[1:]:
            match turn:
                case ModelTurn():
                    assert not due, "a call without a result"
                    due = [(c.call_id, c.tool) for c in turn.calls]
                    told = {c.call_id: c.arguments for c in turn.calls}
                case ToolTurn():
                    assert due.pop(0) == (turn.call_id, turn.tool), "a result without its call"
                    self._told(turn, told[turn.call_id])
                case UserTurn():
                    assert not due, "a person's words between a call and its result"
                    texts.append(turn.text.partition(": ")[2])
        assert not due, "a call without a result"
        assert sum(isinstance(t, ModelTurn) for t in turns) == self.answers
        return texts

    def _told(self, turn: ToolTurn, proposed: Json | str) -> None:
        [known] = [k for k in self.calls.values() if k.call.ref == turn.call_id]
        assert turn.content
        assert proposed == known.proposed, "the model's own words were changed"
        changed = not known.denied and known.call.arguments != known.proposed
        assert ("changed the arguments" in turn.content) == changed
        assert not changed or canonical_json(known.call.arguments) in turn.content
