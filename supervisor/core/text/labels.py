"""Labels of pause reasons, statuses and phases, and sentences that say why an input is not possible now."""

from __future__ import annotations

from supervisor.core.events.base import PauseReason
from supervisor.core.state import CallPhase, Lifecycle

# Why a session waits, in the form for the middle of a sentence; `capital` makes the form for its beginning.
WAITING: dict[PauseReason, str] = {
    "human_approval_required": "waiting for an approval",
    "human_input_required": "waiting for an answer",
    "external_dependency": "waiting for an external event",
    "scheduled": "scheduled",
    "children_running": "waiting for its sub-agents",
    "error_threshold_exceeded": "paused after errors",
    "context_budget_exceeded": "paused: context limit reached",
    "budget_exceeded": "paused: budget limit reached",
    "outcome_unknown": "outcome of a call unknown",
    "connection_required": "waiting for a connection",
    "parent_paused": "paused with its coordinator",
    "manual": "paused",
}
# The same in SESSION_LOGs up to format 3, with which verification compares older documents.
WAITING_BEFORE_4: dict[PauseReason, str] = {
    "human_approval_required": "waiting for an approval",
    "human_input_required": "waiting for an answer",
    "external_dependency": "waiting for something outside",
    "scheduled": "waiting for its time",
    "children_running": "waiting for its sub-agents",
    "error_threshold_exceeded": "stopped after errors in a row",
    "context_budget_exceeded": "stopped: the context is full",
    "budget_exceeded": "stopped: a budget is used up",
    "outcome_unknown": "waiting for word on a call that was cut off",
    "connection_required": "waiting for a connection",
    "parent_paused": "paused with its coordinator",
    "manual": "paused by hand",
}
ENDED: dict[Lifecycle, str] = {"completed": "done", "failed": "failed", "cancelled": "cancelled"}
PHASES: dict[CallPhase, str] = {
    "ready": "ready",
    "held": "needs approval",
    "awaiting": "waiting for an approval",
    "approved": "approved",
    "denied": "denied",
    "refused": "refused",
    "started": "running",
    "unknown": "outcome unknown",
    "finished": "finished",
    "open": "question",
    "asking": "waiting for an answer",
    "sleeping": "waiting",
    "delegating": "waiting for its sub-agents",
    "answered": "answered, did not run",
    "expired": "expired, did not run",
    "superseded": "withdrawn, did not run",
}

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
    "answered": "was already answered",
    "expired": "has expired",
    "superseded": "was withdrawn",
}


def not_in_session(doing: str, lifecycle: Lifecycle) -> str:
    return f"{doing} is not possible: {_SESSION[lifecycle]}."


def capital(words: str) -> str:
    """Return the words with a capital first letter, for the beginning of a sentence."""
    return f"{words[:1].upper()}{words[1:]}"


def not_in_call(doing: str, call_id: str, phase: CallPhase) -> str:
    return f"{doing} is not possible: call {call_id} {_CALL[phase]}."
