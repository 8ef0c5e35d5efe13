"""Every refusal Flagman makes, each with one sentence that says what to do."""

from __future__ import annotations

from datetime import datetime


class FlagmanError(Exception):
    """A refusal with a sentence for people.

    `code` is stable and machine-readable; `status` is the HTTP status of the problem document;
    `str(error)` is one friendly sentence without internals.
    """

    code = "error"
    status = 500


class InvalidInput(FlagmanError):
    code = "invalid_input"
    status = 422


class SessionNotFound(FlagmanError):
    code = "session_not_found"
    status = 404

    def __init__(self, session_id: str) -> None:
        super().__init__(f"There is no session `{session_id}`.")
        self.session_id = session_id


class PersonaNotFound(FlagmanError):
    code = "persona_not_found"
    status = 404

    def __init__(self, name: str, known: list[str]) -> None:
        super().__init__(f"There is no persona `{name}`. Choose one of: {', '.join(known) or 'none yet'}.")
        self.name = name


class PersonaInvalid(FlagmanError):
    """A persona file that cannot be used; the message names file and line."""

    code = "persona_invalid"
    status = 500

    def __init__(self, path: str, line: int, problem: str) -> None:
        super().__init__(f"{path}:{line}: {problem}")
        self.path, self.line, self.problem = path, line, problem


class LogUnreadable(FlagmanError):
    """A stored log that is damaged or was written by a newer version."""

    code = "log_unreadable"
    status = 500

    def __init__(self, session_id: str, problem: str) -> None:
        super().__init__(f"Session `{session_id}` cannot be read: {problem}")
        self.session_id = session_id


class ArtifactNotFound(FlagmanError):
    """A file that the session has not written, or that is gone."""

    code = "artifact_not_found"
    status = 404


class ArtifactTooLarge(FlagmanError):
    code = "artifact_too_large"
    status = 413

    def __init__(self, path: str, most: int) -> None:
        size = f"{most // (1024 * 1024)} MiB"
        super().__init__(f"`{path}` is larger than {size}, so it is not passed on from here.")


class IllegalEvent(FlagmanError):
    """An event that may not follow the log as it stands."""

    code = "illegal_event"
    status = 409


class NotAllowed(FlagmanError):
    """`users` and `groups` are those who may, where that is the reason."""

    code = "not_allowed"
    status = 403

    def __init__(self, message: str, *, users: tuple[str, ...] = (), groups: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.users, self.groups = users, groups


class AlreadyDecided(FlagmanError):
    code = "already_decided"
    status = 409

    def __init__(
        self, verdict: str, by: str, at: datetime, *, name: str = "", what: str = "This call"
    ) -> None:
        super().__init__(f"{what} was already {verdict} by {name or by}.")
        self.verdict, self.by, self.at, self.name, self.what = verdict, by, at, name, what


class AlreadyEnded(FlagmanError):
    code = "already_ended"
    status = 409


class InvalidCondition(FlagmanError):
    code = "invalid_condition"
    status = 422


class IdempotencyConflict(FlagmanError):
    code = "idempotency_conflict"
    status = 409

    def __init__(self, key: str) -> None:
        super().__init__(f"The idempotency key `{key}` was already used for a different request.")
