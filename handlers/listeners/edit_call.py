"""Changing a proposed call: the window opens, and what was written in it is checked, decided and recorded."""

from __future__ import annotations

from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from handlers.action_ids import Action, Target, View
from handlers.context import Deps
from handlers.modals import forms as modals
from handlers.modals.edit_call import EditForm, Mistakes, edit_form
from handlers.users import actor_of
from supervisor.core.errors import IllegalEvent, InvalidInput
from supervisor.core.events import Actor
from supervisor.core.messages import Json
from supervisor.core.policy import right_to_decide
from supervisor.core.state import Call, Session
from supervisor.core.text.visible import visible
from supervisor.deciding import same_call
from supervisor.tools.contract import InvalidArguments, Tool

Body = dict[str, Any]
MOST_IN_AN_ERROR = 500


def register(app: AsyncApp, deps: Deps) -> None:
    """Listen to Edit, and to its window."""

    @app.action(Action.EDIT)
    async def edit(ack: AsyncAck, body: Body, client: AsyncWebClient) -> None:
        target = Target.decode(str(body["actions"][0].get("value") or ""))
        session = await deps.supervisor.get(target.session_id)
        call = _shown(session, target)
        right_to_decide(session, call, await deps.people.deciding(actor_of(body), session, target.call_ids))
        view = (await _form(deps, session, call)).view(session)
        await client.views_open(trigger_id=body["trigger_id"], view=view)
        await ack()

    @app.view(View.EDIT)
    async def save(ack: AsyncAck, body: Body, view: Body) -> None:
        target = Target.decode(view["private_metadata"])
        session = await deps.supervisor.get(target.session_id)
        call = _shown(session, target)
        form = await _form(deps, session, call)
        if form.marks != target.extra:
            raise IllegalEvent("The tool itself has changed meanwhile; please open this window again.")
        try:
            arguments = _written(form, view, _tool(deps, call))
            actor = await _deciding(deps, session, call, form, arguments, actor_of(body))
        except Mistakes as mistakes:
            errors = {block: visible(text)[:MOST_IN_AN_ERROR] for block, text in mistakes.wrong.items()}
            await ack(response_action="errors", errors=errors)
            return
        digest = target.shown.get(call.call_id, "")
        after = await deps.supervisor.change(session.id, call.call_id, arguments, actor, seen=digest)
        if after.call(call.call_id).decisions:
            await ack()
        else:
            await ack(response_action="update", view=modals.saved(after.call(call.call_id)))


def _shown(session: Session, target: Target) -> Call:
    """The call that the person saw. Raises IllegalEvent where it is another one by now."""
    call = session.call(target.call_ids[0])
    same_call(call, target.shown.get(call.call_id, ""))
    return call


def _tool(deps: Deps, call: Call) -> Tool:
    tool = deps.supervisor.tools.get(call.call.tool)
    if tool is None:
        raise IllegalEvent(f"The tool `{call.call.tool}` is no longer there, so its call cannot be changed.")
    return tool


async def _form(deps: Deps, session: Session, call: Call) -> EditForm:
    persona = await deps.supervisor.personas.pinned(session)
    roster = [other.name for other in deps.supervisor.personas.roster(persona)]
    return edit_form(call, _tool(deps, call).spec.schema_, roster, deps.mask)


def _written(form: EditForm, view: Body, tool: Tool) -> Json:
    """All arguments, as the tool takes them. Raises Mistakes."""
    values = {block: inputs.get("value") or {} for block, inputs in view["state"]["values"].items()}
    arguments, wrong = form.read(values)
    try:
        canonical = tool.validate(arguments)
    except InvalidArguments as error:
        raise Mistakes({**form.beside(error.problems), **wrong} or form.about(str(error), {})) from error
    if wrong:
        raise Mistakes(wrong)
    return canonical


async def _deciding(
    deps: Deps, session: Session, call: Call, form: EditForm, arguments: Json, actor: Actor
) -> Actor:
    """The person with those groups that may decide on the call as it was, or as it would be. Raises Mistakes."""
    try:
        after = await deps.supervisor.changed(session.id, call.call_id, arguments)
    except InvalidInput as error:
        raise Mistakes(form.about(str(error), arguments)) from error
    rules = [rule for rule in (call.call.approvers, after.approvers) if rule]
    return await deps.people.in_groups(actor, {group for rule in rules for group in rule.groups})
