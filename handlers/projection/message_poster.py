"""Brings one message of a session to where it belongs and to what it should show.

Each message has a row: first the intent, then where it stands and what it shows. An intent without a message is looked
up in Slack before it is posted again, and of two posts of one message one stays.
"""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime

from handlers.blocks.text import context, link, not_a_member
from handlers.messages.copies import is_copy
from handlers.messages.message import Message
from handlers.origin import Place
from handlers.projection.audience import Audience
from handlers.projection.message_rows import Row
from handlers.projection.permalinks import Permalinks
from handlers.projection.refusals import (
    ChannelUnavailable,
    MessageDeleted,
    RetryLater,
    SlackRejected,
    TurnLater,
)
from handlers.projection.slack_client import Posted, SlackSender
from handlers.projection.turns import Rank, rank_of_post, rank_of_update
from storage.projections import ProjectionStore
from supervisor.core.errors import FlagmanError
from supervisor.core.events.base import workspace_of
from supervisor.core.state import Session

MOVE_SECONDS = 5.0
# Seconds after which a copy is tried again in a place that did not take it.
AGAIN_SECONDS = 120.0
# Tries at growing distance, about two minutes in all.
MOST_REFUSALS = 6
# Longer than a worker waits for Slack: what it was posting when it died has arrived by then, or never will.
HEARD_SECONDS = 20.0
OTHER_WORKER_SECONDS = 1.0
# How often an open request is looked for where it stands, and how many are remembered to be there.
VERIFY_SECONDS, VERIFIED = 120.0, 10_000
_log = logging.getLogger("flagman.projector")


