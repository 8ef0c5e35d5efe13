"""Limits the time of all listeners, and turns their errors into messages for the person."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable
from inspect import Parameter, Signature, signature
from typing import Any, Protocol

from slack_bolt import BoltResponse
from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncRespond
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from handlers.blocks.text import moment, person
from handlers.private_answers import answer_privately
from handlers.users import TEAM
from storage.errors import IdempotencyKeyKnown, NotReplicated, StorageError, StoreRefused, note_outage
from supervisor.core.errors import (
    AlreadyDecided,
    FlagmanError,
    NotAllowed,
    SessionNotFound,
)
from supervisor.core.text.masking import Masker
from supervisor.core.text.visible import visible

# Slack waits three seconds for an acknowledgement.
LIMIT_SECONDS = 2.5
# In Bolt's context of a request, the context of the listeners of its workspace.
CONTEXT = "flagman"
_log = logging.getLogger("flagman.slack")
_LOOK = "Please look at the session before you try again."
_DOWN = f"Flagman cannot reach its store right now, so that may not have been done. {_LOOK}"
_SLOW = f"Flagman could not finish that in time, so it is not known whether it was done. {_LOOK}"
_FAULT = f"Something went wrong inside Flagman; the details are in its log. {_LOOK}"
_LATE = "That took too long for Slack to open a window. Please click again."
Constraint = str | re.Pattern[str]
Listener = Callable[..., Awaitable[None]]
_telling: set[asyncio.Task[None]] = set()


class HasTeam(Protocol):
    """The context of the listeners of a workspace."""

    @property
    def team(self) -> str: ...


class Router:
    """Attaches listeners to a Bolt app, with the context of their workspace as first argument and a time limit.

    That context is `flagman`, or what is entered under `CONTEXT` in Bolt's for the workspace. When a listener is
    cancelled at the limit, its events are either all appended or none.
    """

    def __init__(self, app: AsyncApp, flagman: HasTeam) -> None:
        self._app, self._flagman = app, flagman

    def command(self, name: str, listener: Listener) -> None:
        self._app.command(name)(self._bound(listener))

    def action(self, constraint: Constraint, listener: Listener) -> None:
        self._app.action(constraint)(self._bound(listener))

    def view(self, callback_id: str, listener: Listener) -> None:
        self._app.view(callback_id)(self._bound(listener))

    def event(self, kind: str, listener: Listener) -> None:
        self._app.event(kind)(self._bound(listener))

    def shortcut(self, callback_id: str, listener: Listener) -> None:
        self._app.shortcut(callback_id)(self._bound(listener))

    def _bound(self, listener: Listener) -> Listener:
        # Bolt passes arguments by the names of the parameters; the first parameter is the context.
        _, *parameters = signature(listener).parameters.values()
        names = [parameter.name for parameter in parameters]

        async def bound(**arguments: Any) -> None:
            flagman: HasTeam = arguments["context"].get(CONTEXT) or self._flagman
            arguments["body"][TEAM] = flagman.team
            async with asyncio.timeout(LIMIT_SECONDS):
                await listener(flagman, **{name: arguments[name] for name in names})

        further = [
            Parameter(name, Parameter.POSITIONAL_OR_KEYWORD)
            for name in ("body", "context")
            if name not in names
        ]
        bound.__signature__ = Signature([*parameters, *further])  # type: ignore[attr-defined]
        bound.__name__ = listener.__name__
        return bound


def register(app: AsyncApp, command: str, mask: Masker) -> None:
    """Have errors of listeners answered to the person, secrets masked; `command` is the slash command for hints."""

    @app.error
    async def answer(
        error: Exception, body: dict[str, Any], ack: AsyncAck, respond: AsyncRespond, client: AsyncWebClient
    ) -> BoltResponse:
        _note(error)
        message = message_of(error, command, mask)
        inputs = [b["block_id"] for b in (body.get("view") or {}).get("blocks", []) if b["type"] == "input"]
        if body.get("type") == "view_submission" and inputs:
            return await ack(
                response_action="errors", errors={inputs[0]: plain_text_of(error, command, mask)[:500]}
            )
        if body.get("command"):
            return await ack(text=message, response_type="ephemeral")
        if not (isinstance(error, IdempotencyKeyKnown) and body.get("event")):
            # The acknowledgement must not wait for the message.
            task = asyncio.create_task(answer_privately(body, client, message, respond=respond))
            _telling.add(task)
            task.add_done_callback(_telling.discard)
        return await ack()


def message_of(error: Exception, command: str, mask: Masker) -> str:
    """Return the message about an error, in mrkdwn; details of internal errors are only logged."""
    match error:
        case AlreadyDecided():
            by = person(error.by, error.name)
            return f":information_source: {error.what} was already {error.verdict} by {by} at {moment(error.at)}."
        case NotAllowed() if error.users or error.groups:
            whom = [person(f"slack:{user.removeprefix('slack:')}") for user in error.users]
            whom += [_inert(f"a member of {group}") for group in error.groups]
            return f":information_source: You may not {error.what}. Ask {' or '.join(whom)}."
        case FlagmanError() | IdempotencyKeyKnown():
            return refusal(plain_text_of(error, command, mask))
        case SlackApiError() if _code(error) in ("expired_trigger_id", "exchanged_trigger_id"):
            return f":information_source: {_LATE}"
        case _:
            return f":warning: {plain_text_of(error, command, mask)}"


def refusal(sentence: str) -> str:
    """Return a refusal in mrkdwn, with mentions and links in the sentence made inactive."""
    return f":information_source: {_inert(sentence)}"


def plain_text_of(error: Exception, command: str, mask: Masker) -> str:
    """Return the message about an error as plain text, for the inputs of forms."""
    match error:
        case SessionNotFound():
            return f"{visible(mask(str(error)))} `{command} list` lists sessions."
        case FlagmanError():
            return visible(mask(str(error)))
        case IdempotencyKeyKnown():
            return "That was already done."
        case StoreRefused():
            return f"{mask(str(error))} So that may not have been done. {_LOOK}"
        case NotReplicated():
            return f"{mask(str(error))} {_LOOK}"
        case StorageError():
            return _DOWN
        case TimeoutError():
            return _SLOW
        case _:
            return _FAULT


def _note(error: Exception) -> None:
    """Log an error, unless it is a refusal for the person only."""
    match error:
        case FlagmanError():
            if error.fault:
                _log.error("%s: %s", error.code, error)
        case IdempotencyKeyKnown():
            pass
        case StorageError():
            note_outage(_log, error)
        case TimeoutError():
            _log.error("a listener was given up after %g s", LIMIT_SECONDS)
        case SlackApiError():
            _log.error("Slack refused what a listener asked: %s", _code(error))
        case _:
            _log.error("unexpected", exc_info=error)


def _code(error: SlackApiError) -> str:
    response: Any = error.response
    data = getattr(response, "data", None)
    return str(data.get("error", "")) if isinstance(data, dict) else ""


def _inert(text: str) -> str:
    """Return the text with Slack's control characters escaped, so that it has no mentions and links."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
