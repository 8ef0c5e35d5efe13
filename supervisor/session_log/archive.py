"""The SESSION_LOGs of sessions that were taken out of the store, in a folder for each month in which they ended."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from supervisor.core.errors import LogUnreadable, VerificationError
from supervisor.core.events import Event
from supervisor.repository import archive_name
from supervisor.session_log.directory import LogFolder
from supervisor.session_log.verify import signed_events


class Archive:
    """The folder `archive` below `data`; documents in it are signed with one of `keys`."""

    def __init__(self, data: Path, keys: Sequence[str]) -> None:
        self._data, self._keys = data, keys

    def save(self, session_id: str, ended: datetime, text: str, events: int) -> Path:
        """Write a document durably, with the folders that are new. Raises OSError."""
        path = self._data / archive_name(session_id, ended)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        LogFolder(path.parent).save(session_id, text, events)
        for folder in path.parents[1:4]:
            _sync(folder)
        return path

    async def events(self, session_id: str, ended: datetime) -> Sequence[Event]:
        """Return the events of an archived session. Raises LogUnreadable where its file is not here or was changed."""
        name = archive_name(session_id, ended)
        try:
            document = await asyncio.to_thread((self._data / name).read_bytes)
            return await asyncio.to_thread(signed_events, document, self._keys)
        except OSError:
            raise LogUnreadable(session_id, f"it was archived as {name}, which is not here.") from None
        except VerificationError as error:
            raise LogUnreadable(session_id, f"it was archived as {name}. {error}") from error


def _sync(folder: Path) -> None:
    """Write a folder to disk, without which a new name in it is not durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
