"""One session in a store, and two workers who advance it as the runner does, on what they last read."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

from supervisor.core.commands.approvals import Seen
from supervisor.core.commands.grants import Terms, allow, candidates, use
from supervisor.core.control import CallModel, Finish, Pause, RunTools, Wait, next_action
from supervisor.core.digest import call_digest
from supervisor.core.errors import IllegalEvent, NotAllowed
from supervisor.core.events import (
    Actor,
    ApprovalDecided,
    ApprovalRequested,
    CallEdited,
    Completed,
    Event,
    ModelResponded,
    OutcomeLost,
    Paused,
    QuestionAsked,
    ToolFinished,
    ToolStarted,
    decode,
    encode,
)
from supervisor.core.messages import Json, ModelReply, ProposedCall, Turn, Usage
from supervisor.core.persona import ApprovalRule, Approvers, Budgets, Persona
from supervisor.core.policy import right_to_decide
from supervisor.core.prompt import conversation
from supervisor.core.reducer import apply
from supervisor.core.rules.patterns import exactly
from supervisor.core.state import Call, Session
from supervisor.core.tool_calls import edit_call, record_reply
from tests.core.build import AT, SID, by, fake_tool, launched
from tests.core.oracle import KINDS, PEOPLE, Oracle

FACTS = (ModelResponded, ToolFinished, OutcomeLost)
PERSONA = Persona(
    name="helper",
    description="Helps",
    instructions="Help.",
    tools=("*",),
    approvals=(
        ApprovalRule(tool="forbidden", mode="deny", reason="Not today."),
        ApprovalRule(
            tool="deploy",
            mode="ask",
            approvers=Approvers(users=("U2",), groups=("S-OPS",), quorum=2, exclude_requester=True),
        ),
        ApprovalRule(tool="rotate", mode="ask", approvers=Approvers(groups=("S-SEC",))),
        ApprovalRule(tool="review", mode="ask", approvers=Approvers(quorum=3, exclude_requester=True)),
        ApprovalRule(tool="ask_gently", mode="ask"),
        ApprovalRule(tool="ship", when={"to": "moon"}, mode="deny"),
        ApprovalRule(tool="ship", when={"to": "dev"}, mode="allow"),
        ApprovalRule(tool="ship", when={"to": "safe"}, mode="ask", approvers=Approvers(groups=("S-SEC",))),
        ApprovalRule(
            tool="ship",
            when={"to": "prod"},
            mode="ask",
            approvers=Approvers(users=("slack:U2", "U3"), quorum=2, exclude_requester=True),
        ),
    ),
)
TOOLS = {
    name: fake_tool(
        name,
        changes=not name.startswith(("look", "ask")),
        idempotent=kind.idempotent,
        control=kind.control,
    )
    for name, kind in KINDS.items()
    if name != "unknown"
}
BUDGETS = Budgets(max_steps=5, error_threshold=3)
ModelStep = tuple[int, int, tuple[Turn, ...]]


@dataclass
class Worker:
    """One that has, or thinks it has, the lease: what it read, what it decided, and what it runs."""

    view: Session
    base: int
    pending: list[Event] = field(default_factory=list)
    running: dict[str, int] = field(default_factory=dict)
    asking: ModelStep | None = None


@dataclass(frozen=True)
class Work:
    """What one worker does next, and what comes of it."""

    number: int
    proposed: tuple[tuple[str, Json], ...]
    tokens: int
    cost: Decimal | None
    dies: bool
    reads: bool
    lingers: bool
    ok: bool
    pick: int


class World:
    """The session as stored, and the workers."""

    def __init__(self) -> None:
        self.oracle, self.log, self.clock, self.count = Oracle(), list[bytes](), AT, 0
        event = launched(budgets=BUDGETS)
        self.session = self.reread = apply(SID, None, event)
        self.log.append(encode(event))
        self.workers = [Worker(self.session, 1), Worker(self.session, 1)]

    # The store: one append at an expected version

    def append(self, expected: int, events: list[Event]) -> bool:
        if expected != self.session.version:
            return False
        for event in events:
            data = encode(event)
            assert decode(SID, len(self.log), data) == event
            self.oracle.see(event)
            self.session = apply(SID, self.session, event)
            self.log.append(data)
            # The other reader only ever sees stored events and stored snapshots.
            other = apply(SID, self.reread, decode(SID, len(self.log), data))
            self.reread = Session.model_validate_json(other.model_dump_json())
        return True

    def now(self, actor: Actor | None = None) -> dict[str, Any]:
        self.clock += timedelta(seconds=1)
        return by(actor, self.clock)

    # People, as the verbs do it

    def approval(
        self, session: Session, call_id: str, who: Actor, verdict: Any = "approve"
    ) -> ApprovalDecided:
        call = session.call(call_id)
        via = right_to_decide(session, call, who).via
        return ApprovalDecided(
            **self.now(who), call_id=call_id, digest=call.call.digest, verdict=verdict, via=via
        )

    def change(self, call_id: str, arguments: Json, who: Actor) -> list[Event]:
        """Other arguments, and the approval of whoever changes them if that person may give it."""
        call = self.session.call(call_id)
        via = right_to_decide(self.session, call, who).via
        new = edit_call(call.call, arguments, PERSONA, TOOLS, ())
        if new.digest == call.call.digest:
            return [self.approval(self.session, call_id, who)]
        change = CallEdited(**self.now(who), call_id=call_id, before=call.call.digest, call=new, via=via)
        after = apply(SID, self.session, change)
        try:
            return [change, self.approval(after, call_id, who)]
        except NotAllowed:
            return [change]

    def allow(self, call_id: str, who: Actor, anything: bool, minutes: int) -> list[Event]:
        """The approval of a call, and a grant for calls like it: with any arguments, or with the same."""
        call, at = self.session.call(call_id), self.now()["at"]
        arguments = call.call.arguments if isinstance(call.call.arguments, dict) else {}
        patterns = dict.fromkeys(arguments, "*") if anything else exactly(arguments)
        terms = Terms(patterns, at + timedelta(minutes=minutes))
        return allow(self.session, call_id, terms, who, at, seen=Seen.of(call))

    # Workers, as the runner does it

    def add(self, worker: Worker, event: Event) -> bool:
        try:
            worker.view = apply(SID, worker.view, event)
        except IllegalEvent:
            return False
        worker.pending.append(event)
        return True

    def commit(self, worker: Worker) -> bool:
        if self.append(worker.base, worker.pending):
            worker.pending, worker.base = [], self.session.version
            return True
        facts = [e for e in worker.pending if isinstance(e, FACTS)]
        self.read(worker)
        for fact in facts:
            self.add(worker, fact)
        return False

    def reads(self, worker: Worker) -> None:
        """Notice what others appended."""
        if worker.pending:
            self.commit(worker)
        else:
            self.read(worker)

    def read(self, worker: Worker) -> None:
        worker.view, worker.base, worker.pending = self.session, self.session.version, []

    def works(self, turn: Work) -> None:
        worker = self.workers[turn.number]
        if turn.reads:
            self.reads(worker)
        if turn.dies:
            self.replace(turn.number)
        elif worker.asking:
            self.model_replies(worker, worker.asking, turn)
        elif worker.running and not turn.lingers:
            self.tool_ends(worker, sorted(worker.running)[turn.pick % len(worker.running)], turn.ok)
        else:
            self.goes_on(worker)

    def replace(self, number: int) -> Worker:
        """A worker dies with all it had in hand, and another begins."""
        self.workers[number] = Worker(self.session, self.session.version)
        return self.workers[number]

    def goes_on(self, worker: Worker) -> None:
        match next_action(worker.view, self.clock):
            case Finish(summary=summary):
                assert self.add(worker, Completed(**self.now(), summary=summary))
            case Pause(reason=reason, detail=detail):
                assert self.add(worker, Paused(**self.now(), reason=reason, detail=detail))
            case CallModel(context_seen=seen):
                if self.commit(worker):
                    turns = conversation(worker.view, seen)
                    worker.asking = (seen, len(worker.view.steps) + 1, turns)
                return
            case RunTools() as action:
                self.tools(worker, action)
                return
            case Wait():
                pass
        self.commit(worker)

    def granted(self, session: Session, call: Call) -> Event | None:
        at = self.now()["at"]
        for grant in candidates(session, call, "", session.grants, at, PERSONA):
            granter = next(person for person in PEOPLE if person.id == grant.by)
            if event := use(session, call, grant, granter, session.steered_by, at):
                return event
        return None

    def tools(self, worker: Worker, action: RunTools) -> None:
        ask = []
        for call in action.ask:
            event = self.granted(worker.view, call)
            if event:
                assert self.add(worker, event)
            else:
                ask.append(call)
        if ask:
            ids = tuple(c.call_id for c in ask)
            request = ApprovalRequested(**self.now(), request_id=f"r{worker.view.version}", call_ids=ids)
            assert self.add(worker, request)
        for call in action.questions:
            assert self.add(worker, QuestionAsked(**self.now(), call_id=call.call_id, question="Which?"))
        begin = [c for c in action.run if c.call_id not in worker.running]
        for call in action.started:
            if call.call_id in worker.running:
                continue
            if call.call.idempotent:
                begin.append(call)
            else:
                lost = OutcomeLost(**self.now(), call_id=call.call_id, attempt=call.attempt)
                assert self.add(worker, lost)
        for call in begin:
            assert self.add(worker, self.start_of(call))
        if self.commit(worker):
            worker.running |= {c.call_id: c.attempt + 1 for c in begin}

    def start_of(self, call: Call) -> ToolStarted:
        digest = call_digest(call.call.tool, call.call.arguments)
        attempt = call.attempt + 1
        return ToolStarted(
            **self.now(), call_id=call.call_id, attempt=attempt, idempotency_key="k", digest=digest
        )

    def model_replies(self, worker: Worker, asking: ModelStep, turn: Work) -> None:
        seen, step, turns = asking
        worker.asking = None
        self.count += 1
        reply = ModelReply(
            text="Well",
            calls=tuple(
                ProposedCall(call_id=f"ref-{self.count}-{n}", tool=tool, arguments=arguments)
                for n, (tool, arguments) in enumerate(turn.proposed)
            ),
            usage=Usage(input_tokens=turn.tokens, output_tokens=1),
            cost_usd=turn.cost,
            model="test:model",
            duration_ms=1,
        )
        event = record_reply(
            reply, step=step, context_seen=seen, persona=PERSONA, tools=TOOLS, at=self.now()["at"]
        )
        if not self.add(worker, event):
            return
        while not self.commit(worker):
            if event not in worker.pending:
                return
        self.oracle.answers -= 1
        self.oracle.heard = self.oracle.was_shown(turns)
        self.oracle.answers += 1

    def tool_ends(self, worker: Worker, call_id: str, ok: bool) -> None:
        attempt = worker.running.pop(call_id)
        event = ToolFinished(**self.now(), call_id=call_id, attempt=attempt, ok=ok, content="out" * ok)
        if self.add(worker, event):
            self.commit(worker)
