"""Errors of the store; the message of each is one sentence for people."""

from __future__ import annotations

import logging
import time
from pathlib import Path

_noted = float("-inf")


class StorageError(Exception):
    """The base of all errors of the store."""


class StoreUnavailable(StorageError):
    """The server cannot be reached, or refuses to write; a command without an answer may have been carried out."""

    def __init__(self, detail: str) -> None:
        super().__init__(f"The store cannot be reached: {detail}")
        self.detail = detail


class StoreRefused(StoreUnavailable):
    """The server answers that it cannot work now; `reply_code` is the first word of its answer."""

    def __init__(self, reply_code: str, why: str) -> None:
        super().__init__(why)
        self.args = (f"The store is not available: {why} ({reply_code}).",)
        self.reply_code = reply_code


class NotReplicated(StoreUnavailable):
    """A write was carried out, and too few replicas confirmed it in time; it is lost if its primary dies now."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.args = (f"It is not known whether the store keeps it: {detail}.",)


class VersionConflict(StorageError):
    """The log is at version `actual` and not at `expected`; versions count events."""

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
    """The embedded server cannot run here, or did not start; then the message contains the end of its log."""


class EmbeddedServerLost(StorageError):
    """The embedded server ended while Flagman was running."""

    def __init__(self, code: int, log: Path) -> None:
        how = f"by signal {-code}" if code < 0 else f"with exit code {code}"
        super().__init__(
            f"The embedded server ended {how}; start Flagman again, and it goes on where it was. See {log}."
        )


class LeaseLost(StorageError):
    """Another worker took the writer's job over, so the writer may only append results without the lease."""

    def __init__(self) -> None:
        super().__init__("Another worker took this session over.")


class IdempotencyKeyKnown(StorageError):
    """The idempotency key was used before; `value` was stored with it then."""

    def __init__(self, value: bytes) -> None:
        super().__init__("The idempotency key was used before.")
        self.value = value


class TooManyClaims(StorageError):
    """A sender has stored as many idempotency keys as it may."""

    def __init__(self, most: int) -> None:
        super().__init__(f"There are {most:,} idempotency keys of the last day.")
        self.most = most


def note_outage(log: logging.Logger, error: StorageError) -> None:
    """Log an outage at most once a second, since every request reports it."""
    global _noted
    if time.monotonic() - _noted >= 1:
        _noted = time.monotonic()
        log.warning("store: %s", error)
