"""What the model is shown of a session: its turns, in order, with every call answered."""

from __future__ import annotations

from supervisor.core.conversation import ModelTurn, ProposedCall, ToolTurn, Turn, UserTurn
from supervisor.core.session import Call, Note, Session, Step


def conversation(session: Session, context_seen: int) -> tuple[Turn, ...]:
    """The turns up to now, with the first `context_seen` items of the inbox at the end."""
    turns: list[Turn] = [UserTurn(text=session.task)]
    notes: dict[int, list[Turn]] = {}
    for note in session.notes:
        notes.setdefault(note.before_step, []).append(_told(note))
    for step in session.steps:
        turns += notes.get(step.number, ())
        turns.append(_said(step))
        turns += [_result(call) for call in step.calls]
    turns += [_told(note) for note in session.inbox[:context_seen]]
    return tuple(turns)


def _said(step: Step) -> ModelTurn:
    calls = tuple(
        ProposedCall(call_id=c.call.ref, tool=c.call.tool, arguments=c.call.arguments) for c in step.calls
    )
    return ModelTurn(text=step.text, calls=calls, native=step.native)


def _told(note: Note) -> UserTurn:
    return UserTurn(text=f"{note.by_name or note.by}: {note.text}")


def _result(call: Call) -> ToolTurn:
    return ToolTurn(call_id=call.call.ref, tool=call.call.tool, content=result_text(call), failed=not call.ok)


def result_text(call: Call) -> str:
    """What a settled call gave, in words the model cannot mistake for another outcome."""
    if call.phase == "denied":
        last = call.decisions[-1]
        why = f" Reason: {last.reason}" if last.reason else ""
        return (
            f"Denied by {last.by_name or last.by}; it did not run.{why} Do not propose the same call again."
        )
    if call.phase == "refused":
        return f"Not run: {call.call.reason}"
    if call.call.control:
        return call.content
    return call.content or ("Done, without output." if call.ok else "Failed, without output.")
