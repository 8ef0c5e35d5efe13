"""Shows a message in its place, and to those who have to see it and do not there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from handlers.messages.copies import asked_elsewhere, copy_for, copy_key, place_of_copy, repeated_elsewhere
from handlers.messages.message import Message
from handlers.origin import Place
from handlers.projection.audience import Audience, Reach
from handlers.projection.message_poster import MessagePoster
from handlers.projection.message_rows import Row
from handlers.projection.refusals import RetryLater
from supervisor.core.state import Session


class Copies:
    """The copies of one session's messages in one pass; `rows` are those of the session, and are kept up to date.

    `wait` takes what has to be done later. When all messages were shown, `wanted` has the keys of the copies that stay.
    """

    def __init__(
        self,
        poster: MessagePoster,
        audience: Audience,
        session: Session,
        rows: dict[str, Row],
        wait: Callable[[RetryLater], None],
        *,
        lost: bool,
    ) -> None:
        self._poster, self._audience = poster, audience
        self._session, self._rows, self._wait, self._lost = session, rows, wait, lost
        self.wanted = set[str]()

    async def show(self, place: Place, message: Message, *, urgent: bool) -> Row:
        """Show a message and its copies; returns its row. Raises RetryLater."""
        before = self._rows.get(message.key)
        row = await self._show(place, message, before, urgent=urgent)
        if row.moves != (before.moves if before and before.ts else 0):
            # Its place did not take it, and others see it where it stands now.
            row = await self._show(place, message, row, urgent=urgent)
        return row

    def keep(self, message: Message) -> None:
        """Leave the copies of a message, which is not shown in this pass, as they are."""
        self.wanted |= self._earlier(message).keys()

    def _earlier(self, message: Message) -> dict[str, Row]:
        """The rows of the copies that stand already."""
        return {
            key: row
            for key, row in self._rows.items()
            if key.startswith(copy_key(message.key, "")) and not row.gone and row.shows != "retired"
        }

    async def _show(self, place: Place, message: Message, row: Row | None, *, urgent: bool) -> Row:
        shown = await self._with_copies(message, place, row if row and row.ts else None)
        row = await self._poster.show(self._session, place, shown, row, urgent=urgent, lost=self._lost)
        self._rows[message.key] = row
        return row

    async def _with_copies(self, message: Message, place: Place, row: Row | None) -> Message:
        """Show the copies of a message that stands at `row` or comes to `place`; returns it with a note about them."""
        earlier = self._earlier(message)
        if message.repeats:
            return await self._repeated(message, place, row)
        asking = replace(message, decides=message.reminds) if message.reminds else message
        if not asking.decides and not message.concerns:
            for key in earlier:
                await self._copy(message, place_of_copy(key))
            return message
        where, user = (row.channel, row.user) if row else (place.channel, place.user)
        try:
            reach = await self._audience.reach(self._session, asking, where, user)
        except RetryLater as wait:
            self.wanted |= earlier.keys()
            if row:
                raise
            self._wait(wait)
            return message
        asked = await self._ask(message, where, reach)
        return asked_elsewhere(message, list(dict.fromkeys(asked)), here=reach.here, problems=reach.problems)

    async def _repeated(self, message: Message, place: Place, row: Row | None) -> Message:
        """The message without the buttons to decide where nobody who sees it may, and others are asked."""
        where, user = (row.channel, row.user) if row else (place.channel, place.user)
        try:
            reach = await self._audience.reach(
                self._session, replace(message, decides=message.repeats), where, user
            )
        except RetryLater:
            # The message that asks is tried again, and this one with it.
            return message
        return message if reach.here or not reach.asked else repeated_elsewhere(message)

    async def _ask(self, message: Message, where: str, reach: Reach) -> list[str]:
        """Show copies to those who are to be asked; returns the people and channels that have one."""
        told: list[str] = []
        for asked in reach.asked:
            count = 0
            for who in asked.people:
                if count < asked.most and await self._copy(message, who):
                    told.append(who)
                    count += 1
            fallback = self._audience.fallback
            if not count and message.decides and fallback not in ("", where):
                told += [fallback] if await self._copy(message, fallback) else []
        return told

    async def _copy(self, message: Message, channel: str) -> bool:
        """Show the copy of a message in a channel, or to a person; False where that does not take it."""
        key = copy_key(message.key, channel)
        row = self._rows.get(key)
        self.wanted.add(key)
        origin = Place.of(self._session)
        address = await self._poster.card_address(self._session)
        copy = copy_for(
            message, self._session, channel, shown=origin.shown if origin else "", address=address
        )
        try:
            self._rows[key] = await self._poster.show(
                self._session, Place(channel), copy, row, urgent=True, lost=self._lost
            )
        except RetryLater as wait:
            self._wait(wait)
            return not wait.refused
        return not self._rows[key].gone