class MessagePoster:
    """Posts, updates, moves and replaces messages; `audience` says where what a place does not take goes instead."""

    def __init__(
        self, rows: ProjectionStore, sender: SlackSender, clock: Callable[[], datetime], audience: Audience
    ) -> None:
        self._rows, self._sender, self._clock, self._audience = rows, sender, clock, audience
        self._permalinks = Permalinks(sender)
        # How often in a row a place refused a message for a reason that may be mended.
        self._refusals: dict[tuple[str, str, str], int] = {}
        # Where open requests were seen to stand, by the monotonic time at which they were.
        self._verified: OrderedDict[tuple[str, str], float] = OrderedDict()

    async def show(
        self,
        session: Session,
        place: Place,
        message: Message,
        row: Row | None,
        *,
        urgent: bool,
        lost: bool = False,
    ) -> Row:
        """Post the message at `place`, or update it at `row`; returns its row. Raises RetryLater.

        `urgent` is about a first post. `lost`: it may stand already, though no row says so. The row of a copy whose
        place does not take it is `gone`; while it asks for a decision that place is tried again.
        """
        if row and row.gone:
            if not message.decides or abs(self._clock().timestamp() - row.changed_at) < AGAIN_SECONDS:
                return row
            # An account may be active again, or direct messages be switched on.
            row = row.model_copy(update={"gone": False, "ts": "", "shows": ""})
            await self._record(session, message.key, row)
        try:
            # Where an intent stands, or the session was restored, it may have been posted before.
            intended = row is not None and not row.ts
            uncertain = intended or lost or session.restored_at is not None
            row = row or await self._intend(session, place, message, urgent=urgent, lost=lost)
            if not row.ts and uncertain:
                row.ts = await self._sole_post(session, message.key, row, row.intended_at)
                row.look_at = self._heard_by() if row.ts and intended else 0
                if row.ts:
                    await self._record(session, message.key, row)
            if not row.ts:
                posted = await self._post_once(session, message, row, look=intended)
                # A worker that died with its post under way may have been heard since the look above.
                if uncertain:
                    await self._sole_post(session, message.key, row, row.intended_at, keep=posted.ts)
                return posted
            return await self._update(session, message, row)
        except MessageDeleted:
            return await self._replace(session, place, message, row)
        except ChannelUnavailable as closed:
            return await self._leave(session, place, message, row, closed)

    async def retire(self, session: Session, key: str, row: Row) -> float:
        """Take the buttons from a message that the session no longer asks for, also from one that was being posted.

        Returns after how many seconds to call it again, 0 when it is done. Raises RetryLater.
        """
        blocks = (context(":heavy_check_mark: Settled; nothing to do here any more."),)
        try:
            if not row.ts:
                row.ts = await self._sole_post(session, key, row, row.intended_at)
                if not row.ts and (left := self._left(row.intended_at + HEARD_SECONDS)):
                    return left
            if row.ts:
                await self._sender.reserve_update(session.id, key, Rank.END)
                await self._sender.update(session.id, row, Message(key, "Settled.", blocks))
        except (MessageDeleted, SlackRejected) as error:
            _log.info("%s: %s could not be retired: %s", session.id, key, error)
        row.shows = "retired"
        await self._record(session, key, row)
        return 0

    async def _update(self, session: Session, message: Message, row: Row) -> Row:
        shown = await self._located(session, message, row)
        if row.shows == shown.fingerprint:
            if message.asks:
                await self._verify(row)
            return row
        # What a restored session shows is likely as it was, unless something happened since.
        is_new = not (session.restored_at and not row.shows and session.changed_at == session.restored_at)
        rank = rank_of_update(session, shown, row, is_new=is_new)
        try:
            await self._sender.reserve_update(session.id, message.key, rank)
        except TurnLater:
            if rank is not Rank.PROGRESS:
                raise
            return row
        await self._sender.update(session.id, row, shown)
        self._seen(row.channel, row.ts)
        row.show(shown)
        row.changed_at = round(self._clock().timestamp(), 1)
        await self._bind(session, message, row)
        await self._record(session, message.key, row)
        return row

    async def _verify(self, row: Row) -> None:
        """Look from time to time whether a request still stands, and whether the bot is still heard there.

        Raises MessageDeleted or ChannelUnavailable.
        """
        looks = (
            ("", lambda: self._sender.check_channel(row.channel)),
            (row.ts, lambda: self._sender.verify(row.channel, row.ts)),
        )
        for ts, look in looks:
            seen = self._verified.get((row.channel, ts))
            if seen is not None and time.monotonic() - seen < VERIFY_SECONDS:
                continue
            try:
                await look()
            except ChannelUnavailable:
                raise
            except (RetryLater, SlackRejected) as problem:
                _log.info("a request in %s is not looked for: %s", row.channel, problem)
            self._seen(row.channel, ts)

    def _seen(self, channel: str, ts: str) -> None:
        """Remember that a request stood there; the empty ts is for the channel itself."""
        self._verified[channel, ts] = time.monotonic()
        self._verified.move_to_end((channel, ts))
        while len(self._verified) > VERIFIED:
            self._verified.popitem(last=False)

    async def look_again(self, session: Session, key: str, row: Row) -> float:
        """Delete what a worker that died was posting, where Slack took it after the message was posted again.

        Returns after how many seconds to call it, 0 when nothing is left to do. Raises RetryLater.
        """
        if left := self._left(row.look_at):
            return left
        await self._sole_post(session, key, row, row.look_at - HEARD_SECONDS, keep=row.ts)
        row.look_at = 0
        await self._record(session, key, row)
        return 0

    def _left(self, until: float) -> float:
        """Seconds until a time at most `HEARD_SECONDS` away; 0 when it has passed."""
        left = until - self._clock().timestamp()
        # The clock of the worker that recorded the time may be ahead.
        return left if 0 < left <= HEARD_SECONDS + 1 else 0

    def _heard_by(self) -> float:
        return round(self._clock().timestamp() + HEARD_SECONDS, 1)

    async def _sole_post(self, session: Session, key: str, row: Row, since: float, keep: str = "") -> str:
        """The ts of the one post that stays (default: the oldest; empty if there is none); others are deleted."""
        posts = await self._sender.find(row.channel, row.thread_ts, session.id, key, since=since)
        keep = keep or min(posts, default="")
        for ts in posts:
            if ts != keep:
                with suppress(SlackRejected):
                    await self._sender.delete(row.channel, ts)
        return keep

    async def _bind(self, session: Session, message: Message, row: Row) -> None:
        """Record that replies to the card, or to a message outside of its thread, are for this session."""
        if message.key == "card" or not row.thread_ts:
            place = Place(row.channel, thread_ts=row.thread_ts or row.ts, team=workspace_of(session.origin))
            await self._rows.bind_place(place.key, session.id)

    async def _new_row(self, session: Session, place: Place, *, lost: bool = False) -> Row:
        # A person stands for the direct conversation with them.
        alone = place.channel[:1] in ("U", "W")
        channel = await self._sender.direct(place.channel) if alone else place.channel
        since = session.began_at if session.restored_at or lost else self._clock()
        user = place.channel if alone else place.user if channel.startswith("D") else ""
        return Row(channel=channel, thread_ts=place.thread_ts, intended_at=since.timestamp(), user=user)

    async def _intend(
        self, session: Session, place: Place, message: Message, *, urgent: bool, lost: bool
    ) -> Row:
        row = await self._new_row(session, place, lost=lost)
        rank = rank_of_post(session, urgent=urgent)
        await self._sender.reserve_post(row.channel, session.id, message.key, rank)
        if not await self._rows.reserve(session.id, message.key, row.data):
            raise RetryLater(OTHER_WORKER_SECONDS, f"another worker is about to post {message.key}")
        return row

    async def _post_once(self, session: Session, message: Message, intent: Row, *, look: bool = False) -> Row:
        """Post and record it, unless a worker that took over has done so meanwhile: then ours is deleted.

        With `look`, Slack is asked once more later whether it has another post of the message.
        """
        shown = await self._located(session, message, intent)
        try:
            ts, thread_ts = await self._post(session, message.key, intent, shown)
        except (MessageDeleted, ChannelUnavailable) as problem:
            elsewhere = await self._elsewhere(session, message, intent, problem)
            await self._swap(session, message, intent, elsewhere)
            if session.restored_at:
                raise RetryLater(0, f"{message.key} may have been posted there before") from problem
            return await self._post_once(session, message, elsewhere, look=look)
        now = self._clock().timestamp()
        # The intent has served; a paused session's row stays small.
        found = {
            **{"ts": ts, "thread_ts": thread_ts, "intended_at": 0},
            **{"changed_at": round(now, 1)},
        }
        if look:
            found["look_at"] = self._heard_by()
        posted = intent.model_copy(update=found)
        posted.show(shown)
        await self._bind(session, message, posted)
        self._seen(posted.channel, posted.ts)
        try:
            return await self._swap(session, message, intent, posted)
        except RetryLater:
            await self._sender.delete(posted.channel, posted.ts)
            raise

    async def _post(self, session: Session, key: str, intent: Row, shown: Message) -> Posted:
        """Post; a place that goes on refusing for a reason that is not known here is left as one that is closed."""
        place = session.id, key, intent.channel
        try:
            posted = await self._sender.post(session.id, intent, shown)
        except RetryLater as wait:
            if not wait.refused:
                raise
            self._refusals[place] = refusals = self._refusals.get(place, 0) + 1
            if refusals < MOST_REFUSALS:
                raise
            self._refusals.pop(place)
            raise ChannelUnavailable(str(wait)) from wait
        self._refusals.pop(place, None)
        return posted

    async def _elsewhere(
        self, session: Session, message: Message, intent: Row, problem: MessageDeleted | ChannelUnavailable
    ) -> Row:
        """Where it goes instead: into the channel if its thread is deleted, else to the next one who must see it.

        Raises RetryLater where no place takes it; then all places are tried again from the first. A copy goes nowhere
        else, and the error is ChannelUnavailable.
        """
        if is_copy(message.key):
            raise ChannelUnavailable(str(problem)) from problem
        if isinstance(problem, MessageDeleted) and intent.thread_ts:
            return intent.model_copy(update={"thread_ts": ""})
        places = await self._audience.places(session, message)
        for moves, other in enumerate(places[intent.moves :], intent.moves + 1):
            try:
                channel = other if other == self._audience.fallback else await self._sender.direct(other)
            except ChannelUnavailable:
                continue
            except RetryLater as wait:
                if not wait.refused:
                    raise
                continue
            if channel != intent.channel:
                user = "" if channel == other else other
                return intent.model_copy(
                    update={"channel": channel, "thread_ts": "", "moves": moves, "user": user}
                )
        origin = Place.of(session)
        first = origin.channel if origin and origin.channel not in places else intent.channel
        await self._record(session, message.key, Row(channel=first, intended_at=intent.intended_at))
        raise RetryLater(MOVE_SECONDS, f"a message everywhere ({problem})", refused=True)

    async def _leave(
        self, session: Session, place: Place, message: Message, row: Row | None, problem: ChannelUnavailable
    ) -> Row:
        """Post a message that nobody can answer where it stands elsewhere; one that asks nothing stays as it is."""
        if is_copy(message.key) or (row and row.ts and (session.ended or not message.asks)):
            row = row or Row(channel=place.channel)
            row.gone, row.changed_at = True, self._clock().timestamp()
            await self._record(session, message.key, row)
            return row
        standing = row or Row(channel=place.channel, intended_at=self._clock().timestamp())
        row = await self._elsewhere(session, message, standing, problem)
        row = row.model_copy(update={"ts": "", "shows": ""})
        await self._record(session, message.key, row)
        return await self._post_once(session, message, row)

    async def _swap(self, session: Session, message: Message, intent: Row, row: Row) -> Row:
        """The row that stands now, about the message of `row`. Raises RetryLater where it is about another."""
        standing = await self._rows.record_first(session.id, message.key, intent.data, row.data)
        if standing is None:
            return row
        # The one who took over may have found ours, and goes on with it.
        theirs = Row.model_validate_json(standing)
        if not row.ts or theirs.ts != row.ts:
            raise RetryLater(OTHER_WORKER_SECONDS, f"another worker posted {message.key} too")
        return theirs

    async def _replace(self, session: Session, place: Place, message: Message, row: Row | None) -> Row:
        """Post a message that was deleted in Slack again; after the end of the session it stays deleted."""
        if session.ended and row:
            row.gone = True
            await self._record(session, message.key, row)
            return row
        row = await self._new_row(session, place)
        await self._record(session, message.key, row)
        return await self._post_once(session, message, row)

    async def _record(self, session: Session, key: str, row: Row) -> None:
        await self._rows.record(session.id, key, row.data)

    async def _located(self, session: Session, message: Message, row: Row) -> Message:
        """The message for this row: one that stands elsewhere than its session says so, with a link back."""
        origin = Place.of(session)
        if origin is None or not (message.key == "card" or message.asks):
            return message
        if row.channel == origin.channel:
            return await self._with_invitation(message, row)
        if is_copy(message.key):
            return message
        if origin.channel[:1] in ("U", "W") and not row.moves:
            return message
        hint = not_a_member(origin.shown)
        if not origin.shown:
            hint = "Flagman cannot write in the direct conversation in which this began."
        if message.key != "card":
            hint = f"About {link(f'session {session.id}', await self.card_address(session))}. {hint}"
        return replace(message, blocks=(*message.blocks, context(hint)))

    async def _with_invitation(self, message: Message, row: Row) -> Message:
        """The card with a hint where the bot is no member of its channel, in which it is not heard."""
        if message.key != "card" or row.channel[:1] != "C":
            return message
        try:
            outside = await self._audience.is_outside(row.channel)
        except FlagmanError as problem:
            _log.info("it is not known whether %s is to be joined: %s", row.channel, problem)
            return message
        why = not_a_member(f"<#{row.channel}>")
        hint = f":information_source: {why} Until then buttons work here, and replies are not heard."
        return replace(message, blocks=(*message.blocks, context(hint))) if outside else message

    async def card_address(self, session: Session) -> str:
        """The address of the session's card, or of that of its root; empty where Slack does not give it."""
        cards = await self._rows.column(list(dict.fromkeys((session.id, session.root))), "card")
        stored = cards.get(session.id) or cards.get(session.root)
        card = Row.model_validate_json(stored) if stored else None
        return await self.address_of(card) if card and card.ts and not card.gone else ""

    async def address_of(self, row: Row) -> str:
        """The address of the message of a row; empty where Slack does not give it."""
        return await self._permalinks.of(row)
