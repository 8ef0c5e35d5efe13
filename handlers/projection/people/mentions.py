"""Who is mentioned in messages: groups by their ids, and nobody who chose to be told by direct messages alone."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from handlers.blocks.text import escape
from handlers.directory import SlackDirectory
from handlers.messages.message import Message
from handlers.team_ids import actor_id
from handlers.users import UNREACHABLE
from storage.errors import StorageError
from supervisor.core.errors import FlagmanError
from supervisor.core.events import Actor
from supervisor.core.persona import Approvers
from supervisor.core.state import Call, Session
from supervisor.core.text.visible import one_line
from supervisor.notifications import Notifications

_MENTION = re.compile(r"<@([UW][A-Z0-9]+)>")
# Seconds for which what people chose is remembered.
FRESH_SECONDS = 5.0
_log = logging.getLogger("flagman.projector")


class Mentions:
    """Changes what messages mention; where Slack or the store does not answer they stay as they are."""

    def __init__(self, notifications: Notifications, directory: SlackDirectory) -> None:
        self._notifications, self._directory = notifications, directory
        self._unmentioned: frozenset[str] = frozenset()
        self._read_at = 0.0
        self._names: dict[str, str] = {}

    async def with_group_ids(self, session: Session) -> Session:
        """Return the session, in whose open rules groups that are named by their handles are named by their ids."""
        calls = session.calls_in("awaiting")
        if not any(rule.groups or rule.escalate for call in calls for rule in call.call.rules):
            return session
        try:
            ids = await self._directory.group_ids()
        except UNREACHABLE as error:
            _log.info("the ids of groups are not known: %r", error)
            return session
        found = {call.call_id: _with_ids(call, ids) for call in calls}
        steps = tuple(
            step.model_copy(update={"calls": tuple(found.get(call.call_id, call) for call in step.calls)})
            if any(call.call_id in found for call in step.calls)
            else step
            for step in session.steps
        )
        return session.model_copy(update={"steps": steps})

    async def quieted(self, messages: list[Message]) -> list[Message]:
        """Return the messages with names in place of mentions of those who are not to be mentioned."""
        unmentioned = await self._chosen()
        return (
            [await self._quieted(message, unmentioned) for message in messages] if unmentioned else messages
        )

    async def _chosen(self) -> frozenset[str]:
        if not self._read_at or time.monotonic() - self._read_at > FRESH_SECONDS:
            try:
                chosen = await self._notifications.all()
            except StorageError as error:
                _log.info("it is not known how people are told: %s", error)
                return self._unmentioned
            self._read_at = time.monotonic()
            self._unmentioned = frozenset(
                local
                for who, one in chosen.items()
                if not one.mentioned and (local := self._directory.local(who))
            )
        return self._unmentioned

    async def _quieted(self, message: Message, unmentioned: frozenset[str]) -> Message:
        mentioned = set(_MENTION.findall(f"{message.text}{message.blocks}")) & unmentioned
        if not mentioned:
            return message
        names = {who: await self._name(who) for who in sorted(mentioned)}
        blocks = tuple(_named(block, names) for block in message.blocks)
        return replace(message, text=_in_text(message.text, names), blocks=blocks)

    async def _name(self, who: str) -> str:
        if who not in self._names:
            try:
                self._names[who] = (
                    await self._directory.identify(Actor(id=actor_id(self._directory.team, who)))
                ).name
            except FlagmanError:
                return who
        return self._names[who] or who


def _with_ids(call: Call, ids: Mapping[str, str]) -> Call:
    rules = tuple(_rule_with_ids(rule, ids) for rule in call.call.rules)
    update = {"approvers": rules[0] if rules else None, "also": rules[1:]}
    return call.model_copy(update={"call": call.call.model_copy(update=update)})


def _rule_with_ids(rule: Approvers, ids: Mapping[str, str]) -> Approvers:
    update: dict[str, Any] = {"groups": tuple(ids.get(group, group) for group in rule.groups)}
    if rule.escalate:
        groups = tuple(ids.get(group, group) for group in rule.escalate.groups)
        update["escalate"] = rule.escalate.model_copy(update={"groups": groups})
    return rule.model_copy(update=update)


def _named(part: Any, names: Mapping[str, str]) -> Any:
    """Return a part of a message with names in place of mentions, which only mrkdwn has."""
    if isinstance(part, list):
        return [_named(one, names) for one in part]
    if not isinstance(part, dict):
        return part
    if part.get("type") == "mrkdwn":
        return {**part, "text": _in_text(part["text"], names)}
    return {key: _named(value, names) for key, value in part.items()}


def _in_text(text: str, names: Mapping[str, str]) -> str:
    return _MENTION.sub(lambda found: _plain(names[found[1]]) if found[1] in names else found[0], text)


def _plain(name: str) -> str:
    return f"@{escape(one_line(name, 60))}"
