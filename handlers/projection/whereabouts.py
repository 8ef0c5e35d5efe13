"""The hosts of all workers, which each worker enters into the store, so that people see where calls run."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import datetime

from handlers.messages.requests.where import Where
from storage.errors import StorageError
from storage.rows import RowStore

# A worker enters its host once a minute; one that was not entered for a day is left out.
EVERY_SECONDS, KEPT_SECONDS = 60.0, 86_400.0
_log = logging.getLogger("flagman.projector")


class Whereabouts:
    """`host` is that of this worker, and `workspace` the path of the folder with those of all sessions."""

    def __init__(self, rows: RowStore, host: str, workspace: str, clock: Callable[[], datetime]) -> None:
        self._rows, self._host, self._workspace, self._clock = rows, host, workspace, clock
        self._where = Where((host,), workspace)
        self._read_at = 0.0

    async def now(self) -> Where:
        """The hosts as they were within the last minute; this one alone where the store does not say."""
        if self._read_at and time.monotonic() - self._read_at < EVERY_SECONDS:
            return self._where
        self._read_at = time.monotonic()
        now = self._clock().timestamp()
        try:
            await self._rows.put(self._host, str(round(now)).encode())
            rows = await self._rows.all()
            for host, at in rows.items():
                if now - float(at) > KEPT_SECONDS:
                    await self._rows.delete(host)
        except StorageError as error:
            _log.info("the hosts of other workers are not known: %s", error)
            return self._where
        hosts = sorted(host for host, at in rows.items() if now - float(at) <= KEPT_SECONDS)
        self._where = Where(tuple(hosts), self._workspace)
        return self._where
