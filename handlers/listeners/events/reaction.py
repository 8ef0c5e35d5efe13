"""Reactions to messages: where the persona allows it, one of them decides on the call of the message."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from slack_sdk.web.async_client import AsyncWebClient

from handlers.action_ids import Action, Target
from handlers.context import ListenerContext
from handlers.middleware import message_of
from handlers.private_answers import answer_privately
from handlers.team_ids import qualified
from handlers.users import actor_of
from supervisor.contract.requests import DecisionRequest
from supervisor.core.errors import FlagmanError, InvalidInput, LogUnreadable, SessionNotFound
from supervisor.core.state import Session

Body = dict[str, Any]
VERDICTS: dict[str, Literal["approve", "deny"]] = {"white_check_mark": "approve", "x": "deny"}
# Slack delivers an event up to four times; a person is told once why their reaction to a message did not count.
REDELIVERED, TOLD = timedelta(hours=1), timedelta(days=7)
OLDEST = timedelta(minutes=10)
# The blocks with the buttons of one call: of its row, and of the card of a session with one call.
_OF_ONE_CALL = ("act:", "card:")
_LATE = "Your reaction came more than ten minutes late, so it did not count. Press the button instead."
_CHANGED = "The call was changed since your reaction, so it did not count. Look at it, and press the button."


async def added(
    flagman: ListenerContext, body: Body, event: Body, client: AsyncWebClient, context: Any
) -> None:
    """Approve or deny the call of a message that shows exactly one which waits; all else is ignored.

    Who may not decide is told so privately, once for a message.
    """
    verdict, item = VERDICTS.get(str(event.get("reaction"))), event.get("item") or {}
    bot = str(context.get("bot_user_id") or "")
    if verdict is None or item.get("type") != "message" or event.get("item_user") != bot:
        return
    channel, ts, person = str(item["channel"]), str(item["ts"]), str(event["user"])
    delivery = f"reaction:{qualified(flagman.team, channel)}:{ts}:{person}:{event.get('event_ts')}"
    if person == bot or await flagman.rows.delivered(delivery):
        return
    message = await _message(client, channel, ts, bot)
    target = _only_call(message) if _stands(message, str(event["reaction"]), person) else None
    session = await _allowing(flagman, target) if target else None
    if target and session:
        try:
            await _decide(flagman, body, event, session, target, verdict, _shown_since(message))
        except FlagmanError as error:
            if error.fault:
                raise
            await _tell_once(flagman, client, channel, message, person, error)
    await flagman.rows.deliver(delivery, REDELIVERED)


async def _message(client: AsyncWebClient, channel: str, ts: str, bot: str) -> Body:
    """The message of the bot at a place as it is now; empty where it is not there, or by somebody else.

    Another app can post buttons that look like these.
    """
    answer: Any = await client.conversations_replies(
        channel=channel, ts=ts, oldest=ts, latest=ts, inclusive=True, limit=10
    )
    found = (one for one in answer.get("messages") or () if one.get("ts") == ts and one.get("user") == bot)
    return next(found, {})


def _stands(message: Body, name: str, person: str) -> bool:
    """Whether the person's reaction still stands; an event may come after it was removed."""
    found = (one for one in message.get("reactions") or () if one.get("name") == name)
    return any(person in one.get("users") or () for one in found)


def _only_call(message: Body) -> Target | None:
    """The call that the buttons of a message approve, if it is one."""
    blocks = [b for b in message.get("blocks") or () if str(b.get("block_id")).startswith(_OF_ONE_CALL)]
    values = {
        str(element.get("value"))
        for block in blocks
        for element in block.get("elements") or ()
        if element.get("action_id") == Action.APPROVE
    }
    return Target.decode(values.pop()) if len(values) == 1 else None


def _shown_since(message: Body) -> datetime:
    """When the message got its present form: a person who reacted before has seen another one."""
    return datetime.fromtimestamp(float((message.get("edited") or message)["ts"]), UTC)


async def _allowing(flagman: ListenerContext, target: Target) -> Session | None:
    """The session, if its persona lets reactions decide."""
    try:
        session = await flagman.supervisor.get(target.session_id)
        persona = await flagman.supervisor.personas.load_pinned(session)
    except (SessionNotFound, LogUnreadable):
        return None
    return session if persona.takes_reactions else None


async def _decide(
    flagman: ListenerContext,
    body: Body,
    event: Body,
    session: Session,
    target: Target,
    verdict: Literal["approve", "deny"],
    shown_since: datetime,
) -> None:
    """Decide on the call as the message shows it. Raises FlagmanError, also for what was not seen like this."""
    call_id, seen = target.first
    reacted_at = datetime.fromtimestamp(float(event.get("event_ts") or 0), UTC)
    if flagman.clock() - reacted_at > OLDEST:
        raise InvalidInput(_LATE)
    asked_at = session.call(call_id).asked_at
    if (asked_at and asked_at > reacted_at) or shown_since > reacted_at:
        raise InvalidInput(_CHANGED)
    actor = actor_of(body).model_copy(update={"how": "reaction"})
    request = DecisionRequest.of(verdict=verdict, digest=seen.digest, request=seen.request)
    await flagman.sessions(actor).decide(session.id, call_id, request)


async def _tell_once(
    flagman: ListenerContext,
    client: AsyncWebClient,
    channel: str,
    message: Body,
    person: str,
    error: FlagmanError,
) -> None:
    mark = f"reaction told:{qualified(flagman.team, channel)}:{message['ts']}:{person}"
    if await flagman.rows.delivered(mark):
        return
    thread_ts = message.get("thread_ts")
    place = {"channel": channel, "user": person, "thread_ts": "" if thread_ts == message["ts"] else thread_ts}
    text = message_of(error, flagman.command, flagman.mask)
    await answer_privately({"event": place}, client, text)
    await flagman.rows.deliver(mark, TOLD)
