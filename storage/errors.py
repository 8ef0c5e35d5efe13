"""What can go wrong below the log: each error is one sentence."""

from __future__ import annotations

import logging
import time
from pathlib import Path

_noted = float("-inf")


class StorageError(Exception):
    """Any refusal of the store; `str(error)` is one sentence for people."""


class StoreUnavailable(StorageError):
    """The server cannot be reached, or refuses to write; what was in flight may or may not have happened."""

    def __init__(self, detail: str) -> None:
        super().__init__(f"The store cannot be reached: {detail}")
        self.detail = detail


class StoreRefused(StoreUnavailable):
    """The server answers, but does not do its work now; `reply_code` is the first word of its answer."""

    def __init__(self, reply_code: str, why: str) -> None:
        super().__init__(why)
        self.args = (f"The store is not available: {why} ({reply_code}).",)
        self.reply_code = reply_code


class VersionConflict(StorageError):
    """The log was at another version than the writer thought; versions count events."""

    def __init__(self, expected: int, actual: int) -> None:
        super().__init__(f"The log is at version {actual}, not at {expected}.")
        self.expected, self.actual = expected, actual


class DataFolderInUse(StorageError):
    """Another process owns the data folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"The data folder {folder} is in use by another Flagman; stop that one, or give this one "
            "its own FLAGMAN_DATA or a REDIS_URL."
        )
        self.folder = folder


class EmbeddedServerFailed(StorageError):
    """The embedded server cannot run here, or did not start; the message holds the end of its log."""


class EmbeddedServerLost(StorageError):
    """The embedded server ended while it was needed."""

    def __init__(self, code: int, log: Path) -> None:
        how = f"by signal {-code}" if code < 0 else f"with exit code {code}"
        super().__init__(
            f"The embedded server ended {how}; start Flagman again, and it goes on where it was. See {log}."
        )


class LeaseLost(StorageError):
    """The writer's job was taken over by another worker, so only facts may still be appended."""

    def __init__(self) -> None:
        super().__init__("Another worker took this session over.")


class IdempotencyKeyKnown(StorageError):
    """The key was used before; `value` is what was remembered with it."""

    def __init__(self, value: bytes) -> None:
        super().__init__("The idempotency key was used before.")
        self.value = value


def note_outage(log: logging.Logger, error: StorageError) -> None:
    """Write one line a second at most: while the store is away, every request says the same."""
    global _noted
    if time.monotonic() - _noted >= 1:
        _noted = time.monotonic()
        log.warning("store: %s", error)
