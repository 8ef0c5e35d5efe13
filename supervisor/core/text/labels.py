"""Sentences for the one whose input came too late or out of order."""

from __future__ import annotations

from supervisor.core.state import CallPhase, Lifecycle

_DOING = {
    "SessionLaunched": "Launching it again",
    "ContextAdded": "Adding context",
    "ModelResponded": "An answer of the model",
    "ApprovalRequested": "Asking for approval",
    "ApprovalDecided": "Deciding on a call",
    "ToolStarted": "Running a tool",
    "ToolFinished": "Recording a result",
    "OutcomeLost": "Recording a lost result",
    "OutcomeDecided": "Saying what became of a call",
    "QuestionAsked": "Asking a question",
    "QuestionAnswered": "Answering a question",
    "Paused": "Pausing",
    "Resumed": "Resuming",
    "TimerSet": "Setting a reminder",
    "TimerFired": "Firing a reminder",
    "TimerDropped": "Dropping a reminder",
    "WaitBegun": "Waiting",
    "WaitEnded": "Ending a wait",
    "BudgetRaised": "Raising the budget",
    "CallEdited": "Changing a call",
    "ChildLaunched": "Launching a sub-agent",
    "ChildFinished": "Recording the end of a sub-agent",
    "ChildSkipped": "Giving up a subtask",
    "ChildDecided": "Deciding on a sub-agent",
    "ChildrenJoined": "Ending a plan",
    "Compacted": "Summing up earlier steps",
    "SessionForked": "Copying it",
    "SessionRestored": "Restoring it",
    "Completed": "Completing",
    "Failed": "Failing",
    "Cancelled": "Cancelling",
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
}


def not_in_session(event_type: str, lifecycle: Lifecycle) -> str:
    return f"{_DOING[event_type]} is not possible: {_SESSION[lifecycle]}."


def not_in_call(event_type: str, call_id: str, phase: CallPhase) -> str:
    return f"{_DOING[event_type]} is not possible: call {call_id} {_CALL[phase]}."
