"""The heartbeat of a process that has no HTTP: a file whose time of change says that it works."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from storage.connection import end
from supervisor.core.errors import InvalidInput

SECONDS = 5.0
_log = logging.getLogger("flagman")


@asynccontextmanager
async def beating(file: Path | None, works: Callable[[], bool]) -> AsyncIterator[None]:
    """Touch the file every few seconds as long as the event loop turns and `works` says so; None is no file.

    A store that is away does not stop it, since a restart would not help. The file is removed at the end. Raises
    InvalidInput where it cannot be written.
    """
    if file is None:
        yield
        return
    try:
        await asyncio.to_thread(file.touch)
    except OSError as error:
        raise InvalidInput(f"FLAGMAN_HEARTBEAT: {file} cannot be written ({error.strerror}).") from error
    task = asyncio.create_task(_beat(file, works))
    try:
        yield
    finally:
        await end([task])
        await asyncio.to_thread(file.unlink, missing_ok=True)


async def _beat(file: Path, works: Callable[[], bool]) -> None:
    while True:
        try:
            if works():
                await asyncio.to_thread(file.touch)
        except OSError as error:
            _log.warning("FLAGMAN_HEARTBEAT: %s cannot be written (%s)", file, error.strerror)
        await asyncio.sleep(SECONDS)
