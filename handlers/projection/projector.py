"""Brings a session's messages in Slack to what its log says, whatever was interrupted before.

It is level-triggered: a job says that a session changed, not what to send.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from handlers.blocks.running import Running, running_blocks
from handlers.messages.message import Message, with_address
from handlers.messages.risk import Risks
from handlers.messages.subagents import Subagents
from handlers.messages.thread import thread
from handlers.origin import Place
from handlers.projection.agent_status import AgentStatuses
from handlers.projection.audience import Audience
from handlers.projection.copies import Copies
from handlers.projection.log_upload import KEY, LogUploads
from handlers.projection.message_poster import MessagePoster
from handlers.projection.message_rows import Row
from handlers.projection.people.connect_offers import ConnectOffers
from handlers.projection.people.mentions import Mentions
from handlers.projection.refusals import RetryLater, TurnLater
from handlers.projection.subagents import SubagentReader
from handlers.projection.whereabouts import Whereabouts
from storage.projections import ProjectionStore
from storage.queue import StartedJob
from supervisor.core.errors import SessionNotFound
from supervisor.core.state import Session
from supervisor.core.text.masking import Masker
from supervisor.repository import Sessions
from supervisor.running import RunningCalls
from supervisor.runtime.worker import Done, Later, Signals

CARD_EVERY = timedelta(seconds=1)
PROGRESS_EVERY = timedelta(seconds=4)
# An older session without a card must have been shown before.
NEW = timedelta(minutes=2)
LONGEST_WAIT = timedelta(minutes=2)
_log = logging.getLogger("flagman.projector")


@dataclass
class _Waits:
    """The seconds after which messages that could not be shown are due again, and the refusals by Slack."""

    seconds: list[float] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)

    def add(self, wait: RetryLater) -> None:
        level = logging.DEBUG if isinstance(wait, TurnLater) else logging.INFO
        _log.log(level, "shown later, in %.1f s: %s", wait.seconds, wait)
        self.seconds.append(wait.seconds)
        if wait.refused:
            self.troubles.append(f"Slack refuses {wait}")

    async def take(self, left: Awaitable[float]) -> None:
        """Await the seconds until a message is due again, where 0 means done, or RetryLater."""
        try:
            seconds = await left
        except RetryLater as wait:
            self.add(wait)
            return
        if seconds:
            self.seconds.append(seconds)


class Projector:
    """The handler of the outbox queue; a worker of `bot/compose.py` calls `project` for each session in it."""

    def __init__(
        self,
        sessions: Sessions,
        rows: ProjectionStore,
        poster: MessagePoster,
        audience: Audience,
        clock: Callable[[], datetime],
        mask: Masker,
        subagents: SubagentReader,
        uploads: LogUploads,
        mentions: Mentions,
        running: RunningCalls,
        statuses: AgentStatuses,
        *,
        sandboxed: bool = True,
        risks: Risks | None = None,
        whereabouts: Whereabouts | None = None,
        offers: ConnectOffers | None = None,
    ) -> None:
        self._sessions, self._rows, self._poster = sessions, rows, poster
        self._audience, self._clock, self._mask, self._subagents = audience, clock, mask, subagents
        self._uploads, self._running, self._statuses = uploads, running, statuses
        self._sandboxed, self._risks = sandboxed, risks
        self._mentions, self._whereabouts, self._offers = mentions, whereabouts, offers
        # By session, how many times in a row Slack refused something for a reason that can be mended.
        self._refusals: dict[str, int] = {}

    async def project(self, started: StartedJob, signals: Signals) -> Done | Later:
        """Post and update until Slack shows what the log says, or until Slack asks to wait."""
        session_id = started.lease.session_id
        try:
            session = await self._sessions.absorb(session_id, started.log)
        except SessionNotFound:
            # A relative of another session; where it is restored later, it is queued then.
            return Done()
        return await self.show(session, started, signals)

    async def show(self, session: Session, started: StartedJob, signals: Signals) -> Done | Later:
        """As `project`, for the session as it is now."""
        session_id, place = session.id, Place.of(session)
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
        """Return when to run the job again; after refusals by Slack at growing intervals."""
        if not waits.seconds:
            self._refusals.pop(session_id, None)
            return Done()
        seconds = min(waits.seconds)
        if waits.troubles:
            self._refusals[session_id] = refusals = self._refusals.get(session_id, 0) + 1
            seconds = min(seconds * 2 ** min(refusals - 1, 10), LONGEST_WAIT.total_seconds())
        else:
            self._refusals.pop(session_id, None)
        return Later(timedelta(seconds=seconds), ", ".join(waits.troubles))

    async def _converge(
        self, session: Session, place: Place, signals: Signals, waits: _Waits, *, retried: bool
    ) -> None:
        rows = {
            key: Row.model_validate_json(data) for key, data in (await self._rows.rows(session.id)).items()
        }
        above = await self._subagents.thread_of(session, rows)
        below = await self._subagents.of(session, within=above is not None)
        running = running_blocks(await self._runs(session, below), self._clock(), self._mask)
        shown = await self._mentions.with_group_ids(session)
        messages = await self._mentions.quieted(
            thread(
                shown,
                self._mask,
                below,
                sandboxed=self._sandboxed,
                risks=self._risks,
                where=await self._whereabouts.now() if self._whereabouts else None,
                running=running,
            )
        )
        origin = place
        if (card := above or rows.get("card")) and card.ts:
            # The card may have to wait for its update, but messages that people wait for do not wait with it.
            place = _below(card, place)
        # If all rows are lost, the messages may still be in Slack.
        lost = (not rows if above else "card" not in rows) and self._clock() - session.began_at > NEW
        asks = any(message.asks for message in messages if message.key != "card")
        copies = Copies(self._poster, self._audience, session, rows, waits.add, lost=lost)
        # A card that leads to another message is shown once more when that has its place.
        for message in [*messages, *(m for m in messages[:1] if m.leads_to)]:
            if signals.stopping.is_set():
                return
            row = rows.get(message.key)
            before = row.ts if row else ""
            message = await self._led(message, rows) if message.leads_to else message
            if row and row.ts and row.differs_in_passing(message) and self._is_recent(row):
                copies.keep(message)
                continue
            if due := self._too_soon(message, row):
                waits.seconds.append(due)
                copies.keep(message)
                continue
            try:
                where, urgent = (origin, asks) if message.key == "card" else (place, message.asks)
                row = await copies.show(where, message, urgent=urgent)
            except RetryLater as wait:
                # Without a posted card there is no thread for the other messages.
                if message.key == "card" and not before:
                    raise
                waits.add(wait)
                copies.keep(message)
                continue
            if message.key == "card":
                place = _below(row, place)
                # An earlier worker may have died before it queued the relatives.
                if retried or row.ts != before:
                    await self._subagents.enqueue_relatives(session)
            elif above and (retried or row.ts != before):
                await self._subagents.enqueue_root(session)
        await self._retire(session, rows, {m.key for m in messages} | copies.wanted, waits)
        await self._complete(session, place, rows, waits, own=not above)
        if self._offers and not waits.seconds:
            await self._offers.show(session, place)
        await self._look_again(session, rows, waits)

    async def _runs(self, session: Session, below: Subagents) -> list[Running]:
        """Return what runs in a session and, where its card is that of all, what its sub-agents run."""
        found = [Running(call) for call in await self._running.of(session)]
        for member in below.members(session) if session.lineage is None else ():
            if not member.session.calls_in("started"):
                continue
            found += [Running(call, member.path) for call in await self._running.of(member.session)]
        return found

    async def _complete(
        self, session: Session, place: Place, rows: dict[str, Row], waits: _Waits, *, own: bool
    ) -> None:
        """Show what a session with a card of its own has beside its messages: its SESSION_LOG, and its status.

        What the calls of another print is on the card of its root.
        """
        if not own:
            if session.calls_in("started"):
                await self._subagents.enqueue_root(session)
            return
        if not waits.seconds and (later := await self._uploads.share(session, place, rows.get(KEY))):
            waits.seconds.append((later - self._clock()).total_seconds())
        if card := rows.get("card"):
            await waits.take(self._statuses.show(session, card))

    async def _led(self, message: Message, rows: dict[str, Row]) -> Message:
        """The message with the address of the one that it leads to, where that is known."""
        row = rows.get(message.leads_to)
        known = row is not None and row.ts and not row.gone
        return with_address(message, await self._poster.address_of(row) if row and known else "")

    def _is_recent(self, row: Row) -> bool:
        """Return whether a message was changed so short ago that what running calls print can wait."""
        return abs(self._clock().timestamp() - row.changed_at) < PROGRESS_EVERY.total_seconds()

    def _too_soon(self, message: Message, row: Row | None) -> float:
        """Return the seconds after which a message that changes often may change again; 0 for now."""
        if message.urgent or row is None or not row.ts or row.shows == message.fingerprint:
            return 0
        every = CARD_EVERY.total_seconds()
        left = row.changed_at + every - self._clock().timestamp()
        # The clock of the worker that changed it last may be ahead, and the time is rounded to a tenth of a second.
        return left if 0 < left <= every + 0.1 else 0

    async def _look_again(self, session: Session, rows: dict[str, Row], waits: _Waits) -> None:
        """Delete second posts of messages that a worker was posting when it died."""
        for key, row in rows.items():
            if row.look_at and row.ts:
                await waits.take(self._poster.look_again(session, key, row))

    async def _retire(self, session: Session, rows: dict[str, Row], wanted: set[str], waits: _Waits) -> None:
        """Take the buttons from messages that the session no longer asks for."""
        for key, row in rows.items():
            if key in wanted or key == KEY or row.gone or row.shows == "retired":
                continue
            await waits.take(self._poster.retire(session, key, row))


def _below(card: Row, place: Place) -> Place:
    """The thread of the card."""
    return Place(card.channel, card.user or place.user, card.thread_ts or card.ts, place.team)
