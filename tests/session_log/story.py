"""Tells a session event by event, with a clock that goes on by itself."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from supervisor.core.digest import call_digest
from supervisor.core.events import (
    SYSTEM,
    Actor,
    ApprovalDecided,
    ApprovalRequested,
    CallEdited,
    Event,
    ModelResponded,
    SessionLaunched,
    ToolCall,
    ToolFinished,
    ToolStarted,
)
from supervisor.core.messages import Json, Usage
from supervisor.core.persona import Persona

ADA = Actor(id="slack:U0ADA0001", name="Ada Lovelace", groups=("S0SRE0001",))
GRACE = Actor(id="slack:U0GRACE01", name="Grace Hopper", groups=("S0SRE0001",))
MARGARET = Actor(id="slack:U0MARGAR1", name="Margaret Hamilton")
PIPELINE = Actor(id="api:pipeline", name="pipeline")
CLOCK = Actor(id="clock")
MODEL = "anthropic:claude-sonnet-4-5"
# Not its real digest, which changes with every field that a persona is given.
PINNED = "5e" * 32
BEGIN = datetime(2026, 11, 25, 9, 30, 12, 345678, tzinfo=UTC)
ORIGIN = {"slack": {"channel": "C0OPS0001", "user": "U0ADA0001"}}


class Story:
    """Events with a clock that goes on by itself."""

    def __init__(self, persona: Persona) -> None:
        self.persona, self.events, self.now = persona, list[Event](), BEGIN
        self.step = 0

    def add(
        self, fact: Callable[..., Event], by: Actor = SYSTEM, *, after: float = 1.0, **fields: Any
    ) -> None:
        self.now += timedelta(seconds=after)
        self.events.append(fact(at=self.now, by=by.id, by_name=by.name, **fields))

    def launched(self, task: str, by: Actor = ADA) -> None:
        persona = self.persona
        pinned = {"persona": persona.name, "persona_digest": PINNED, "budgets": persona.budgets}
        self.add(SessionLaunched, by, after=0, task=task, origin=ORIGIN, **pinned)

    def said(
        self,
        text: str,
        *calls: ToolCall,
        tokens: tuple[int, int] = (1800, 120),
        seen: int = 0,
        stop_reason: str = "",
    ) -> None:
        self.step += 1
        self.now += timedelta(seconds=2.4)
        usage = Usage(input_tokens=tokens[0] * self.step, output_tokens=tokens[1])
        cost = Decimal(usage.input_tokens * 3 + usage.output_tokens * 15) / 1_000_000
        numbered = tuple(
            call.model_copy(update={"call_id": f"{self.step}.{n}", "ref": f"toolu_{self.step}_{n}"})
            for n, call in enumerate(calls, start=1)
        )
        said = {"text": text, "calls": numbered, "usage": usage, "cost_usd": cost, "model": MODEL}
        said["stop_reason"] = stop_reason
        self.events.append(
            ModelResponded(
                at=self.now, by=f"model:{MODEL}", step=self.step, duration_ms=2400, context_seen=seen, **said
            )
        )

    def asked(self, *call_ids: str) -> None:
        self.add(ApprovalRequested, after=0.01, request_id=f"r{len(self.events)}", call_ids=call_ids)

    def decided(self, by: Actor, call_id: str, verdict: str = "approve", **fields: Any) -> None:
        call = self.call(call_id)
        via = f"group:{call.approvers.groups[0]}" if call.approvers and call.approvers.groups else "anyone"
        given = {"after": 40.0, "digest": call.digest, "verdict": verdict, "via": via, **fields}
        self.add(ApprovalDecided, by, call_id=call_id, **given)

    def ran(self, call_id: str, content: str, *, ok: bool = True, ms: int = 340, **fields: Any) -> None:
        self.started(call_id)
        attempt = sum(isinstance(e, ToolStarted) and e.call_id == call_id for e in self.events)
        done = {"attempt": attempt, "ok": ok, "content": content, "duration_ms": ms, **fields}
        self.add(ToolFinished, after=ms / 1000, call_id=call_id, **done)

    def started(self, call_id: str) -> None:
        attempt = 1 + sum(isinstance(e, ToolStarted) and e.call_id == call_id for e in self.events)
        key, digest = f"ab12-cd34:{call_id}", self.call(call_id).digest
        self.add(
            ToolStarted, after=0.02, call_id=call_id, attempt=attempt, idempotency_key=key, digest=digest
        )

    def call(self, call_id: str) -> ToolCall:
        """As it was last proposed or changed."""
        found = [e.call for e in self.events if isinstance(e, CallEdited) and e.call_id == call_id]
        proposed = [c for e in self.events if isinstance(e, ModelResponded) for c in e.calls]
        return found[-1] if found else next(c for c in proposed if c.call_id == call_id)


def call(tool: str, arguments: Json, mode: str = "ask", **fields: Any) -> ToolCall:
    return ToolCall(
        call_id="0.0",
        ref="",
        tool=tool,
        arguments=arguments,
        digest=call_digest(tool, arguments),
        mode=mode,
        **fields,
    )
