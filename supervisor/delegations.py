"""Who decides for whom, until when: a person has another one decide for them, as long as they want."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta

from storage.rows import RowStore
from supervisor.core.commands.base import check_text
from supervisor.core.due import parse_due
from supervisor.core.errors import InvalidCondition, InvalidInput, LimitReached
from supervisor.core.events import Actor
from supervisor.core.messages import Frozen
from supervisor.core.times import zone_named

# The most of one person, and in all, that last at a time; the longest one; and how long ended ones are kept.
MOST_OF_ONE, MOST = 20, 500
LONGEST, KEPT = timedelta(days=90), timedelta(days=90)
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_DATE = re.compile(r"^\d{4}-\d{2}-\d{2}$")


class Delegation(Frozen):
    """The person `to` decides for the person `by`, until a time or until one of them, or an admin, ends it."""

    id: str
    by: str
    by_name: str = ""
    to: str
    to_name: str = ""
    created_at: datetime
    until: datetime
    reason: str = ""
    ended_at: datetime | None = None
    ended_by: str = ""

    def lasts(self, at: datetime) -> bool:
        """Whether it counts at this time."""
        return self.ended_at is None and at < self.until


class Delegations:
    """Stores delegations. Methods raise FlagmanError or StoreUnavailable."""

    def __init__(self, rows: RowStore, clock: Callable[[], datetime]) -> None:
        self._rows, self._clock = rows, clock

    async def add(self, by: Actor, to: Actor, until: datetime, reason: str = "") -> Delegation:
        """Store that `to` decides for `by`; an earlier one of the two ends. Raises InvalidInput or LimitReached."""
        now = self._clock()
        if until - now > LONGEST:
            raise InvalidInput(f"Somebody decides for you for {LONGEST.days} days at most.")
        reason = check_text(reason, "The reason", optional=True)
        lasting = await self.lasting()
        if len(lasting) >= MOST or sum(one.by == by.id for one in lasting) >= MOST_OF_ONE:
            raise LimitReached("There are as many delegations as there may be; drop one first.")
        made = Delegation(
            id=secrets.token_hex(3),
            by=by.id,
            by_name=by.name,
            to=to.id,
            to_name=to.name,
            created_at=now,
            until=until,
            reason=reason,
        )
        while not await self._rows.add(made.id, _json(made)):
            made = made.model_copy(update={"id": secrets.token_hex(3)})
        for earlier in lasting:
            if (earlier.by, earlier.to) == (made.by, made.to):
                await self._end(earlier.id, by.id)
        await self._prune(now)
        return made

    async def all(self) -> list[Delegation]:
        """All of them, with those that ended in the last time."""
        return [Delegation.model_validate_json(row) for row in (await self._rows.all()).values()]

    async def lasting(self) -> list[Delegation]:
        """Those that count now, the first to end first."""
        now = self._clock()
        found = [one for one in await self.all() if one.lasts(now)]
        return sorted(found, key=lambda one: (one.until, one.id))

    async def get(self, delegation_id: str) -> Delegation:
        """The delegation of this id, which counts now. Raises InvalidInput where there is none."""
        row = await self._rows.get(delegation_id)
        found = Delegation.model_validate_json(row) if row else None
        if found is None or not found.lasts(self._clock()):
            raise InvalidInput(f"There is no delegation `{delegation_id[:40]}`, or it has ended.")
        return found

    async def drop(self, delegation_id: str, by: Actor) -> Delegation:
        """End a delegation at once. Raises InvalidInput where there is none that lasts."""
        await self.get(delegation_id)
        return await self._end(delegation_id, by.id)

    async def _end(self, delegation_id: str, by: str) -> Delegation:
        while row := await self._rows.get(delegation_id):
            standing = Delegation.model_validate_json(row)
            if standing.ended_at:
                return standing
            ended = standing.model_copy(update={"ended_at": self._clock(), "ended_by": by})
            if await self._rows.replace(delegation_id, row, _json(ended)):
                return ended
        raise InvalidInput(f"There is no delegation `{delegation_id}`, or it has ended.")

    async def _prune(self, now: datetime) -> None:
        """Forget those that ended long ago."""
        for found in await self.all():
            if (found.ended_at or found.until) < now - KEPT:
                await self._rows.delete(found.id)


def parse_until(text: str, now: datetime, zone: str) -> datetime:
    """Return the time of `friday`, `tomorrow` or `2026-12-04` (the end of that day), or of a time like `in 2h`.

    Raises InvalidCondition.
    """
    text, place = " ".join(text.lower().split()), zone_named(zone)
    today = now.astimezone(place).date()
    day = None
    if text in ("today", "tomorrow"):
        day = today + timedelta(days=text == "tomorrow")
    elif len(text) >= 3 and (named := [n for n, name in enumerate(_DAYS) if name.startswith(text)]):
        day = today + timedelta(days=(named[0] - today.weekday()) % 7)
    elif _DATE.match(text):
        try:
            day = datetime.fromisoformat(text).date()
        except ValueError:
            raise InvalidCondition(f"“{text}” is no day.") from None
    if day is None:
        return parse_due(text, now, zone)
    try:
        end = datetime.combine(day + timedelta(days=1), time(), tzinfo=place).astimezone(UTC)
    except OverflowError:
        raise InvalidCondition(f"“{text}” is too far ahead.") from None
    if end <= now:
        raise InvalidCondition(f"“{text}” is in the past.")
    return end


def _json(delegation: Delegation) -> bytes:
    return delegation.model_dump_json().encode()
