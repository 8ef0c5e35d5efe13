"""From the model's reply to an event: every call validated, its digest taken, the policy's ruling recorded."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from supervisor.core.delegation import DELEGATING, problem
from supervisor.core.digest import call_digest, canonical_json
from supervisor.core.errors import InvalidInput
from supervisor.core.events import ModelResponded, ToolCall
from supervisor.core.events.base import GIVE_UP
from supervisor.core.messages import Json, ModelReply, ProposedCall
from supervisor.core.persona import Persona
from supervisor.core.policy import Ruling, may_use, rule
from supervisor.core.text.masking import MASK
from supervisor.core.text.sanitize import clean, clean_text
from supervisor.tools.contract import InvalidArguments, Tool

MAX_CALLS = 50
MAX_NAME = 200


def tools_of(persona: Persona, known: Mapping[str, Tool]) -> dict[str, Tool]:
    """The tools a persona may use; who may launch nobody has no tools for that, and anybody may give up."""
    return {
        name: tool
        for name, tool in known.items()
        if name == GIVE_UP or (may_use(persona, name) and (persona.agents or name not in DELEGATING))
    }


def screen(
    reply: ModelReply,
    *,
    step: int,
    context_seen: int,
    persona: Persona,
    tools: Mapping[str, Tool],
    roster: Collection[str] = (),
    at: datetime,
) -> ModelResponded:
    """The event for a reply: calls that cannot run carry the reason, which the model reads as their result.

    `roster` names the personas that may be launched.
    """
    calls = tuple(
        _ruled(proposed, f"{step}.{position}", position, persona, tools, roster)
        for position, proposed in enumerate(reply.calls, start=1)
    )
    return ModelResponded(
        at=at,
        by=clean_text(f"model:{reply.model}"),
        text=clean_text(reply.text),
        step=step,
        calls=calls,
        usage=reply.usage,
        cost_usd=reply.cost_usd,
        model=clean_text(reply.model),
        duration_ms=reply.duration_ms,
        context_seen=context_seen,
        native=None if reply.native is None else clean_text(reply.native),
    )


def edited(
    call: ToolCall, arguments: Json, persona: Persona, tools: Mapping[str, Tool], roster: Collection[str]
) -> ToolCall:
    """The call with other arguments, ruled anew and asked for in any case. Raises InvalidInput with the reason."""
    proposed = ProposedCall(call_id=call.ref, tool=call.tool, arguments=arguments)
    new = _ruled(proposed, call.call_id, 1, persona, tools, roster)
    if new.mode == "refuse":
        raise InvalidInput(new.reason)
    # Only now it is known to be JSON.
    if MASK in canonical_json(new.arguments) and MASK not in canonical_json(call.arguments):
        raise InvalidInput(
            f"There is {MASK} in place of a secret that was not shown; write the value itself."
        )
    if new.mode == "allow":
        # What a person changes is waved through by those who might have approved it before.
        return new.model_copy(update={"mode": "ask", "approvers": call.approvers})
    return new


def _ruled(
    proposed: ProposedCall,
    call_id: str,
    position: int,
    persona: Persona,
    tools: Mapping[str, Tool],
    roster: Collection[str],
) -> ToolCall:
    try:
        proposed = _cleaned(proposed)
    except InvalidInput as error:
        unreadable = proposed.model_copy(update={"arguments": ""})
        return _refused(_cleaned(unreadable), call_id, f"The arguments cannot be kept. {error}")
    tool = tools.get(proposed.tool)
    if tool is None:
        return _refused(proposed, call_id, f"There is no such tool. You have: {', '.join(tools) or 'none'}.")
    if position > MAX_CALLS:
        return _refused(proposed, call_id, f"At most {MAX_CALLS} calls in one turn; call it again next turn.")
    try:
        arguments = tool.validate(proposed.arguments)
    except InvalidArguments as error:
        return _refused(proposed, call_id, str(error))
    if tool.name in DELEGATING and (wrong := problem(tool.name, arguments, roster)):
        return _refused(proposed, call_id, wrong)
    # Nobody has to wave through that an agent stops.
    given_up = Ruling(mode="allow") if tool.name == GIVE_UP else None
    ruling = given_up or rule(persona, tool.name, arguments, changes=tool.changes)
    if ruling.mode == "deny":
        return _refused(proposed, call_id, f"Policy forbids this call. {ruling.reason}".strip())
    return ToolCall(
        call_id=call_id,
        ref=proposed.call_id,
        tool=tool.name,
        arguments=arguments,
        digest=call_digest(tool.name, arguments),
        mode=ruling.mode,
        control=tool.control,
        idempotent=tool.idempotent,
        approvers=ruling.approvers,
        reason=ruling.reason,
    )


def _cleaned(proposed: ProposedCall) -> ProposedCall:
    return proposed.model_copy(
        update={
            "call_id": clean_text(proposed.call_id),
            "tool": clean_text(proposed.tool)[:MAX_NAME],
            "arguments": clean(proposed.arguments),
        }
    )


def _refused(proposed: ProposedCall, call_id: str, reason: str) -> ToolCall:
    return ToolCall(
        call_id=call_id,
        ref=proposed.call_id,
        tool=proposed.tool,
        arguments=proposed.arguments,
        digest=call_digest(proposed.tool, proposed.arguments),
        mode="refuse",
        reason=reason,
    )
