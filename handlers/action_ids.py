"""Names that Slack sends back: actions, views, and the opaque value of a button."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from supervisor.core.errors import InvalidInput
from supervisor.core.state import Call, Session

DIGEST_SHOWN = 20


class Action(StrEnum):
    APPROVE = "call_approve"
    APPROVE_ALL = "call_approve_all"
    DENY = "call_deny"
    EDIT = "call_edit"
    VIEW = "call_view"
    PAGE = "call_page"
    ANSWER = "question_answer"
    ANSWER_FORM = "question_form"
    RUN_AGAIN = "outcome_run_again"
    MARK_DONE = "outcome_done"
    MARK_FAILED = "outcome_failed"
    CHILD_RETRY = "child_retry"
    CHILD_SKIP = "child_skip"
    CHILD_STOP = "child_stop"
    PAUSE = "session_pause"
    RESUME = "session_resume"
    RESUME_WITH = "session_resume_with"
    COMPACT = "session_compact"
    CANCEL = "session_cancel"
    LOG = "session_log"
    LAUNCH_FORM = "launch_form"
    SNOOZE_HOUR = "snooze_hour"
    SNOOZE_MORNING = "snooze_morning"
    DISMISS = "reminder_dismiss"


class View(StrEnum):
    DENY = "deny"
    EDIT = "edit"
    CALL = "call"
    ANSWER = "answer"
    OUTCOME = "outcome"
    RESUME = "resume"
    LAUNCH = "launch"


@dataclass(frozen=True)
class Target:
    """What a button is about: a session, some of its calls, and the digests that the message showed."""

    session_id: str
    call_ids: tuple[str, ...] = ()
    digests: tuple[str, ...] = ()
    extra: str = ""

    def encode(self) -> str:
        calls = ",".join(self.call_ids)
        return "|".join([self.session_id, calls, ",".join(self.digests), self.extra])

    @classmethod
    def decode(cls, value: str) -> Target:
        """Raises InvalidInput for a value that Flagman did not make."""
        parts = value.split("|", 3)
        if len(parts) != 4 or not parts[0]:
            raise InvalidInput("That button is not one of Flagman's; please use the newest message.")
        ids, digests = (tuple(p.split(",")) if p else () for p in parts[1:3])
        return cls(parts[0], ids, digests, parts[3])

    @classmethod
    def of(cls, session: Session, *calls: Call, extra: str = "") -> Target:
        digests = tuple(c.call.digest[:DIGEST_SHOWN] for c in calls)
        return cls(session.id, tuple(c.call_id for c in calls), digests, extra)

    @classmethod
    def of_pause(cls, session: Session) -> Target:
        """A pause, by its number: a button of an earlier one must not end a later one."""
        return cls(session.id, extra=str(session.halts[-1].number) if session.halts else "")

    @property
    def halt(self) -> int | None:
        return int(self.extra) if self.extra.isdecimal() else None

    @property
    def shown(self) -> dict[str, str]:
        """The digest that the person saw, by call."""
        return dict(zip(self.call_ids, self.digests, strict=False))
