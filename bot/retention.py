"""The collection of ended sessions: once a day by the clock where FLAGMAN_KEEP is set, and by hand."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta

from bot.compose import Core, core, now
from bot.settings import Settings
from storage.log import Row
from supervisor.core.errors import InvalidCondition, InvalidInput
from supervisor.core.times import parse_duration

# Sessions of one step, and the rest after it, so that a long collection delays nothing else.
STEP, REST_SECONDS = 50, 1.0
_log = logging.getLogger("flagman.retention")


class DailyCollection:
    """Collects once a day, whatever number of clocks there is; a clock that dies leaves its turn to another one."""

    def __init__(self, parts: Core) -> None:
        assert parts.settings.keep_for
        self._keep, self._store, self._collector = (
            parts.settings.keep_for,
            parts.retention(),
            parts.collector(),
        )
        self._token = secrets.token_hex(8)

    async def run(self) -> bool:
        """Collect unless it was done today or another clock does it. Returns whether it did. Raises StorageError."""
        today = now().date().isoformat()
        if await self._store.last_day() == today or not await self._store.take_turn(self._token):
            return False
        try:
            after: Row | None = None
            archived = 0
            while await self._store.take_turn(self._token):
                done = await self._collector.step(now() - self._keep, after=after, limit=STEP)
                archived += len(done.archived)
                if (after := done.after) is None:
                    await self._collector.finish()
                    await self._store.note_day(today)
                    _log.info("%d ended sessions were archived", archived)
                    return True
                await asyncio.sleep(REST_SECONDS)
        except OSError as error:
            _log.warning("ended sessions stay, since the archive cannot be written (%s)", error)
        finally:
            await self._store.end_turn(self._token)
        return False


@dataclass(frozen=True)
class Collected:
    """What one step by hand did; `next` is the cursor of the next one, None at the end."""

    archived: list[str]
    kept: dict[str, str]
    next: str | None


async def collect(parts: Core, older_than: str, cursor: str, *, dry_run: bool) -> Collected:
    """Carry out one step by hand. Raises InvalidInput, or StorageError."""
    before, after = now() - _age(parts, older_than), _row(cursor)
    collector, store, token = parts.collector(), parts.retention(), secrets.token_hex(8)
    if not dry_run and not await store.take_turn(token):
        raise InvalidInput("Another process archives ended sessions right now; try again in two minutes.")
    try:
        done = await collector.step(before, after=after, limit=STEP, dry_run=dry_run)
        if done.after is None and not dry_run:
            await collector.finish()
    except OSError as error:
        raise InvalidInput(
            f"FLAGMAN_DATA: the archive cannot be written ({error.strerror or error})."
        ) from error
    finally:
        await store.end_turn(token)
    return Collected(done.archived, done.kept, f"{done.after[1]:.0f} {done.after[0]}" if done.after else None)


async def collect_here(settings: Settings, older_than: str, *, dry_run: bool) -> AsyncIterator[Collected]:
    """Carry out all steps in this process, which reaches the store, and yield what each did. Raises as `collect`."""
    async with core(settings) as parts:
        cursor: str | None = ""
        while cursor is not None:
            done = await collect(parts, older_than, cursor, dry_run=dry_run)
            yield done
            cursor = done.next


def _age(parts: Core, older_than: str) -> timedelta:
    if not older_than:
        if parts.settings.keep_for is None:
            raise InvalidInput("FLAGMAN_KEEP is not set, so say how old: `--older-than 90d`.")
        return parts.settings.keep_for
    try:
        return parse_duration(older_than)
    except InvalidCondition as error:
        raise InvalidInput(str(error)) from error


def _row(cursor: str) -> Row | None:
    score, _, session_id = cursor.partition(" ")
    try:
        return (session_id, float(score)) if cursor else None
    except ValueError:
        raise InvalidInput("`cursor` is `next` of the answer before.") from None
