"""Files on this machine of sessions that were archived: what their tools wrote, and their SESSION_LOGs."""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from storage.keys import partition_of
from storage.retention.store import RetentionStore
from supervisor.artifacts import marks_folder

# How often a worker looks, and how many sessions the store is asked about at once.
EVERY_SECONDS, AT_ONCE = 3600.0, 500
_log = logging.getLogger("flagman.retention")


class Leftovers:
    """Removes folders and files with the name of a session that the store notes as archived, and nothing else."""

    def __init__(self, retention: RetentionStore, workspace: Path, logs: Path) -> None:
        self._retention, self._workspace, self._logs = retention, workspace, logs

    async def run(self) -> None:
        """Look now and then until cancelled. Raises StorageError."""
        while True:
            await self.remove()
            await asyncio.sleep(EVERY_SECONDS)

    async def remove(self) -> int:
        """Remove what is left of archived sessions. Returns of how many. Raises StorageError."""
        named = await asyncio.to_thread(self._named)
        found = 0
        for start in range(0, len(named), AT_ONCE):
            gone = await self._retention.archived(named[start : start + AT_ONCE])
            await asyncio.to_thread(self._remove, gone)
            found += len(gone)
        return found

    def _named(self) -> Sequence[str]:
        """The sessions after which something here is named."""
        places = self._workspace, marks_folder(self._workspace)
        names = {path.name for place in places for path in _inside(place)}
        names |= {path.name.partition(".")[0] for path in _inside(self._logs) if path.suffix == ".md"}
        return sorted(filter(_is_id, names))

    def _remove(self, session_ids: Iterable[str]) -> None:
        for session_id in session_ids:
            try:
                # Links are not followed, whatever a tool has put there.
                if (folder := self._workspace / session_id).is_dir() and not folder.is_symlink():
                    shutil.rmtree(folder)
                for file in (
                    marks_folder(self._workspace) / session_id,
                    *self._logs.glob(f"{session_id}.*md"),
                ):
                    file.unlink(missing_ok=True)
            except OSError as error:
                _log.warning("files of session %s cannot be removed: %s", session_id, error)


def _inside(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []


def _is_id(name: str) -> bool:
    try:
        partition_of(name)
    except ValueError:
        return False
    return True
