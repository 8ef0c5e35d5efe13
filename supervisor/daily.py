"""A message that is posted once a day: its due time as a row in the store, which one of several processes claims."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from storage.keys import TimerKey
from storage.rows import RowStore
from storage.timers import TimerStore
from supervisor.core.messages import Frozen
from supervisor.core.times import next_cron, zone_named

# The owner of its timer, how long a process has to post it before another one may, and after which it is left to one.
OWNER, CLAIMED, LEFT = "daily", timedelta(minutes=1), timedelta(seconds=5)


class DailyTime(Frozen):
    """A time of day in a zone, and the place of the message."""

    hour: int
    minute: int
    zone: str
    place: str

    def after(self, at: datetime) -> datetime:
        """Return the next due time after `at`, in UTC."""
        due = next_cron(f"{self.minute} {self.hour} * * *", zone_named(self.zone), at)
        assert due, "every day has this time"
        return due


class DailyRow(Frozen):
    """The message that is due next; until `claimed_until` a process is posting it. `posted` was due at that time."""

    plan: DailyTime
    due: datetime
    posted: datetime | None = None
    claimed_until: datetime | None = None

    @property
    def since(self) -> datetime:
        """The time from which on it tells; where several were missed, from the first of them on."""
        return self.posted or self.due - timedelta(days=1)


class Daily:
    """One daily message named `name`; `plan` is None where there shall be none."""

    def __init__(
        self,
        name: str,
        plan: DailyTime | None,
        rows: RowStore,
        timers: TimerStore,
        clock: Callable[[], datetime],
    ) -> None:
        self._name, self._plan, self._rows, self._timers, self._clock = name, plan, rows, timers, clock
        self.timer = TimerKey(OWNER, name)

    async def restore(self) -> None:
        """Set what is missing: the row at first and after a change of the plan, and the timer."""
        stored = await self._rows.get(self._name)
        row = DailyRow.model_validate_json(stored) if stored else None
        if self._plan is None:
            if row:
                await self._rows.delete(self._name)
                await self._timers.drop(self.timer)
            return
        if row is None:
            row = DailyRow(plan=self._plan, due=self._plan.after(self._clock()))
            if not await self._rows.add(self._name, _json(row)):
                return
        elif row.plan != self._plan and stored:
            row = DailyRow(plan=self._plan, due=self._plan.after(self._clock()), posted=row.posted)
            if not await self._rows.replace(self._name, stored, _json(row)):
                return
            await self._timers.set(self.timer, row.due)
        if await self._timers.missing([self.timer]):
            await self._timers.set(self.timer, row.due)

    async def begin(self) -> tuple[DailyRow, bool] | None:
        """The message that the caller has to post, and whether a process before may have posted it.

        None where it is not due, or another process is posting it.
        """
        while stored := await self._rows.get(self._name):
            row, now = DailyRow.model_validate_json(stored), self._clock()
            if row.due > now or (row.claimed_until and row.claimed_until > now):
                await self._timers.set(self.timer, max(row.due, row.claimed_until or row.due))
                return None
            claimed = row.model_copy(update={"claimed_until": now + CLAIMED})
            if await self._rows.replace(self._name, stored, _json(claimed)):
                return claimed, row.claimed_until is not None
        return None

    async def leave(self) -> None:
        """Leave the message to another process, which is woken soon."""
        await self._timers.set(self.timer, self._clock() + LEFT)

    async def end(self, row: DailyRow, *, posted: bool) -> None:
        """Record whether the message was posted; one that was not is due again in a while."""
        update = {"due": row.plan.after(self._clock()), "posted": row.due, "claimed_until": None}
        after = row.model_copy(update=update if posted else {"claimed_until": None})
        if await self._rows.replace(self._name, _json(row), _json(after)):
            await self._timers.set(self.timer, after.due if posted else self._clock() + CLAIMED)


def _json(row: DailyRow) -> bytes:
    return row.model_dump_json().encode()
