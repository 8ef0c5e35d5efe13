"""The folder with a SESSION_LOG for each session. One process at a time writes to it; files are replaced whole."""

from __future__ import annotations

import os
import re
import threading
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

_EVENTS = re.compile(rb"^events: (\d+)$", re.MULTILINE)
# Enough for the whole front matter.
_HEAD_BYTES = 8192


class LogFolder:
    """The folder `FLAGMAN_DATA/logs`. Methods raise OSError."""

    def __init__(self, path: Path) -> None:
        self.path = path
        # `own` may be called by any task of the process. On a system without file locks nothing is written.
        self._lock = FileLock(path / ".lock", mode=0o600, thread_local=False, fallback_to_soft=False)

    def own(self) -> bool:
        """Become the process that writes here; returns False while another one is. The lock ends with the process."""
        if self._lock.is_locked:
            return True
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            self._lock.acquire(blocking=False)
        except Timeout:
            return False
        return True

    def release(self) -> None:
        self._lock.release()

    def events_in(self, session_id: str) -> int:
        """Return the number of events in the file of a session; 0 where there is no such file, or no number in it."""
        try:
            with self._file(session_id).open("rb") as file:
                found = _EVENTS.search(file.read(_HEAD_BYTES))
        except FileNotFoundError:
            return 0
        return int(found[1]) if found else 0

    def save(self, session_id: str, text: str, events: int) -> None:
        """Write the file of a session durably. A former file with more events is kept beside it under another name."""
        path = self._file(session_id)
        former = self.events_in(session_id)
        new = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
        try:
            descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            if former > events:
                path.replace(path.with_suffix(f".{former}.md"))
            new.replace(path)
        except OSError:
            with suppress(OSError):
                new.unlink()
            raise
        self._sync()

    def _file(self, session_id: str) -> Path:
        return self.path / f"{session_id}.md"

    def _sync(self) -> None:
        """Write the folder to disk, without which a new file name is not durable."""
        folder = os.open(self.path, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
