"""The daily digest of the audit, which the clock posts where FLAGMAN_AUDIT_DIGEST asks for one."""

from __future__ import annotations

import logging

from bot.compose import Core, now
from handlers.announcements import Announcements
from storage import keys
from storage.rows import RowStore
from supervisor.core.audit.rows import AuditFilter
from supervisor.daily import OWNER, Daily, DailyRow

_log = logging.getLogger("flagman.clock")


class AuditDigest:
    """Posts the summary of a day once, whatever number of clocks there is."""

    def __init__(self, parts: Core) -> None:
        self._audit, settings = parts.audit(), parts.settings
        self._directory = parts.directory
        self._announcements = Announcements(parts.directory, parts.mask, settings.command)
        rows = RowStore(parts.redis, keys.digests())
        self._daily = Daily("digest", settings.digest_time, rows, parts.timers(), now)

    @staticmethod
    def owns(owner: str) -> bool:
        """Whether a timer of this owner is that of the digest."""
        return owner == OWNER

    async def restore(self) -> None:
        """Set the timer where it is missing, or drop it where no digest is wanted any more."""
        await self._daily.restore()

    async def fire(self) -> None:
        """Post the digest if it is due and no other process does. Raises StorageError.

        A process that is not connected to Slack, as that of a program, leaves it to another one.
        """
        if not self._directory.connected:
            await self._daily.leave()
            return
        begun = await self._daily.begin()
        if begun is None:
            return
        row, again = begun
        posted = False
        try:
            posted = await self._post(row, again=again)
        finally:
            await self._daily.end(row, posted=posted)
        if not posted:
            _log.warning(
                "the digest of the audit could not be posted to %s; it is tried again", row.plan.place
            )

    async def _post(self, row: DailyRow, *, again: bool) -> bool:
        wanted = AuditFilter(since=row.since, until=row.due)
        totals, _, lost = await self._audit.summary(wanted, _everything)
        return await self._announcements.audit_digest(row.plan.place, totals, lost, row.due, again=again)


async def _everything(*_: str) -> bool:
    return True
