"""Every refusal of the domain, in one module, with the table from its stable code to its type.

An error has a `code`, typed fields and one neutral sentence. An interface adds parts, such as a hint at a command.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar, Literal, get_type_hints

from pydantic import TypeAdapter, ValidationError


class FlagmanError(Exception):
    """The base of all refusals of the domain.

    `code` is stable and machine-readable, and `str(error)` is one sentence without internals. The annotated attributes
    of a subclass are its fields: they travel with it to a client. `fault` marks errors whose cause is the state of the
    installation, which an operator has to look at, and `lasting` those that stay until something is changed.
    """

    code: str = "error"
    fault: ClassVar[bool] = False
    lasting: ClassVar[bool] = False

    @property
    def fields(self) -> dict[str, Any]:
        """The fields as JSON values."""
        return {
            name: TypeAdapter(hint).dump_python(getattr(self, name), mode="json")
            for name, hint in _field_types(type(self)).items()
            if hasattr(self, name)
        }


class _AboutOne(FlagmanError):
    """The base of refusals with one field, which names what they are about; `said` is the sentence for it."""

    said: ClassVar[str]

    def __init__(self, name: str) -> None:
        super().__init__(self.said.format(name))
        (field,) = _field_types(type(self))
        setattr(self, field, name)


class InvalidInput(FlagmanError):
    code = "invalid_input"


class InvalidCondition(FlagmanError):
    """A time, a duration or a resume condition that cannot be read."""

    code = "invalid_condition"


class SessionNotFound(_AboutOne):
    code = "session_not_found"
    said = "There is no session `{}`."
    session_id: str


class SessionExists(_AboutOne):
    """A SESSION_LOG of a session that the store still has."""

    code = "session_exists"
    said = "Session `{}` is here already; only what is lost can be restored."
    session_id: str


class PersonaNotFound(FlagmanError):
    code = "persona_not_found"
    name: str
    known: tuple[str, ...]

    def __init__(self, name: str, known: list[str]) -> None:
        super().__init__(f"There is no persona `{name}`. Choose one of: {', '.join(known) or 'none yet'}.")
        self.name, self.known = name, tuple(known)


class PersonaInvalid(FlagmanError):
    """A persona file that cannot be used; the message names file and line."""

    code = "persona_invalid"
    fault = True
    path: str
    line: int
    problem: str

    def __init__(self, path: str, line: int, problem: str) -> None:
        super().__init__(f"{path}:{line}: {problem}")
        self.path, self.line, self.problem = path, line, problem


class PersonaUnusable(FlagmanError):
    """A persona that names a person, group or team that does not exist, so that its rules would be other ones."""

    code = "persona_unusable"
    fault = True
    name: str

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f"The persona `{name}` cannot be launched: {problem}.")
        self.name = name


class PersonaLost(FlagmanError):
    """The persona of a restored session held a secret, and the one in use has another digest."""

    code = "persona_lost"
    name: str

    def __init__(self, name: str) -> None:
        lost = f"The persona `{name}` held a secret, which no SESSION_LOG keeps, and the one here is another"
        super().__init__(f"{lost}; put its file back as it was and try again.")
        self.name = name


class LogUnreadable(FlagmanError):
    """A stored log that is damaged or was written by a newer version."""

    code = "log_unreadable"
    fault = True
    session_id: str

    def __init__(self, session_id: str, problem: str) -> None:
        super().__init__(f"Session `{session_id}` cannot be read: {problem}")
        self.session_id = session_id


VerificationKind = Literal[
    "no document", "truncated", "changed event", "changed text", "wrong signature", "another key", "unsigned"
]  # fmt: skip


class VerificationError(FlagmanError):
    """A SESSION_LOG that was changed since it was written. `line` is the place, from 1, or 0 for none."""

    code = "session_log_altered"
    kind: VerificationKind
    line: int

    def __init__(self, kind: VerificationKind, line: int, problem: str) -> None:
        where = f"line {line}: " if line else ""
        super().__init__(f"{kind[0].upper()}{kind[1:]}: {where}{problem}.")
        self.kind, self.line = kind, line


class ArtifactNotFound(FlagmanError):
    """A file that the session has not written, or that is not on this machine any more."""

    code = "artifact_not_found"


class ArtifactTooLarge(FlagmanError):
    code = "artifact_too_large"

    def __init__(self, path: str, most: int) -> None:
        super().__init__(
            f"`{path}` is larger than {most // (1024 * 1024)} MiB, so it is not passed on from here."
        )


class ChannelNotFound(_AboutOne):
    """A channel for sessions that there is not, or that the actor does not see."""

    code = "channel_not_found"
    said = "There is no channel `{}` that you see; name one that you and Flagman are in."
    channel: str


class ScheduleNotFound(_AboutOne):
    code = "schedule_not_found"
    said = "There is no schedule `{}`."
    schedule_id: str


class IllegalEvent(FlagmanError):
    """An event that may not follow the log in its present state."""

    code = "illegal_event"


class LimitReached(FlagmanError):
    """A limit of stored items is reached; items that were accepted before are kept."""

    code = "limit_reached"


class NotAllowed(FlagmanError):
    """The actor may not do `what`; `users` and `groups` are those who may, where the error is about that."""

    code = "not_allowed"
    users: tuple[str, ...]
    groups: tuple[str, ...]
    what: str

    def __init__(
        self,
        message: str,
        *,
        users: tuple[str, ...] = (),
        groups: tuple[str, ...] = (),
        what: str = "decide on this call",
    ) -> None:
        super().__init__(message)
        self.users, self.groups, self.what = users, groups, what


class AlreadyDecided(FlagmanError):
    code = "already_decided"
    verdict: str
    by: str
    at: datetime
    name: str
    what: str

    def __init__(
        self, verdict: str, by: str, at: datetime, *, name: str = "", what: str = "This call"
    ) -> None:
        super().__init__(f"{what} was already {verdict} by {name or by}.")
        self.verdict, self.by, self.at, self.name, self.what = verdict, by, at, name, what


class DigestRequired(FlagmanError):
    """A decision that does not say what was shown."""

    code = "digest_required"


class CallChanged(FlagmanError):
    """A decision on a call that is no longer the one that was shown, or about which people were asked again since."""

    code = "call_changed"


class AlreadyEnded(FlagmanError):
    code = "already_ended"


class IdempotencyConflict(FlagmanError):
    code = "idempotency_conflict"

    def __init__(self, key: str) -> None:
        super().__init__(f"The idempotency key `{key}` was already used for a different request.")


class TokenForged(FlagmanError):
    code = "token_invalid"

    def __init__(self) -> None:
        super().__init__("This resume token was not given out here.")


class TokenExpired(FlagmanError):
    code = "token_expired"
    at: datetime

    def __init__(self, at: datetime) -> None:
        super().__init__(f"This resume token expired on {at:%Y-%m-%d at %H:%M} UTC.")
        self.at = at


class TokenUsed(FlagmanError):
    """The pause of a resume token has ended; the message says by whom and when."""

    code = "token_used"

    def __init__(self, how: str) -> None:
        super().__init__(f"The pause of this resume token has already ended, {how}.")


class KeyRefused(FlagmanError):
    """No API key, or one that is not known or was revoked."""

    code = "unauthorized"


class MissingScope(FlagmanError):
    code = "missing_scope"
    scope: str

    def __init__(self, scope: str) -> None:
        super().__init__(
            f"This key lacks the scope `{scope}`; `flagman keys create NAME --scope {scope} …` makes one that has it."
        )
        self.scope = scope


class KeyNotFound(_AboutOne):
    code = "key_not_found"
    said = "There is no key `{}`."
    key_id: str


GatewayErrorKind = Literal[
    "rate_limited", "unavailable", "timed_out", "refused", "context_overflow", "misconfigured"
]


class GatewayError(FlagmanError):
    """No reply came from the model; `str(error)` is one sentence for people, without keys.

    `retryable`: the same request may succeed later, after `retry_after` seconds where the provider said so.
    """

    code = "model_error"
    fault = True
    kind: GatewayErrorKind
    retryable: bool
    retry_after: float | None

    def __init__(
        self,
        kind: GatewayErrorKind,
        message: str,
        *,
        retryable: bool = False,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.kind, self.retryable, self.retry_after = kind, retryable, retry_after


class Unavailable(FlagmanError):
    """Flagman, or its store, cannot be reached; a request without an answer may have been carried out."""

    code = "unavailable"
    fault = True


class StoreAway(Unavailable):
    """The store of a Flagman that answers cannot be reached."""

    code = "store_unavailable"

    def __init__(self) -> None:
        super().__init__(
            "Flagman cannot reach its store right now, so it is not known whether that was done."
        )


class UnknownRefusal(FlagmanError):
    """An error with an unknown code, as from a newer Flagman or a server in between; `code` is that code."""

    code = "refused"


class ToolError(Exception):
    """The tool failed; the model reads the message, so it says what to change."""


class InvalidArguments(ToolError):
    """The arguments do not fit the tool's schema; the message names each wrong field.

    `problems` says it by argument, for a form that shows it beside them; empty where that is not known.
    """

    def __init__(self, message: str, problems: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.problems = dict(problems or {})


# Each code belongs to one type; a client makes the error again from code, message and fields.
ERRORS: Mapping[str, type[FlagmanError]] = {
    kind.code: kind
    for kind in (
        FlagmanError, InvalidInput, InvalidCondition, SessionNotFound, SessionExists, PersonaNotFound,
        PersonaInvalid, PersonaUnusable, PersonaLost, LogUnreadable, VerificationError, ArtifactNotFound,
        ArtifactTooLarge, ChannelNotFound, ScheduleNotFound, IllegalEvent, LimitReached, NotAllowed, AlreadyDecided,
        DigestRequired, CallChanged, AlreadyEnded, IdempotencyConflict, TokenForged, TokenExpired, TokenUsed,
        KeyRefused, MissingScope,
        KeyNotFound, GatewayError, Unavailable, StoreAway, UnknownRefusal,
    )
}  # fmt: skip


def rebuild_error(
    code: str, sentence: str, fields: Mapping[str, Any], otherwise: type[FlagmanError] = UnknownRefusal
) -> FlagmanError:
    """Return the error with this code, message and fields, as another process raised it.

    A field that is missing or has another shape is left out; an unknown code gives an error of type `otherwise`.
    """
    kind = ERRORS.get(code, otherwise)
    error = kind.__new__(kind)
    error.args = (sentence,)
    error.code = code or kind.code
    for name, hint in _field_types(kind).items():
        try:
            setattr(error, name, TypeAdapter(hint).validate_python(fields[name]))
        except (KeyError, ValidationError):
            continue
    return error


def _field_types(kind: type[FlagmanError]) -> dict[str, Any]:
    """Return the annotated fields of an error type; the others belong to the type itself."""
    return {n: h for n, h in get_type_hints(kind).items() if n not in ("code", "fault", "lasting", "said")}
