"""Sentences for the one whose input came too late or out of order."""

from __future__ import annotations

from supervisor.core.state import CallPhase, Lifecycle

_SESSION: dict[Lifecycle, str] = {
    "running": "this session is already running",
    "paused": "this session is paused, so resume it first",
    "completed": "this session has already completed",
    "failed": "this session has already failed",
    "cancelled": "this session was already cancelled",
}
_CALL: dict[CallPhase, str] = {
    "ready": "is about to run",
    "held": "was not shown to anybody yet",
    "awaiting": "is waiting for an approval",
    "approved": "was already approved",
    "denied": "was already denied",
    "refused": "was refused and never runs",
    "started": "is already running",
    "unknown": "was cut off, and a person has to say what became of it",
    "finished": "has already finished",
    "open": "is a question that was not asked yet",
    "asking": "is a question that is waiting for an answer",
    "sleeping": "is waiting for what the agent named",
    "delegating": "is waiting for its sub-agents",
}


def not_in_session(doing: str, lifecycle: Lifecycle) -> str:
    return f"{doing} is not possible: {_SESSION[lifecycle]}."


def not_in_call(doing: str, call_id: str, phase: CallPhase) -> str:
    return f"{doing} is not possible: call {call_id} {_CALL[phase]}."
