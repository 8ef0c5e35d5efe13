"""The one place where a listener's error becomes a sentence for the person."""

from __future__ import annotations

import logging
from typing import Any

from slack_bolt import BoltResponse
from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncRespond
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from handlers.presenters.text import escape
from storage.errors import IdempotencyKeyKnown, StorageError
from supervisor.core.errors import AlreadyDecided, FlagmanError

_log = logging.getLogger("flagman.slack")
_DOWN = "Flagman cannot reach its store right now, so nothing was changed. Please try again in a moment."
_FAULT = "Something went wrong inside Flagman, and nothing was changed. The log has the details."
_LATE = "That took too long for Slack to open a window. Please click again."


def register(app: AsyncApp) -> None:
    """Turn errors of every listener round."""

    @app.error
    async def turn_round(
        error: Exception, body: dict[str, Any], ack: AsyncAck, respond: AsyncRespond, client: AsyncWebClient
    ) -> BoltResponse:
        words = sentence(error)
        view = body.get("view") if body.get("type") == "view_submission" else None
        if view:
            first = next(b["block_id"] for b in view["blocks"] if b["type"] == "input")
            return await ack(response_action="errors", errors={first: words[:500]})
        if body.get("command"):
            return await ack(text=words, response_type="ephemeral")
        await _tell(body, words, respond, client)
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
        elif body.get("view") and body.get("user"):
            await client.chat_postMessage(channel=body["user"]["id"], text=words)
    except (TimeoutError, SlackApiError, OSError) as problem:
        _log.warning("the sentence “%s” could not be shown: %s", words, problem)


def sentence(error: Exception) -> str:
    """What the person reads; details of faults go to the log only."""
    match error:
        case AlreadyDecided():
            by = error.by.removeprefix("slack:") if error.by.startswith("slack:") else error.by
            at = f"<!date^{int(error.at.timestamp())}^{{time}}|{error.at:%H:%M} UTC>"
            return f":information_source: This call was already {error.verdict} by {escape(by)} at {at}."
        case FlagmanError():
            if error.status >= 500:
                _log.error("%s: %s", error.code, error)
            return f":information_source: {error}"
        case IdempotencyKeyKnown():
            return ":information_source: That was already done."
        case StorageError():
            _log.error("store: %s", error)
            return f":warning: {_DOWN}"
        case SlackApiError() if error.response.get("error") in ("expired_trigger_id", "exchanged_trigger_id"):
            return f":information_source: {_LATE}"
        case _:
            _log.error("unexpected", exc_info=error)
            return f":warning: {_FAULT}"
