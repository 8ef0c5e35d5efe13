"""What can go wrong below the log: each error is one sentence."""

from __future__ import annotations

from pathlib import Path


class StorageError(Exception):
    """Any refusal of the store; `str(error)` is one sentence for people."""


class StoreUnavailable(StorageError):
    """The server cannot be reached, or refuses to write; what was in flight may or may not have happened."""

    def __init__(self, detail: str) -> None:
        super().__init__(f"The store cannot be reached: {detail}")
        self.detail = detail


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


class IdempotencyKeyKnown(StorageError):
    """The key was used before; `value` is what was remembered with it."""

    def __init__(self, value: bytes) -> None:
        super().__init__("The idempotency key was used before.")
        self.value = value
