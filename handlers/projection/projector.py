"""Brings a session's messages in Slack to what its log says, whatever was interrupted before.

Level-triggered: a job says that a session changed, not what to send. Each message has a row: first the intent,
then where it stands and what it shows. An intent without a place is looked up in Slack before it is posted again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from handlers.blocks.text import context
from handlers.messages.message import Message
from handlers.messages.thread import thread
from handlers.origin import Place
from handlers.projection.log_upload import KEY, LogUploads
from handlers.projection.message_rows import Row
from handlers.projection.slack_client import (
    ChannelUnavailable,
    MessageDeleted,
    RetryLater,
    SlackRejected,
    SlackSender,
)
from handlers.projection.subagents import SubagentReader
from storage.projections import ProjectionStore
from storage.queue import StartedJob
from supervisor.core.errors import SessionNotFound
from supervisor.core.state import Session
from supervisor.repository import Sessions
from supervisor.runtime.worker import Done, Later, Signals

CARD_EVERY = timedelta(seconds=1)
MOVE_SECONDS = 5.0
LONGEST_WAIT = timedelta(minutes=2)
# Longer than a worker waits for Slack: what it was posting when it died is heard by then, or never.
HEARD_SECONDS = 20.0
_log = logging.getLogger("flagman.projector")


@dataclass
class _Waits:
    """After how many seconds each message that could not be shown is due again, and what is to be mended."""

    seconds: list[float] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)

    def add(self, wait: RetryLater) -> None:
        _log.info("shown later, in %.1f s: %s", wait.seconds, wait)
        self.seconds.append(wait.seconds)
        if wait.refused:
            self.troubles.append(f"Slack refuses {wait}")


class Projector:
    """The handler of the outbox queue; a worker of `bot/compose.py` calls `project` for each session in it."""

    def __init__(
        self,
        sessions: Sessions,
        rows: ProjectionStore,
        sender: SlackSender,
        clock: Callable[[], datetime],
        mask: Callable[[str], str],
        subagents: SubagentReader,
        uploads: LogUploads,
        fallback: str = "",
    ) -> None:
        self._sessions, self._rows, self._sender = sessions, rows, sender
        self._clock, self._mask, self._subagents = clock, mask, subagents
        self._uploads, self._fallback = uploads, fallback
        # By session how often in a row Slack refused something for a reason that may be mended.
        self._refusals: dict[str, int] = {}

    async def project(self, started: StartedJob, signals: Signals) -> Done | Later:
        """Post and update until Slack shows what the log says, or until Slack asks to wait."""
        session_id = started.lease.session_id
        try:
            session = await self._sessions.absorb(session_id, started.log)
        except SessionNotFound:
            # A relative of another session; where it is restored later, it is queued then.
            return Done()
        place = Place.of(session)
        if place is None:
            return Done()
        waits = _Waits()
        try:
            await self._converge(session, place, signals, waits, retried=started.tries > 0)
        except RetryLater as wait:
            waits.add(wait)
        if signals.stopping.is_set() and not waits.seconds:
            return Later(None)
        return self._outcome(session_id, waits)

    def _outcome(self, session_id: str, waits: _Waits) -> Done | Later:
        """When to come again; what Slack refuses is tried again at growing distance."""
        if not waits.seconds:
            self._refusals.pop(session_id, None)
            return Done()
        seconds = min(waits.seconds)
        if waits.troubles:
            self._refusals[session_id] = refusals = self._refusals.get(session_id, 0) + 1
            seconds = min(seconds * 2 ** min(refusals - 1, 10), LONGEST_WAIT.total_seconds())
        else:
            self._refusals.pop(session_id, None)
        return Later(self._clock() + timedelta(seconds=seconds), ", ".join(waits.troubles))

    async def _converge(
        self, session: Session, place: Place, signals: Signals, waits: _Waits, *, retried: bool
    ) -> None:
        rows = {
            key: Row.model_validate_json(data) for key, data in (await self._rows.rows(session.id)).items()
        }
        messages = thread(session, self._mask, await self._subagents.of(session))
        if (card := rows.get("card")) and card.ts:
            # It may have to wait for its update; what a person waits for does not wait with it.
            place = _below(card, place)
        for message in messages:
            if signals.stopping.is_set():
                return
            row = rows.get(message.key)
            before = row.ts if row else ""
            if due := self._too_soon(message, row):
                waits.seconds.append((due - self._clock()).total_seconds())
                continue
            try:
                row = await self._show(session, place, message, row)
            except RetryLater as wait:
                # Where the card is not posted, there is no thread for the others.
                if message.key == "card" and not before:
                    raise
                waits.add(wait)
                continue
            rows[message.key] = row
            if message.key == "card":
                place = _below(row, place)
                # An earlier worker may have died before it told them.
                if retried or row.ts != before:
                    await self._subagents.enqueue_relatives(session)
        await self._retire(session, rows, {m.key for m in messages}, waits)
        if not waits.seconds and (due := await self._uploads.share(session, place, rows.get(KEY))):
            waits.seconds.append((due - self._clock()).total_seconds())
        await self._look_again(session, rows, waits)

    def _too_soon(self, message: Message, row: Row | None) -> datetime | None:
        """When a message that changes often may change again."""
        if message.urgent or row is None or not row.ts or row.shows == message.fingerprint:
            return None
        due = datetime.fromtimestamp(row.changed_at, self._clock().tzinfo) + CARD_EVERY
        return due if due > self._clock() else None

    async def _show(self, session: Session, place: Place, message: Message, row: Row | None) -> Row:
        """Post or update the message; returns its row."""
        if row and (row.gone or (row.ts and row.shows == _in(row, session, message).fingerprint)):
            return row
        try:
            # Where an intent stands, or the session was restored, it may have been posted before.
            intended = row is not None and not row.ts
            uncertain = intended or session.restored_at is not None
            row = row or await self._intend(session, place, message)
            if not row.ts and uncertain:
                row.ts = await self._sole_post(session, message.key, row, row.intended_at)
                row.look_at = self._heard_by() if row.ts and intended else 0
            if not row.ts:
                posted = await self._post_once(session, message, row, look=intended)
                # A worker that died with its post under way may have been heard since the look above.
                if uncertain:
                    await self._sole_post(session, message.key, row, row.intended_at, keep=posted.ts)
                return posted
            shown = _in(row, session, message)
            await self._sender.update(row.channel, row.ts, shown)
        except MessageDeleted:
            return await self._replace(session, place, message, row)
        except ChannelUnavailable as closed:
            return await self._leave(session, place, message, row, closed)
        row.shows, row.changed_at = shown.fingerprint, round(self._clock().timestamp(), 1)
        await self._bind(session, message, row)
        await self._record(session, message.key, row)
        return row

    def _heard_by(self) -> float:
        return round(self._clock().timestamp() + HEARD_SECONDS, 1)

    async def _look_again(self, session: Session, rows: dict[str, Row], waits: _Waits) -> None:
        """Delete what a worker that died was posting, where Slack heard it after the message was posted again."""
        for key, row in rows.items():
            if not row.look_at or not row.ts:
                continue
            left = row.look_at - self._clock().timestamp()
            if left > 0:
                waits.seconds.append(left)
                continue
            try:
                await self._sole_post(session, key, row, row.look_at - HEARD_SECONDS, keep=row.ts)
            except RetryLater as wait:
                waits.add(wait)
                continue
            row.look_at = 0
            await self._record(session, key, row)

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
        """Record that replies below the card are for this session."""
        if message.key == "card":
            await self._rows.bind_place(f"{row.channel}:{row.thread_ts or row.ts}", session.id)

    async def _new_row(self, session: Session, place: Place) -> Row:
        # A person stands for the direct conversation with them.
        alone = place.channel[:1] in ("U", "W")
        channel = await self._sender.direct(place.channel) if alone else place.channel
        since = session.began_at if session.restored_at else self._clock()
        return Row(channel=channel, thread_ts=place.thread_ts, intended_at=since.timestamp())

    async def _intend(self, session: Session, place: Place, message: Message) -> Row:
        row = await self._new_row(session, place)
        if not await self._rows.reserve(session.id, message.key, row.data):
            raise RetryLater(CARD_EVERY.total_seconds(), f"another worker is about to post {message.key}")
        return row

    async def _post_once(self, session: Session, message: Message, intent: Row, *, look: bool = False) -> Row:
        """Post and record it, unless a worker that took over has done so meanwhile: then ours goes away again.

        `look`: later Slack is asked once more whether another post of it was heard.
        """
        shown = _in(intent, session, message)
        try:
            ts = await self._sender.post(intent.channel, intent.thread_ts, session.id, shown)
        except (MessageDeleted, ChannelUnavailable) as problem:
            elsewhere = await self._elsewhere(session, message, intent, problem)
            await self._swap(session, message, intent, elsewhere)
            if session.restored_at:
                raise RetryLater(0, f"{message.key} may have been posted there before") from problem
            return await self._post_once(session, message, elsewhere, look=look)
        now = self._clock().timestamp()
        # The intent has served; a paused session's row stays small.
        found = {"ts": ts, "intended_at": 0, "shows": shown.fingerprint, "changed_at": round(now, 1)}
        if look:
            found["look_at"] = self._heard_by()
        posted = intent.model_copy(update=found)
        await self._bind(session, message, posted)
        try:
            return await self._swap(session, message, intent, posted)
        except RetryLater:
            await self._sender.delete(posted.channel, posted.ts)
            raise

    async def _elsewhere(
        self, session: Session, message: Message, intent: Row, problem: MessageDeleted | ChannelUnavailable
    ) -> Row:
        """Where it goes instead: into the channel if its thread is deleted, else to the next one who must see it.

        Raises RetryLater where no place takes it; then all places are tried again from the first.
        """
        if isinstance(problem, MessageDeleted) and intent.thread_ts:
            return intent.model_copy(update={"thread_ts": ""})
        places = [*_people(session), *([self._fallback] if self._fallback else [])]
        for moves, other in enumerate(places[intent.moves :], intent.moves + 1):
            try:
                channel = other if other == self._fallback else await self._sender.direct(other)
            except ChannelUnavailable:
                continue
            if channel != intent.channel:
                return intent.model_copy(update={"channel": channel, "thread_ts": "", "moves": moves})
        origin = Place.of(session)
        first = origin.channel if origin and origin.channel not in places else intent.channel
        await self._record(session, message.key, Row(channel=first, intended_at=intent.intended_at))
        raise RetryLater(MOVE_SECONDS, f"a message everywhere ({problem})", refused=True)

    async def _leave(
        self, session: Session, place: Place, message: Message, row: Row | None, problem: ChannelUnavailable
    ) -> Row:
        """Post a message that nobody can answer where it stands elsewhere; one that asks nothing stays as it is."""
        if row and row.ts and (session.ended or not message.asks):
            row.gone = True
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
            raise RetryLater(CARD_EVERY.total_seconds(), f"another worker posted {message.key} too")
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

    async def _retire(self, session: Session, rows: dict[str, Row], wanted: set[str], waits: _Waits) -> None:
        """Take the buttons from messages that the session no longer asks for, also from one that was being posted."""
        for key, row in rows.items():
            if key in wanted or key == KEY or row.gone or row.shows == "retired":
                continue
            settled = Message(
                key, "Settled.", (context(":heavy_check_mark: Settled; nothing to do here any more."),)
            )
            try:
                if not row.ts:
                    row.ts = await self._sole_post(session, key, row, row.intended_at)
                left = row.intended_at + HEARD_SECONDS - self._clock().timestamp()
                if not row.ts and left > 0:
                    waits.seconds.append(left)
                    continue
                if row.ts:
                    await self._sender.update(row.channel, row.ts, settled)
            except (MessageDeleted, SlackRejected) as error:
                _log.info("%s: %s could not be retired: %s", session.id, key, error)
            except RetryLater as wait:
                waits.add(wait)
                continue
            row.shows = "retired"
            await self._record(session, key, row)

    async def _record(self, session: Session, key: str, row: Row) -> None:
        await self._rows.record(session.id, key, row.data)


def _below(card: Row, place: Place) -> Place:
    """The thread of the card."""
    return Place(card.channel, place.user, card.thread_ts or card.ts)


def _people(session: Session) -> list[str]:
    """Who is told directly where the session's channel takes nothing: its requester, then who may approve."""
    origin = Place.of(session)
    users = [origin.user] if origin else []
    for call in session.calls_in("awaiting"):
        users += call.call.approvers.users if call.call.approvers else ()
    plain = (user.removeprefix("slack:") for user in users if user)
    return list(dict.fromkeys(user for user in plain if user[:1] in ("U", "W")))


def _in(row: Row, session: Session, message: Message) -> Message:
    """The message for this row: a card that stands elsewhere than it should says so."""
    origin = Place.of(session)
    if message.key != "card" or not origin or not origin.shown or row.channel == origin.channel:
        return message
    hint = context(f"I cannot write in {origin.shown}; `/invite` me there for the next time.")
    return replace(message, blocks=(*message.blocks, hint))
