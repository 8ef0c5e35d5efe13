"""The decisions that an agent noted with `note_decision`, which are found in the calls of its session. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from supervisor.core.events.base import NOTE_DECISION, ToolCall
from supervisor.core.messages import Frozen
from supervisor.core.state import Call, Session, Step


class NotedDecision(Frozen):
    """One decision of the agent with its reason; `call_id` is the call that noted it."""

    call_id: str
    at: datetime
    decision: str
    why: str

    @property
    def text(self) -> str:
        """The decision with its reason on one line."""
        return _text(self.decision, self.why)


def noted_decisions(session: Session) -> list[NotedDecision]:
    """Return the decisions that the agent noted in this session, in order."""
    return decisions_in(session.steps)


def decisions_in(steps: Iterable[Step]) -> list[NotedDecision]:
    return [found for step in steps for call in step.calls if (found := noted_by(call, step.at))]


def noted_by(call: Call, at: datetime) -> NotedDecision | None:
    """Return the decision that a call has noted at the time of its end, or `at`; None for any other call."""
    given = call.call.arguments
    if call.call.tool != NOTE_DECISION or call.phase != "finished" or not call.ok or isinstance(given, str):
        return None
    decision, why = str(given.get("decision", "")), str(given.get("why", ""))
    return NotedDecision(call_id=call.call_id, at=call.finished_at or at, decision=decision, why=why)


def proposed_decision(call: ToolCall) -> str:
    """Return the decision that a selected call will note without anybody's approval; empty for any other call."""
    if call.tool != NOTE_DECISION or call.mode != "allow" or isinstance(call.arguments, str):
        return ""
    return _text(str(call.arguments.get("decision", "")), str(call.arguments.get("why", "")))


def _text(decision: str, why: str) -> str:
    """Return both on one line."""
    return " ".join(f"{decision} – {why}".split())
