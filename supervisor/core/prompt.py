"""Makes the turns of a request from a session, in order and with a result for every call."""

from __future__ import annotations

from collections.abc import Sequence

from supervisor.core.digest import canonical_json
from supervisor.core.messages import ModelTurn, ProposedCall, ToolTurn, Turn, UserTurn
from supervisor.core.persona import Persona
from supervisor.core.records import Note
from supervisor.core.state import Call, Session, Step

SUM_UP = (
    "Sum up everything above for yourself: from now on you will read only the task and this summary. Keep every fact, "
    "decision (by whom), file, identifier and number that may still be needed, what was tried and did not work, and "
    "what is left to do. Write plain text and call no tool."
)


# How many decisions of summed up steps the model reads again, the last ones.
DECISIONS_TOLD = 50


def instructions(persona: Persona, roster: Sequence[Persona]) -> str:
    """Return the system prompt; `roster` are the personas that the agent may launch."""
    if not roster:
        return persona.instructions
    lines = [f"- `{other.name}`: {other.description}" for other in roster]
    return "\n".join([persona.instructions, "", "You may launch these as sub-agents:", *lines])


def conversation(session: Session, context_seen: int) -> tuple[Turn, ...]:
    """Return the turns up to now, with the first `context_seen` items of the inbox at the end."""
    return (
        *opening_turns(session),
        *steps_told(session, summed_up(session)),
        *inbox_told(session, context_seen),
    )


def to_sum_up(session: Session, through_step: int) -> tuple[Turn, ...]:
    """Return the turns up to a step, and the request to sum them up."""
    told = steps_told(session, summed_up(session), through_step)
    return (*opening_turns(session), *told, UserTurn(text=SUM_UP))


def summed_up(session: Session) -> int:
    """Return the number of first steps that are replaced by a summary."""
    return session.compactions[-1].through_step if session.compactions else 0


def opening_turns(session: Session) -> list[Turn]:
    """Return the first turns: the task, and in place of the steps that were summed up the summary and the decisions."""
    turns: list[Turn] = [UserTurn(text=session.task)]
    if session.compactions:
        last = session.compactions[-1]
        turns.append(UserTurn(text=f"Your summary of the steps up to {last.through_step}:\n{last.summary}"))
        # A summary may leave them out, and they hold for what follows.
        steps = session.steps[: last.through_step]
        noted = [call.noted for step in steps for call in step.calls if call.noted][-DECISIONS_TOLD:]
        if noted:
            lines = "\n".join(f"- {one.text}" for one in noted)
            turns.append(UserTurn(text=f"Decisions that you noted in these steps, word for word:\n{lines}"))
    return turns


def steps_told(session: Session, after: int, through: int | None = None) -> list[Turn]:
    """Return the turns of the steps after the first `after`, with the messages before each; later steps change none."""
    turns: list[Turn] = []
    notes: dict[int, list[Turn]] = {}
    for note in reversed(session.notes):
        if note.before_step <= after:
            break
        notes.setdefault(note.before_step, []).insert(0, _told(note))
    for step in session.steps[after:through]:
        turns += notes.get(step.number, ())
        turns.append(_said(step))
        turns += [_result(call) for call in step.calls]
    return turns


def inbox_told(session: Session, context_seen: int) -> list[Turn]:
    return [_told(note) for note in session.inbox[:context_seen]]


def _said(step: Step) -> ModelTurn:
    proposed = (c.proposed or c.call for c in step.calls)
    calls = tuple(ProposedCall(call_id=c.ref, tool=c.tool, arguments=c.arguments) for c in proposed)
    return ModelTurn(text=step.text, calls=calls, native=step.native)


def _told(note: Note) -> UserTurn:
    return UserTurn(text=f"{note.by_name or note.by}: {note.text}")


def _result(call: Call) -> ToolTurn:
    return ToolTurn(call_id=call.call.ref, tool=call.call.tool, content=result_text(call), failed=not call.ok)


def result_text(call: Call) -> str:
    """Return the result of a settled call, worded differently for each outcome."""
    if call.phase == "denied":
        last = call.decisions[-1]
        why = f" Reason: {last.reason}" if last.reason else ""
        return (
            f"Denied by {last.by_name or last.by}; it did not run.{why} Do not propose the same call again."
        )
    if call.phase == "answered":
        last = call.decisions[-1]
        return f"{last.by_name or last.by} answered in place of running it; it did not run. Answer: {last.reason}"
    if call.phase == "expired":
        return (
            "Expired: nobody decided in time, so it did not run. Nobody denied it; propose it again only if it is "
            "still needed."
        )
    if call.phase == "superseded":
        who = call.closed_by_name or call.closed_by
        return f"Superseded: {who} took the request back, and it did not run. Do this instead: {call.content}"
    if call.phase == "refused":
        return f"Not run: {call.content}"
    if call.proposed:
        return f"{_changed(call)}\n{_outcome(call)}"
    return _outcome(call)


def _changed(call: Call) -> str:
    arguments = (
        call.call.arguments if isinstance(call.call.arguments, str) else canonical_json(call.call.arguments)
    )
    who = call.edited_by_name or call.edited_by
    return f"{who} changed the arguments and it ran with these instead: {arguments}. Do not repeat the first ones."


def _outcome(call: Call) -> str:
    if call.call.control:
        return call.content
    return call.content or ("Done, without output." if call.ok else "Failed, without output.")
