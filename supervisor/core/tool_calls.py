"""Turns a model's reply into an event: validates each call, computes its digest and records the policy's decision."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, Protocol, TypeVar

from supervisor.core.delegation import DELEGATING, problem
from supervisor.core.digest import call_digest, canonical_json
from supervisor.core.errors import InvalidArguments, InvalidInput
from supervisor.core.events import ModelResponded, ToolCall
from supervisor.core.events.base import GIVE_UP
from supervisor.core.messages import Json, ModelReply, ProposedCall, ToolDefinition
from supervisor.core.persona import Persona
from supervisor.core.policy import PolicyDecision, evaluate, may_use
from supervisor.core.text.masking import MASK
from supervisor.core.text.sanitize import clean, clean_text

MAX_CALLS = 50
MAX_NAME = 200


class ToolDeclaration(Protocol):
    """The properties of a tool that the evaluation of a proposed call reads."""

    @property
    def name(self) -> str: ...
    @property
    def changes(self) -> bool: ...
    @property
    def idempotent(self) -> bool: ...
    @property
    def control(self) -> bool: ...
    @property
    def definition(self) -> ToolDefinition | None: ...
    @property
    def validate(self) -> Validate: ...


class Validate(Protocol):
    """The validation of arguments: returns them in canonical form or raises InvalidArguments."""

    def __call__(self, arguments: Any, /) -> Json: ...


KnownTool = TypeVar("KnownTool", bound=ToolDeclaration)


def tools_of(persona: Persona, known: Mapping[str, KnownTool]) -> dict[str, KnownTool]:
    """Return the tools of a persona: always `give_up`, and those that delegate only if it may launch others."""
    return {
        name: tool
        for name, tool in known.items()
        if name == GIVE_UP
        or (
            may_use(persona, name)
            and (persona.agents or name not in DELEGATING)
            and (tool.definition is None or persona.may_reach(tool.definition.server))
        )
    }


def record_reply(
    reply: ModelReply,
    *,
    step: int,
    context_seen: int,
    persona: Persona,
    tools: Mapping[str, ToolDeclaration],
    roster: Collection[str] = (),
    at: datetime,
) -> ModelResponded:
    """Return the event of a reply. A call that cannot run has the reason in it, which the model reads as its result.

    `roster` names the personas that may be launched.
    """
    calls = tuple(
        _judge(proposed, f"{step}.{position}", position, persona, tools, roster, at)
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
        stop_reason=clean_text(reply.stop_reason),
    )


def edit_call(
    call: ToolCall,
    arguments: Json,
    persona: Persona,
    tools: Mapping[str, ToolDeclaration],
    roster: Collection[str],
    at: datetime | None = None,
) -> ToolCall:
    """Return the call with other arguments, evaluated again; it always needs approval. Raises InvalidInput."""
    proposed = ProposedCall(call_id=call.ref, tool=call.tool, arguments=arguments)
    new = _judge(proposed, call.call_id, 1, persona, tools, roster, at)
    if new.mode == "refuse":
        raise InvalidInput(new.reason)
    # Checked after `_judge`, which refuses arguments that are not JSON.
    if MASK in canonical_json(new.arguments) and MASK not in canonical_json(call.arguments):
        raise InvalidInput(
            f"There is {MASK} in place of a secret that was not shown; write the value itself."
        )
    if new.mode == "allow":
        # A call that a person changed keeps its approvers even where policy would now allow it.
        return new.model_copy(update={"mode": "ask", "approvers": call.approvers, "also": call.also})
    return new


def rule_anew(
    call: ToolCall, persona: Persona, tools: Mapping[str, ToolDeclaration], at: datetime
) -> ToolCall | None:
    """Return the call as policy rules at this time, where it no longer allows it without a person; otherwise None."""
    tool = tools.get(call.tool)
    if tool is None or tool.name == GIVE_UP or not isinstance(call.arguments, dict):
        return None
    decision = evaluate(persona, tool.name, call.arguments, changes=tool.changes, at=at)
    if decision.mode == "allow":
        return None
    reason = (
        f"Policy forbids this call. {decision.reason}".strip() if decision.mode == "deny" else decision.reason
    )
    update = {
        "mode": "refuse" if decision.mode == "deny" else "ask",
        "approvers": next(iter(decision.rules), None),
        "also": decision.rules[1:],
        "reason": reason,
    }
    return call.model_copy(update=update)


def redefine(
    call: ToolCall, tool: ToolDeclaration | None, gone: str, persona: Persona, at: datetime
) -> ToolCall | None:
    """Return the call as it is with the tool that its server has now; None where that is still the same one.

    People are asked about it anew, whatever policy says. It is refused where there is no such tool, for the reason in
    `gone`, where its arguments no longer fit, or where policy forbids it.
    """
    if tool is None or not isinstance(call.arguments, dict):
        return call.model_copy(update={"mode": "refuse", "reason": gone})
    if tool.definition == call.definition:
        return None
    try:
        arguments = tool.validate(call.arguments)
    except InvalidArguments as error:
        reason = f"Its server changed `{call.tool}` since it was called, so it did not run. {error}"
        return call.model_copy(update={"mode": "refuse", "reason": reason})
    decision = evaluate(persona, tool.name, arguments, changes=tool.changes, at=at)
    new = call.model_copy(
        update={
            "definition": tool.definition,
            "idempotent": tool.idempotent,
            "mode": "refuse" if decision.mode == "deny" else "ask",
            "approvers": next(iter(decision.rules), None),
            "also": decision.rules[1:],
            "reason": decision.reason,
        }
    )
    return new.model_copy(update={"digest": new.digest_of(new.arguments)})


def _judge(
    proposed: ProposedCall,
    call_id: str,
    position: int,
    persona: Persona,
    tools: Mapping[str, ToolDeclaration],
    roster: Collection[str],
    at: datetime | None,
) -> ToolCall:
    try:
        proposed = _clean(proposed)
    except InvalidInput as error:
        unreadable = proposed.model_copy(update={"arguments": ""})
        return _refuse(_clean(unreadable), call_id, f"The arguments cannot be kept. {error}")
    tool = tools.get(proposed.tool)
    if tool is None:
        return _refuse(proposed, call_id, f"There is no such tool. You have: {', '.join(tools) or 'none'}.")
    if position > MAX_CALLS:
        return _refuse(proposed, call_id, f"At most {MAX_CALLS} calls in one turn; call it again next turn.")
    try:
        arguments = tool.validate(proposed.arguments)
    except InvalidArguments as error:
        return _refuse(proposed, call_id, str(error))
    if tool.name in DELEGATING and (wrong := problem(tool.name, arguments, roster)):
        return _refuse(proposed, call_id, wrong)
    # Stopping needs no approval.
    given_up = PolicyDecision(mode="allow") if tool.name == GIVE_UP else None
    decision = given_up or evaluate(persona, tool.name, arguments, changes=tool.changes, at=at)
    if decision.mode == "deny":
        return _refuse(proposed, call_id, f"Policy forbids this call. {decision.reason}".strip())
    return ToolCall(
        call_id=call_id,
        ref=proposed.call_id,
        tool=tool.name,
        arguments=arguments,
        digest=call_digest(tool.name, arguments, tool.definition.digest if tool.definition else ""),
        mode=decision.mode,
        control=tool.control,
        idempotent=tool.idempotent,
        approvers=next(iter(decision.rules), None),
        also=decision.rules[1:],
        reason=decision.reason,
        definition=tool.definition,
    )


def _clean(proposed: ProposedCall) -> ProposedCall:
    return proposed.model_copy(
        update={
            "call_id": clean_text(proposed.call_id),
            "tool": clean_text(proposed.tool)[:MAX_NAME],
            "arguments": clean(proposed.arguments),
        }
    )


def _refuse(proposed: ProposedCall, call_id: str, reason: str) -> ToolCall:
    return ToolCall(
        call_id=call_id,
        ref=proposed.call_id,
        tool=proposed.tool,
        arguments=proposed.arguments,
        digest=call_digest(proposed.tool, proposed.arguments),
        mode="refuse",
        reason=reason,
    )
