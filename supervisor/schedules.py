"""Scheduled launches: a cron expression, a persona and a task; each due time launches one session."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta

from storage.keys import TimerKey
from storage.rows import RowStore
from storage.timers import TimerStore
from supervisor.core.commands.base import check_text
from supervisor.core.errors import (
    FlagmanError,
    InvalidCondition,
    InvalidInput,
    LimitReached,
    ScheduleNotFound,
)
from supervisor.core.events import Actor
from supervisor.core.messages import Frozen, Json
from supervisor.core.state import Session
from supervisor.core.times import Overlap, next_cron, zone_named
from supervisor.service import Supervisor

OWNER = "schedule"
# The most schedules, of one actor and in all.
MOST_OF_ONE, MOST = 100, 200
SHOWN_TIMES = 3
AGAIN = timedelta(minutes=1)
_log = logging.getLogger("flagman.schedules")


class Schedule(Frozen):
    """One schedule. `due` is its next time in UTC, or None while it is paused.

    `overlap` says what happens where the session of the time before has not ended: this time is left out, waits until
    it has, or takes its place. `by_key` is the id of the API key it was made with. `untold`: it was paused because of
    `last_problem`, or could not launch for the first time, and nobody was told as yet; until `telling_until` a process
    is about to.
    """

    id: str
    cron: str
    zone: str
    persona: str
    task: str
    by: str
    by_name: str
    by_owner: str = ""
    by_key: str = ""
    origin: Json
    created_at: datetime
    due: datetime | None
    overlap: Overlap = "skip"
    last_session: str = ""
    last_problem: str = ""
    untold: bool = False
    telling_until: datetime | None = None

    @property
    def people(self) -> frozenset[str]:
        """The ids of the maker: the actor and, for a key, its owner."""
        return frozenset({self.by, self.by_owner} - {""})

    def next_times(self) -> list[datetime]:
        """Return the next three times in UTC, beginning with `due`; fewer where the expression has no more."""
        times: list[datetime] = []
        due = self.due
        while due is not None and len(times) < SHOWN_TIMES:
            times.append(due)
            try:
                due = next_cron(self.cron, zone_named(self.zone), due)
            except InvalidCondition:
                # The row was stored by an earlier version; `fire` records what is wrong with it.
                return times
        return times


class Schedules:
    """Stores schedules with their timers, whose owner is `OWNER`, and launches what is due."""

    def __init__(
        self, supervisor: Supervisor, rows: RowStore, timers: TimerStore, clock: Callable[[], datetime]
    ) -> None:
        self._supervisor, self._rows, self._timers, self._clock = supervisor, rows, timers, clock

    async def add(
        self,
        cron: str,
        persona: str,
        task: str,
        actor: Actor,
        *,
        zone: str = "UTC",
        origin: Json | None = None,
        overlap: Overlap = "skip",
    ) -> Schedule:
        """Store a new schedule. Raises InvalidCondition, PersonaNotFound, PersonaUnusable or InvalidInput."""
        await self._supervisor.personas.launchable(persona)
        schedules = await self.list()
        if len(schedules) >= MOST:
            raise LimitReached(f"There are {MOST} schedules already; delete one first.")
        if sum(schedule.by == actor.id for schedule in schedules) >= MOST_OF_ONE:
            raise LimitReached(f"You have {MOST_OF_ONE} schedules already; delete one first.")
        now = self._clock()
        due = next_cron(cron, zone_named(zone), now)
        if due is None:
            raise InvalidInput(f"“{cron[:60]}” never comes.")
        schedule = Schedule(
            id=secrets.token_hex(3),
            cron=cron,
            zone=zone,
            persona=persona,
            task=check_text(task, "The task"),
            by=actor.id,
            by_name=actor.name,
            by_owner=actor.owner,
            by_key=actor.key,
            origin=origin or {},
            created_at=now,
            due=due,
            overlap=overlap,
        )
        await self._store(schedule)
        return schedule

    async def list(self) -> list[Schedule]:
        """Return all schedules, the next due first and paused ones last."""
        found = [Schedule.model_validate_json(row) for row in (await self._rows.all()).values()]
        return sorted(found, key=lambda s: (s.due is None, s.due or s.created_at))

    async def restore_timers(self) -> None:
        """Set timers that are missing, for example after a crash between the writes of a row and of its timer."""
        timers = {
            TimerKey(OWNER, schedule.id): schedule.due for schedule in await self.list() if schedule.due
        }
        for timer in await self._timers.missing(list(timers)):
            _log.warning("schedule %s had lost its timer; it is set again", timer.name)
            await self._timers.set(timer, timers[timer])

    async def get(self, schedule_id: str) -> Schedule:
        row = await self._rows.get(schedule_id)
        if row is None:
            raise ScheduleNotFound(schedule_id)
        return Schedule.model_validate_json(row)

    async def pause(self, schedule_id: str) -> Schedule:
        return await self._change(schedule_id, lambda standing: standing.model_copy(update={"due": None}))

    def is_due(self, schedule: Schedule) -> bool:
        return schedule.due is not None and schedule.due <= self._clock()

    async def suspend(self, schedule: Schedule, reason: str) -> None:
        """Pause a schedule that may not launch, with the reason, of which people are to be told.

        One that was deleted, paused or resumed meanwhile stays as it is.
        """
        update: Json = {"due": None, "last_problem": reason, "untold": True}
        await self._change_same(schedule, update)

    async def postpone(self, schedule: Schedule, reason: str) -> None:
        """Look again in a while at a schedule that is due, since it is not known whether it may launch.

        One that was deleted, paused or resumed meanwhile stays as it is.
        """
        if await self._change_same(schedule, {"last_problem": reason}):
            _log.warning("schedule %s waits: %s", schedule.id, reason)
            await self._timers.set(TimerKey(OWNER, schedule.id), self._clock() + AGAIN)

    async def begin_telling(self, schedule_id: str) -> Schedule | None:
        """The schedule, of whose problem the caller has to tell; None where that is done, or another process does it.

        Where the caller has not called `end_telling` in a while, another one may tell.
        """
        begun = None

        def claim(standing: Schedule) -> Schedule:
            nonlocal begun
            now = self._clock()
            is_free = standing.telling_until is None or standing.telling_until <= now
            begun = standing if standing.untold and is_free else None
            return standing.model_copy(update={"telling_until": now + AGAIN}) if begun else standing

        with suppress(ScheduleNotFound):
            await self._change(schedule_id, claim)
        return begun

    async def end_telling(self, schedule: Schedule, *, told: bool) -> None:
        """Record whether people were told of the problem of a schedule; of a later one they are still to be told."""

        def end(standing: Schedule) -> Schedule:
            untold = standing.untold and not (told and standing.last_problem == schedule.last_problem)
            return standing.model_copy(update={"telling_until": None, "untold": untold})

        with suppress(ScheduleNotFound):
            await self._change(schedule.id, end)

    async def resume(self, schedule_id: str) -> Schedule:
        def resumed(standing: Schedule) -> Schedule:
            due = next_cron(standing.cron, zone_named(standing.zone), self._clock())
            return standing.model_copy(update={"due": due})

        return await self._change(schedule_id, resumed)

    async def delete(self, schedule_id: str) -> None:
        if not await self._rows.delete(schedule_id):
            raise ScheduleNotFound(schedule_id)
        await self._timers.drop(TimerKey(OWNER, schedule_id))

    async def run_now(self, schedule_id: str, actor: Actor) -> Session:
        """Launch a session of the schedule now; its due time stays. Raises ScheduleNotFound, or as `launch`."""
        schedule = await self.get(schedule_id)
        session = await self._supervisor.launch(
            schedule.persona, schedule.task, actor, origin=schedule.origin, asked_by=schedule.people
        )
        update = {"last_session": session.id, "last_problem": "", "untold": False}
        with suppress(ScheduleNotFound):
            await self._change(schedule_id, lambda standing: standing.model_copy(update=update))
        return session

    async def fire(self, schedule_id: str, maker: Actor | None = None) -> bool:
        """Launch a session if the schedule is due, and set its next due time. Returns whether it was due.

        `maker` is who made it, as known now. Called twice for one due time, it launches once. All due times that passed
        while no clock process ran lead to one launch together. Of a problem that is new, people are to be told.
        """
        try:
            schedule = await self.get(schedule_id)
        except ScheduleNotFound:
            await self._timers.drop(TimerKey(OWNER, schedule_id))
            return False
        if not self.is_due(schedule):
            await self._set_timer(schedule)
            return False
        actor = maker or Actor(id=schedule.by, name=schedule.by_name, owner=schedule.by_owner)
        if before := await self._make_way(schedule, actor):
            if schedule.overlap == "queue":
                await self.postpone(schedule, f"It waits until {before} has ended.")
                return True
            skipped = f"{schedule.due:%Y-%m-%d %H:%M} UTC was left out, as {before} had not ended."
            update = self._next(schedule, {"last_problem": skipped})
        else:
            update = await self._launch(schedule, actor)

        def fired(standing: Schedule) -> Schedule:
            # Where it was paused, resumed or fired meanwhile, its due time is that of another.
            kept = {} if standing.due == schedule.due else {"due": standing.due}
            return standing.model_copy(update={**update, **kept})

        with suppress(ScheduleNotFound):
            await self._change(schedule_id, fired)
        return True

    async def _make_way(self, schedule: Schedule, actor: Actor) -> str:
        """Cancel the session of the time before if it is to be replaced. Returns its id if it is still in the way."""
        try:
            before = await self._supervisor.get(schedule.last_session) if schedule.last_session else None
            if before is None or before.ended:
                return ""
            if schedule.overlap != "replace":
                return before.id
            reason = f"The next session of schedule {schedule.id} takes its place."
            await self._supervisor.cancel(before.id, actor, reason=reason)
        except FlagmanError as error:
            _log.info("schedule %s: its last session does not count as open: %s", schedule.id, error)
        return ""

    async def _launch(self, schedule: Schedule, actor: Actor) -> Json:
        """Launch a session for the due time; returns what changes in the row."""
        assert schedule.due
        key = f"schedule:{schedule.id}:{int(schedule.due.timestamp())}"
        update: Json = {"last_problem": "", "untold": False}
        try:
            session = await self._supervisor.launch(
                schedule.persona, schedule.task, actor, origin=schedule.origin, idempotency_key=key
            )
            update["last_session"] = session.id
        except FlagmanError as error:
            _log.error("schedule %s could not launch: %s", schedule.id, error)
            is_new = schedule.untold or str(error) != schedule.last_problem
            update |= {"last_problem": str(error), "untold": is_new}
        return self._next(schedule, update)

    def _next(self, schedule: Schedule, update: Json) -> Json:
        """The changes of a row with its next due time."""
        try:
            update["due"] = next_cron(schedule.cron, zone_named(schedule.zone), self._clock())
        except InvalidCondition as error:
            # An earlier version accepted this expression: the schedule is paused, and the reason recorded.
            update |= {"due": None, "last_problem": str(error), "untold": True}
        return update

    async def _change_same(self, schedule: Schedule, update: Json) -> bool:
        """Change a schedule if it still has the same due time. Returns whether it has."""
        is_same = False

        def change(standing: Schedule) -> Schedule:
            nonlocal is_same
            is_same = standing.due == schedule.due
            return standing.model_copy(update=update) if is_same else standing

        with suppress(ScheduleNotFound):
            await self._change(schedule.id, change)
        return is_same

    async def _change(self, schedule_id: str, change: Callable[[Schedule], Schedule]) -> Schedule:
        """Store what `change` makes of the schedule, anew where another process changed it meanwhile."""
        while True:
            row = await self._rows.get(schedule_id)
            if row is None:
                raise ScheduleNotFound(schedule_id)
            standing = Schedule.model_validate_json(row)
            changed = change(standing)
            if changed == standing:
                return standing
            if await self._rows.replace(schedule_id, row, changed.model_dump_json().encode()):
                if changed.due != standing.due:
                    await self._set_timer(changed)
                return changed

    async def _store(self, schedule: Schedule) -> None:
        await self._rows.put(schedule.id, schedule.model_dump_json().encode())
        await self._set_timer(schedule)

    async def _set_timer(self, schedule: Schedule) -> None:
        timer = TimerKey(OWNER, schedule.id)
        if schedule.due is None:
            await self._timers.drop(timer)
        else:
            await self._timers.set(timer, schedule.due)
