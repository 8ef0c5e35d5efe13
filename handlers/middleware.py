"""The one place where a listener is kept in time, and where its error becomes a sentence for the person."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any, cast

import aiohttp
from slack_bolt import BoltResponse
from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncRespond
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from handlers.blocks.text import moment, person
from storage.errors import IdempotencyKeyKnown, StorageError
from supervisor.core.errors import AlreadyDecided, FlagmanError, NotAllowed
from supervisor.core.text.visible import visible

# Slack waits three seconds for an acknowledgement.
LIMIT_SECONDS = 2.5
_log = logging.getLogger("flagman.slack")
_LOOK = "Please look at the session before you try again."
_DOWN = f"Flagman cannot reach its store right now, so that may not have been done. {_LOOK}"
_SLOW = f"Flagman could not finish that in time, so it is not known whether it was done. {_LOOK}"
_FAULT = f"Something went wrong inside Flagman; the details are in its log. {_LOOK}"
_LATE = "That took too long for Slack to open a window. Please click again."
Listener = Callable[..., Awaitable[None]]
_telling: set[asyncio.Task[None]] = set()


class _InTime:
    """An app whose listeners are given up in time for the person to be told; an append is whole or not at all."""

    def __init__(self, app: AsyncApp) -> None:
        self._app = app

    def __getattr__(self, kind: str) -> Callable[..., Any]:
        register = getattr(self._app, kind)

        def at(*constraints: Any) -> Callable[[Listener], Listener]:
            def attach(listener: Listener) -> Listener:
                register(*constraints)(_limited(listener))
                return listener

            return attach

        return at


def in_time(app: AsyncApp) -> AsyncApp:
    """The app to register listeners on."""
    return cast(AsyncApp, _InTime(app))


def _limited(listener: Listener) -> Listener:
    @wraps(listener)
    async def limited(**arguments: Any) -> None:
        async with asyncio.timeout(LIMIT_SECONDS):
            await listener(**arguments)

    return limited


def register(app: AsyncApp) -> None:
    """Turn errors of every listener round."""

    @app.error
    async def turn_round(
        error: Exception, body: dict[str, Any], ack: AsyncAck, respond: AsyncRespond, client: AsyncWebClient
    ) -> BoltResponse:
        _note(error)
        words = sentence(error)
        inputs = [b["block_id"] for b in (body.get("view") or {}).get("blocks", []) if b["type"] == "input"]
        if body.get("type") == "view_submission" and inputs:
            return await ack(response_action="errors", errors={inputs[0]: in_plain_words(error)[:500]})
        if body.get("command"):
            return await ack(text=words, response_type="ephemeral")
        if not (isinstance(error, IdempotencyKeyKnown) and body.get("event")):
            # Slack is answered first: the sentence may take its time.
            task = asyncio.create_task(_tell(body, words, respond, client))
            _telling.add(task)
            task.add_done_callback(_telling.discard)
        return await ack()


async def _tell(body: dict[str, Any], words: str, respond: AsyncRespond, client: AsyncWebClient) -> None:
    event = body.get("event") or {}
    try:
        if body.get("response_url"):
            await respond(text=words, response_type="ephemeral", replace_original=False)
        elif event.get("channel") and event.get("user"):
            await client.chat_postEphemeral(
                channel=event["channel"], user=event["user"], thread_ts=event.get("thread_ts"), text=words
            )
        elif isinstance(body.get("user"), dict):
            await client.chat_postMessage(channel=body["user"]["id"], text=words)
    except (TimeoutError, SlackApiError, aiohttp.ClientError, OSError) as problem:
        _log.warning("the sentence “%s” could not be shown: %s", words, problem)


def sentence(error: Exception) -> str:
    """What the person reads in a message; details of faults go to the log only."""
    match error:
        case AlreadyDecided():
            by = person(error.by, error.name)
            return f":information_source: {error.what} was already {error.verdict} by {by} at {moment(error.at)}."
        case NotAllowed() if error.users or error.groups:
            whom = [person(f"slack:{user.removeprefix('slack:')}") for user in error.users]
            whom += [_safe(f"a member of {group}") for group in error.groups]
            return f":information_source: You may not decide on this call. Ask {' or '.join(whom)}."
        case FlagmanError() | IdempotencyKeyKnown():
            return f":information_source: {_safe(in_plain_words(error))}"
        case SlackApiError() if _code(error) in ("expired_trigger_id", "exchanged_trigger_id"):
            return f":information_source: {_LATE}"
        case _:
            return f":warning: {in_plain_words(error)}"


def in_plain_words(error: Exception) -> str:
    """The same where Slack shows text as it is, as in a form."""
    match error:
        case FlagmanError():
            return visible(str(error))
        case IdempotencyKeyKnown():
            return "That was already done."
        case StorageError():
            return _DOWN
        case TimeoutError():
            return _SLOW
        case _:
            return _FAULT


def _note(error: Exception) -> None:
    """For those who run Flagman: refusals are no news, faults are."""
    match error:
        case FlagmanError():
            if error.status >= 500:
                _log.error("%s: %s", error.code, error)
        case IdempotencyKeyKnown():
            pass
        case StorageError():
            _log.error("store: %s", error)
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


def _safe(text: str) -> str:
    """Our own sentence, in which somebody's words may stand: no mention and no link comes of them."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
