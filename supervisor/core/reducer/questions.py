"""Reduction of what a call asks people and waits for: questions of the agent, requests of a server, and waits."""

from __future__ import annotations

from typing import Any

from supervisor.core.elicitation.answers import options_of
from supervisor.core.elicitation.fields import Unfillable
from supervisor.core.elicitation.request import AskedInput, Inputs
from supervisor.core.errors import IllegalEvent
from supervisor.core.events import (
    InputGiven,
    InputRequested,
    QuestionAnswered,
    QuestionAsked,
    WaitBegun,
    WaitEnded,
)
from supervisor.core.reducer.calls import change_call, on_calls
from supervisor.core.reducer.session import reduce
from supervisor.core.state import Call, Session


@reduce.register
def _asking_event(
    event: QuestionAsked | QuestionAnswered | InputRequested | InputGiven | WaitBegun | WaitEnded,
    session: Session,
) -> dict[str, Any]:
    return on_calls(session, event, (event.call_id,))


@change_call.register
def _asked(event: QuestionAsked, session: Session, call: Call) -> dict[str, Any]:
    return {
        "phase": "asking",
        "question": event.question,
        "options": event.options,
        "requested_at": event.at,
    }


@change_call.register
def _answered(event: QuestionAnswered, session: Session, call: Call) -> dict[str, Any]:
    if call.inputs.open:
        raise IllegalEvent("That is a question of a server, which is answered in its own form.")
    return {"phase": "finished", "content": event.answer, "answered_by": event.by, "finished_at": event.at}


@change_call.register
def _wait_begun(event: WaitBegun, session: Session, call: Call) -> dict[str, Any]:
    return {"phase": "sleeping", "requested_at": event.at}


@change_call.register
def _wait_ended(event: WaitEnded, session: Session, call: Call) -> dict[str, Any]:
    return {"phase": "finished", "content": event.content, "finished_at": event.at}


@change_call.register
def _input_requested(event: InputRequested, session: Session, call: Call) -> dict[str, Any]:
    if event.attempt != call.attempt:
        raise IllegalEvent(f"Attempt {event.attempt} of call {call.call_id} is not under way.")
    if not event.requests or (call.inputs.open and call.phase == "asking"):
        raise IllegalEvent("A server asks for one thing after the other.")
    new = [AskedInput(request=one, at=event.at, until=event.until) for one in event.requests]
    inputs = Inputs(
        asked=(*call.inputs.asked, *new),
        begin=len(call.inputs.asked),
        # What was given before still stands where the call is held open.
        state=event.state if event.until is None else call.inputs.state,
        continues=event.until is None,
    )
    return {"phase": "asking", "inputs": inputs, "requested_at": event.at, **_put(call, inputs)}


@change_call.register
def _input_given(event: InputGiven, session: Session, call: Call) -> dict[str, Any]:
    inputs = call.inputs
    if inputs.open is None:
        raise IllegalEvent("That question was already answered.")
    if inputs.open.request.key != event.key:
        raise IllegalEvent("That answer is for another question.")
    held = inputs.open.until is not None
    given = {
        "action": event.action,
        "content": event.content,
        "answer": event.answer,
        "by": event.by,
        "given_at": event.at,
    }
    at = next(n for n, one in enumerate(inputs.asked) if one is inputs.open)
    # Who refuses one of several requests refuses what they are for.
    ends = len(inputs.asked) if event.action != "accept" else at + 1
    asked = (
        *inputs.asked[:at],
        *(one.model_copy(update=given) for one in inputs.asked[at:ends]),
        *inputs.asked[ends:],
    )
    after = inputs.model_copy(update={"asked": asked})
    if after.open:
        return {"inputs": after, **_put(call, after)}
    goes_on = "ready" if call.call.mode == "allow" else "approved"
    return {"inputs": after, "phase": "started" if held else goes_on}


def _put(call: Call, inputs: Inputs) -> dict[str, Any]:
    """Return the fields of a call of which people are asked the first open request."""
    assert inputs.open, "it was just asked"
    request = inputs.open.request
    try:
        options = options_of(request)
    except Unfillable as error:
        raise IllegalEvent(f"People cannot be asked for that: {error}.") from error
    return {"question": request.message, "options": options, "request": call.request + 1}
