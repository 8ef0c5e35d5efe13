"""The button Edit on a proposed call, and functions that the listener for its form uses, too."""

from __future__ import annotations

from typing import Any

from slack_bolt.async_app import AsyncAck
from slack_sdk.web.async_client import AsyncWebClient

from handlers.context import ListenerContext
from handlers.listeners.actions.approval import opener
from handlers.modals.edit_call import EditForm, edit_form
from supervisor.core.errors import IllegalEvent
from supervisor.core.state import Call, Session
from supervisor.mcp.tools import tool_of as tool_of_call
from supervisor.tools.contract import Tool

Body = dict[str, Any]


async def open_edit(flagman: ListenerContext, ack: AsyncAck, body: Body, client: AsyncWebClient) -> None:
    """Open the form, if the person may decide on the call. Raises as `decision_on`."""
    session, call = await flagman.decision_on(body, "edit")
    view = (await form_of(flagman, session, call)).view(session)
    await opener(body, client)(trigger_id=body["trigger_id"], view=view)
    await ack()


def tool_of(flagman: ListenerContext, call: Call) -> Tool:
    """Return the tool of a call. Raises IllegalEvent where there is no such tool any more."""
    tool = tool_of_call(flagman.supervisor.tools, call.call)
    if tool is None:
        raise IllegalEvent(f"The tool `{call.call.tool}` is no longer there, so its call cannot be changed.")
    return tool


async def form_of(flagman: ListenerContext, session: Session, call: Call) -> EditForm:
    """Return the form for a call with its present arguments."""
    persona = await flagman.supervisor.personas.load_pinned(session)
    roster = [other.name for other in flagman.supervisor.personas.roster(persona)]
    return edit_form(call, tool_of(flagman, call).spec.schema_, roster, flagman.mask)
