"""Tells people of what happened besides sessions: a schedule with a problem, a persona file that cannot be used."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient

from handlers.blocks.audit import audit_blocks, headline
from handlers.blocks.text import Block, escape, inline_code, moment, mrkdwn, person
from handlers.directories import Directories, WorkspaceGone
from handlers.origin import channel_of
from handlers.projection.marks import mark_of, metadata
from handlers.projection.refusals import ChannelUnavailable, problem_of
from handlers.team_ids import bare, team_of
from handlers.users import UNREACHABLE, code_of
from supervisor.contract.connections import Finished
from supervisor.core.audit.summary import AuditTotals
from supervisor.core.commands.limits import SETTING_LABELS
from supervisor.core.events.base import workspace_of
from supervisor.core.text.format import count
from supervisor.core.text.masking import Masker
from supervisor.core.text.visible import one_line
from supervisor.place_settings import Change, PlaceRow
from supervisor.schedules import Schedule

# The most changes in one announcement, the latest ones.
MOST_LINES = 10
# In the mark of a digest, in place of a session.
_DIGEST = "digest"
_log = logging.getLogger("flagman.slack")


class Announcements:
    """Posts to Slack, once a directory is connected to it; `command` is the slash command."""

    def __init__(self, directory: Directories, mask: Masker, command: str) -> None:
        self._directory, self._mask, self._command = directory, mask, command

    async def schedule_problem(self, schedule: Schedule) -> bool:
        """Tell of a schedule that was paused or could not launch. Returns False where Slack cannot be reached now."""
        try:
            client = await self._directory.client_of(workspace_of(schedule.origin))
        except WorkspaceGone as gone:
            _log.warning("nobody is told of schedule %s: %s", schedule.id, gone)
            return True
        if client is None:
            return False
        who = person(schedule.by, schedule.by_name)
        task = escape(one_line(self._mask(schedule.task), 80))
        why = escape(one_line(self._mask(schedule.last_problem), 300))
        text = f":warning: The schedule `{schedule.id}` of {who} ({escape(schedule.persona)}: {task}) "
        if schedule.due is None:
            text += f"is paused: {why} If it is still needed, schedule it anew (`{self._command} help`)."
        else:
            text += f"could not launch: {why} It is tried again at its next time, {moment(schedule.due, date=True)}."
        maker = bare(schedule.by_owner or schedule.by)
        places = [channel_of(schedule.origin), maker if maker[:1] in ("U", "W") else ""]
        for place in filter(None, places):
            taken = await _post(client, place, text)
            if taken is None:
                return False
            if taken:
                return True
        _log.warning("schedule %s has a problem, and nobody could be told", schedule.id)
        return True

    async def settings_changed(self, row: PlaceRow) -> bool:
        """Tell a channel of the changes of its settings. Returns False where Slack cannot be reached now."""
        try:
            client = await self._directory.client_of(team_of(row.place))
        except WorkspaceGone as gone:
            _log.warning("%s is not told of its settings: %s", row.place, gone)
            return True
        if client is None:
            return False
        lines = [_change_line(change) for change in row.changes[-row.untold :]][-MOST_LINES:]
        lines.append(f"`{self._command} settings` shows what holds here.")
        taken = await _post(client, bare(row.place), "\n".join(lines))
        if taken is False:
            _log.warning("%s is not told of its settings, as it takes no message", row.place)
        return taken is not None

    async def audit_digest(
        self, channel: str, totals: AuditTotals, lost: int, due: datetime, *, again: bool
    ) -> bool:
        """Post the digest that was due then. Returns False where Slack cannot be reached now.

        With `again` a process that died may have posted it, so it is looked for first. A channel that takes no messages
        gets none, which is logged.
        """
        client, key = await self._client(channel), f"{due:%Y%m%dT%H%M}"
        channel = bare(channel)
        if client is None:
            return False
        if again and (found := await _is_posted(client, channel, key, due)) is not False:
            return found is True
        mark = metadata(_DIGEST, key)
        blocks = audit_blocks(totals, lost)
        return await _post(client, channel, headline(totals), blocks, metadata=mark) is not None

    async def connected(self, done: Finished) -> bool:
        """Tell a person privately that a server is connected. Returns False where Slack cannot be reached now."""
        client = await self._client(done.person)
        server, account = done.connection.server, one_line(done.connection.account, 80)
        as_whom = f" as *{escape(account)}*" if account else ""
        goes_on = f" {count(len(done.resumed), 'session')} resumed." if done.resumed else ""
        text = (
            f":electric_plug: You have connected {inline_code(server)}{as_whom}.{goes_on} "
            f"If that was not you, remove it: {inline_code(f'{self._command} connections remove {server}')}"
        )
        return client is not None and await _post(client, bare(done.person), text) is not None

    async def persona_broken(self, admin: str, said: str) -> bool:
        """Tell an admin what is wrong with a persona file. Returns False where Slack cannot be reached now."""
        client = await self._client(admin)
        text = f":warning: A persona file was changed. {escape(one_line(self._mask(said), 600))}"
        return client is not None and await _post(client, bare(admin), text) is not None

    async def _client(self, ident: str) -> AsyncWebClient | None:
        """The client for the workspace of a person or channel; None where there is none."""
        try:
            return await self._directory.client_of(team_of(ident))
        except WorkspaceGone as gone:
            _log.warning("%s is told nothing: %s", ident, gone)
            return None


async def _is_posted(client: AsyncWebClient, channel: str, key: str, since: datetime) -> bool | None:
    """Whether a digest is in the channel; None where Slack does not say."""
    try:
        answer: Any = await client.conversations_history(
            channel=channel, oldest=str(int(since.timestamp())), limit=200, include_all_metadata=True
        )
    except UNREACHABLE as error:
        _log.warning("it is not known whether %s has the digest: %r", channel, error)
        return None
    return any(mark_of(message) == (_DIGEST, key) for message in answer.get("messages") or ())


async def _post(
    client: AsyncWebClient, place: str, text: str, blocks: Sequence[Block] = (), **more: Any
) -> bool | None:
    """Post a text. Returns False where the place does not take it, and None where Slack cannot be reached now."""
    try:
        await client.chat_postMessage(channel=place, text=text, blocks=list(blocks) or [mrkdwn(text)], **more)
    except UNREACHABLE as error:
        status = int(getattr(getattr(error, "response", None), "status_code", 503))
        problem = problem_of("chat.postMessage", status, code_of(error))
        if not isinstance(problem, ChannelUnavailable):
            return None
        _log.warning("%s does not take an announcement: %r", place, error)
        return False
    return True


def _change_line(change: Change) -> str:
    """Return who changed a setting of a channel to what, in mrkdwn."""
    who, label = person(change.by, change.by_name), SETTING_LABELS[change.name]
    before = f" (was {inline_code(change.before)})" if change.before else ""
    if not change.after:
        return f":gear: {who} took back *{label}* of this channel{before}."
    return f":gear: {who} set *{label}* of this channel to {inline_code(change.after)}{before}."
