"""The form that changes a proposed call."""

from __future__ import annotations

from typing import Any

from slack_bolt.async_app import AsyncAck

from handlers.action_ids import Target
from handlers.context import ListenerContext
from handlers.listeners.actions.edit_call import form_of, tool_of
from handlers.modals.edit_call import EditForm, Mistakes, saved_modal
from handlers.users import actor_of
from supervisor.core.commands.approvals import expect_seen
from supervisor.core.errors import IllegalEvent, InvalidArguments, InvalidInput
from supervisor.core.messages import Json
from supervisor.core.state import Call, Session
from supervisor.core.text.visible import visible
from supervisor.tools.contract import Tool

Body = dict[str, Any]
MOST_IN_AN_ERROR = 500


async def save(flagman: ListenerContext, ack: AsyncAck, body: Body, view: Body) -> None:
    """Change the call, with the person's approval where they may give it; errors are shown beside their inputs."""
    target = Target.of_form(view)
    actor = actor_of(body)
    session, call = await flagman.call_of(target, actor)
    seen = target.seen[call.call_id]
    expect_seen(call, seen)
    form = await form_of(flagman, session, call)
    if form.marks != target.extra:
        raise IllegalEvent("The tool itself has changed meanwhile; please open this window again.")
    try:
        arguments = _written(form, view, tool_of(flagman, call))
        await _check(flagman, session, call, form, arguments)
    except Mistakes as mistakes:
        errors = {block: visible(text)[:MOST_IN_AN_ERROR] for block, text in mistakes.wrong.items()}
        await ack(response_action="errors", errors=errors)
        return
    after = await flagman.sessions(actor).edit(session.id, call.call_id, arguments, seen=seen)
    if after.call(call.call_id).decisions:
        await ack(response_action="clear")
    else:
        await ack(response_action="update", view=saved_modal(after.call(call.call_id)))


def _written(form: EditForm, view: Body, tool: Tool) -> Json:
    """Return all arguments in the canonical form of the tool. Raises Mistakes."""
    values = {block: inputs.get("value") or {} for block, inputs in view["state"]["values"].items()}
    arguments, wrong = form.read(values)
    try:
        canonical = tool.validate(arguments)
    except InvalidArguments as error:
        raise Mistakes({**form.beside(error.problems), **wrong} or form.about(str(error), {})) from error
    if wrong:
        raise Mistakes(wrong)
    return canonical


async def _check(
    flagman: ListenerContext, session: Session, call: Call, form: EditForm, arguments: Json
) -> None:
    """Raise Mistakes if policy does not accept the call with these arguments."""
    try:
        await flagman.supervisor.preview_edit(session.id, call.call_id, arguments)
    except InvalidInput as error:
        raise Mistakes(form.about(str(error), arguments)) from error
