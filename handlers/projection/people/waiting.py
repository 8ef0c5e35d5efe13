"""Keeps one direct message for each person who chose it: what waits for them, updated in place.

It is posted anew, so that Slack notifies, only where something new waits: at most once a minute, and not in the
person's quiet hours. Several processes may keep it; the row of a person says which of them is posting.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from handlers.messages.home import Need
from handlers.messages.inbox.waiting import MARK, waiting_message
from handlers.messages.message import Message
from handlers.projection.message_rows import Row
from handlers.projection.permalinks import address_of
from handlers.projection.refusals import MessageDeleted, RetryLater, SlackRejected
from handlers.projection.slack_client import SlackSender
from handlers.projection.turns import Rank
from handlers.team_ids import bare, team_of
from handlers.users import People, ZoneUnknown
from storage.change_feed import ChangeFeed
from storage.connection import end
from storage.errors import StorageError
from storage.projections import ProjectionStore
from storage.rows import RowStore
from supervisor.contract.inbox import OpenRequest
from supervisor.contract.parts import ServiceParts
from supervisor.contract.service import SessionService
from supervisor.core.errors import FlagmanError
from supervisor.core.events import Actor
from supervisor.core.messages import Frozen
from supervisor.core.state import Session
from supervisor.core.text.masking import Masker
from supervisor.notifications import Preference

# Seconds for which changes are collected, and after which the messages are looked at without one.
COLLECT, LOOK = 1.0, 30.0
# The least seconds between two posts to one person, and how long a process may take to post.
APART, POSTING = 60.0, 30.0
# Seconds after which a person is tried again whose direct messages take nothing.
AGAIN = 300.0
# For how long a session that ended is listed, and from how many.
ENDED_KEPT, ENDED_READ = timedelta(days=1), 20
_log = logging.getLogger("flagman.waiting")


class Told(Frozen):
    """The message of one person: where it stands, what it shows, and the items of which it has told by a post.

    `before` are earlier posts that are still to be deleted; until `posting` a process is about to post.
    """

    channel: str = ""
    ts: str = ""
    shows: str = ""
    items: tuple[str, ...] = ()
    posted_at: float = 0
    before: tuple[str, ...] = ()
    posting: float = 0

    @property
    def data(self) -> bytes:
        return self.model_dump_json(exclude_defaults=True).encode()


@dataclass(frozen=True)
class _Shown:
    """What the message of a person is to show, and the names of its items."""

    message: Message
    items: tuple[str, ...]


class WaitingMessages:
    """Brings the messages of all people of a workspace up to date; `workspace` is its address, for links."""

    def __init__(
        self,
        services: ServiceParts,
        sender: SlackSender,
        rows: ProjectionStore,
        told: RowStore,
        people: People,
        mask: Masker,
        slash: str,
        clock: Callable[[], datetime],
        workspace: str = "",
        team: str = "",
    ) -> None:
        self._services, self._sender, self._rows, self._told = services, sender, rows, told
        self._people, self._mask, self._slash, self._clock = people, mask, slash, clock
        self._workspace, self._team = workspace, team
        self._closed: dict[str, float] = {}

    async def keep(self, feed: ChangeFeed) -> None:
        """Keep them current until cancelled."""
        changed = asyncio.Event()
        self._services.notifications.watch(changed.set)
        listening = asyncio.create_task(_listen(feed, changed))
        try:
            while True:
                changed.clear()
                due = await self._bring_up()
                try:
                    async with asyncio.timeout(min(due, LOOK)):
                        await changed.wait()
                except TimeoutError:
                    continue
        finally:
            await end([listening])

    async def _bring_up(self) -> float:
        """Bring all messages up to date; returns the seconds after which one of them is due."""
        try:
            chosen = await self._services.notifications.all()
            rows = {who: Told.model_validate_json(row) for who, row in (await self._told.all()).items()}
        except StorageError as error:
            _log.info("messages on what waits are not kept current for now: %s", error)
            return LOOK
        due = LOOK
        for person, preference in chosen.items():
            if team_of(person) == self._team and (preference.direct or person in rows):
                due = min(due, await self._tried(person, preference, rows.get(person)))
        return max(due, 0.05)

    async def _tried(self, person: str, preference: Preference, row: Told | None) -> float:
        now = self._clock().timestamp()
        if (left := self._closed.get(person, 0) - now) > 0:
            return left
        try:
            return await self._of_one(person, preference, row or Told(), stored=row)
        except RetryLater as wait:
            return wait.seconds
        except SlackRejected as refused:
            _log.warning("%s takes no direct message: %s", person, refused)
            self._closed[person] = now + AGAIN
            with suppress(StorageError):
                await self._services.notifications.note_reached(person, preference, reached=False)
            return AGAIN
        except (FlagmanError, StorageError) as error:
            _log.info("the message on what waits for %s is not current: %s", person, error)
            return APART

    async def _of_one(self, person: str, preference: Preference, row: Told, *, stored: Told | None) -> float:
        """Bring one message up to date; returns the seconds after which it is due again."""
        now = self._clock()
        if (left := row.posting - now.timestamp()) > 0:
            return left
        if not preference.direct:
            await self._take_away(person, row)
            return LOOK
        shown = await self._shown(person, preference)
        settled = await self._without_earlier(person, row, stored)
        row, stored = settled, stored if settled == row else settled
        due = LOOK
        if set(shown.items) - set(row.items):
            left = (await self._next_post(person, preference, row, now) - now).total_seconds()
            if left <= 0:
                due = await self._post(person, row, shown, stored)
                await self._services.notifications.note_reached(person, preference, reached=True)
                return due
            due = left
        if row.ts and row.shows != shown.message.fingerprint:
            await self._update(person, row, shown, stored or row)
        return due

    async def _next_post(self, person: str, preference: Preference, row: Told, now: datetime) -> datetime:
        """When a post may be next: a minute after the last one, and not in quiet hours."""
        earliest = max(now, datetime.fromtimestamp(row.posted_at + APART, now.tzinfo)) if row.ts else now
        if preference.quiet is None:
            return earliest
        try:
            zone = await self._people.zone(Actor(id=person))
        except ZoneUnknown:
            return now + timedelta(seconds=APART)
        return preference.quiet.over_at(earliest, zone)

    async def _post(self, person: str, row: Told, shown: _Shown, stored: Told | None) -> float:
        now = self._clock().timestamp()
        channel = row.channel or await self._sender.direct(bare(person))
        key = f"{MARK}:{person}"
        await self._sender.reserve_post(channel, MARK, key, Rank.REQUEST)
        claimed = row.model_copy(update={"channel": channel, "posting": now + POSTING})
        # The row as it is stored, since what `row` knows besides is not stored yet.
        if not await self._replace(person, stored, claimed):
            return COLLECT
        posted = await self._sender.post(MARK, Row(channel=channel), shown.message)
        told = Told(
            channel=channel,
            ts=posted.ts,
            shows=shown.message.fingerprint,
            items=shown.items,
            posted_at=now,
            before=tuple(filter(None, (*row.before, row.ts))),
        )
        if await self._replace(person, claimed, told):
            await self._without_earlier(person, told, told)
        return LOOK

    async def _without_earlier(self, person: str, row: Told, stored: Told | None) -> Told:
        """Delete earlier posts, also one of a process that died before it recorded it; returns the row without them."""
        if row.posting:
            posts = await self._sender.find(row.channel, "", MARK, MARK, since=row.posting - POSTING)
            newest = max([*posts, row.ts])
            earlier = {*posts, *row.before, row.ts} - {newest, ""}
            row = row.model_copy(
                update={"ts": newest, "shows": "", "before": tuple(sorted(earlier)), "posting": 0}
            )
        for ts in row.before:
            await self._sender.delete(row.channel, ts)
        row = row.model_copy(update={"before": ()})
        if stored and row != stored and not await self._replace(person, stored, row):
            raise RetryLater(COLLECT, f"another process keeps the message of {person}")
        return row

    async def _update(self, person: str, row: Told, shown: _Shown, stored: Told) -> None:
        """Change the message in place, which notifies nobody; what another process has posted meanwhile stays."""
        await self._sender.reserve_update(MARK, f"{MARK}:{person}", Rank.END)
        items = tuple(item for item in row.items if item in shown.items)
        changed = row.model_copy(update={"shows": shown.message.fingerprint, "items": items})
        try:
            await self._sender.update(MARK, Row(channel=row.channel, ts=row.ts), shown.message)
        except MessageDeleted:
            # It comes again with what is new.
            changed = row.model_copy(update={"ts": "", "shows": ""})
        await self._replace(person, stored, changed)

    async def _take_away(self, person: str, row: Told) -> None:
        for ts in filter(None, (*row.before, row.ts)):
            await self._sender.delete(row.channel, ts)
        await self._told.delete(person)

    async def _replace(self, person: str, before: Told | None, row: Told) -> bool:
        if before is None:
            return await self._told.add(person, row.data)
        return await self._told.replace(person, before.data, row.data)

    async def _shown(self, person: str, preference: Preference) -> _Shown:
        sessions = SessionService(self._services, Actor(id=person))
        requests = [one for one in await sessions.inbox() if _is_theirs(one, person)]
        requests.sort(key=lambda one: one.session.changed_at)
        ended = await self._ended(sessions, person, preference)
        needs = [Need(one.kind, one.session, one.call, one.child.id if one.child else "") for one in requests]
        addresses = await self._addresses([*(one.session for one in requests), *ended])
        risks = {name: tool.risk for name, tool in self._services.supervisor.tools.items()}
        message = waiting_message(needs, ended, addresses, self._mask, self._slash, risks)
        return _Shown(message, (*map(_item, requests), *(f"{one.id}:ended" for one in ended)))

    async def _ended(self, sessions: SessionService, person: str, preference: Preference) -> list[Session]:
        """The sessions that the person launched, which ended lately and since they chose to be told so."""
        now = self._clock()
        since = max(preference.since or now, now - ENDED_KEPT)
        found = await sessions.recent("ended", limit=ENDED_READ)
        mine = [one for one in found if one.launched_by == person and not one.lineage]
        return sorted(
            (one for one in mine if one.changed_at > since), key=lambda one: one.changed_at, reverse=True
        )

    async def _addresses(self, sessions: Sequence[Session]) -> dict[str, str]:
        ids = list(dict.fromkeys(key for one in sessions for key in (one.id, one.root)))
        rows = await self._rows.column(ids, "card")
        found = {key: address_of(Row.model_validate_json(row), self._workspace) for key, row in rows.items()}
        return {one.id: found.get(one.id) or found.get(one.root, "") for one in sessions}


async def _listen(feed: ChangeFeed, changed: asyncio.Event) -> None:
    while True:
        try:
            async with feed.subscribe(pause=COLLECT) as changes:
                async for _ in changes:
                    changed.set()
        except StorageError as error:
            _log.info("changes are not heard for now: %s", error)
        await asyncio.sleep(COLLECT)


def _is_theirs(one: OpenRequest, person: str) -> bool:
    """Whether a request is one for this person: by name, as a requester, or where no person requested the session.

    What everybody may decide on is not told to everybody.
    """
    if one.kind == "approval" and one.call and any(rule.named for rule in one.call.call.rules):
        return True
    people = {who for who in one.session.requesters if who.startswith("slack:")}
    return person in people or not people


def _item(one: OpenRequest) -> str:
    """Return the name of a request; another one each time it is made or reminded of."""
    parts = [one.session.id, one.kind]
    if one.call:
        parts += [one.call.call_id, str(one.call.request), str(one.call.reminded)]
    if one.child:
        parts.append(one.child.id)
    if one.kind == "pause":
        parts.append(str(one.session.halts[-1].number))
    return ":".join(parts)
