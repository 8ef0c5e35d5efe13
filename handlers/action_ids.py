"""Names that Slack sends back: ids of actions and views, and the values of buttons.

Old messages in Slack contain them, so none of them may change.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from supervisor.core.commands.approvals import SHORTEST_DIGEST, Seen
from supervisor.core.errors import InvalidInput
from supervisor.core.state import Call, Session


class Action(StrEnum):
    APPROVE = "call_approve"
    APPROVE_ALL = "call_approve_all"
    REVIEW_ALL = "call_review_all"
    DENY = "call_deny"
    DENY_ALL = "call_deny_all"
    RESPOND = "call_respond"
    INSTEAD = "call_instead"
    ALLOW = "call_allow"
    ALLOW_TERMS = "allow_terms"
    REVOKE = "grant_revoke"
    EDIT = "call_edit"
    VIEW = "call_view"
    PAGE = "call_page"
    ANSWER = "question_answer"
    ANSWER_FORM = "question_form"
    ANSWER_DECLINE = "question_decline"
    RUN_AGAIN = "outcome_run_again"
    MARK_DONE = "outcome_done"
    MARK_FAILED = "outcome_failed"
    CHILD_RETRY = "child_retry"
    CHILD_SKIP = "child_skip"
    CHILD_STOP = "child_stop"
    CHILD_LOOK = "child_look"
    PAUSE = "session_pause"
    RESUME = "session_resume"
    RESUME_WITH = "session_resume_with"
    COMPACT = "session_compact"
    CANCEL = "session_cancel"
    LOG = "session_log"
    MORE = "session_more"
    REVIEW = "session_review"
    LAUNCH_FORM = "launch_form"
    LAUNCH_PERSONA = "launch_persona"
    SCHEDULE_RUN = "schedule_run"
    OFFER = "task_offer"
    SNOOZE_HOUR = "snooze_hour"
    SNOOZE_MORNING = "snooze_morning"
    DISMISS = "reminder_dismiss"
    NOTIFY = "notify_form"
    CONNECT = "connect_begin"
    CONNECT_OPEN = "connect_open"
    CONNECT_REMOVE = "connect_remove"


class View(StrEnum):
    DENY = "deny"
    DENY_ALL = "deny_all"
    APPROVE_ALL = "approve_all"
    RESPOND = "respond"
    INSTEAD = "instead"
    ALLOW = "allow"
    EDIT = "edit"
    CALL = "call"
    ANSWER = "answer"
    OUTCOME = "outcome"
    RESUME = "resume"
    CANCEL = "cancel"
    LAUNCH = "launch"
    CHILD = "child"
    HAND_OVER = "hand_over"
    NOTIFY = "notify"


@dataclass(frozen=True)
class Target:
    """The subject of a button or form: a session, and some of its calls as they were shown.

    `seen` has the beginning of each call's digest, and the number of its request, by call id; the action defines the
    meaning of `extra`.
    """

    session_id: str
    seen: Mapping[str, Seen] = field(default_factory=dict)
    extra: str = ""

    @property
    def call_ids(self) -> tuple[str, ...]:
        return tuple(self.seen)

    @property
    def first(self) -> tuple[str, Seen]:
        """The first call and how it was shown. Raises InvalidInput for a button that is about none."""
        for call_id, seen in self.seen.items():
            return call_id, seen
        raise InvalidInput("That button is not one of Flagman's; please use the newest message.")

    def encode(self) -> str:
        """Return the target as the value of a button, or the private metadata of a modal."""
        shown = [f"{seen.digest}:{seen.request}" for seen in self.seen.values()]
        return "|".join([self.session_id, ",".join(self.seen), ",".join(shown), self.extra])

    @classmethod
    def decode(cls, value: str) -> Target:
        """Return the target in a value. Raises InvalidInput for a value that `encode` did not make."""
        parts = value.split("|", 3)
        if len(parts) != 4 or not parts[0]:
            raise InvalidInput("That button is not one of Flagman's; please use the newest message.")
        ids, shown = (tuple(p.split(",")) if p else () for p in parts[1:3])
        return cls(parts[0], dict(zip(ids, map(_seen, shown), strict=False)), parts[3])

    @classmethod
    def of_click(cls, body: Mapping[str, Any]) -> Target:
        """Return the target of the button that was clicked. Raises InvalidInput."""
        return cls.decode(str(body["actions"][0].get("value") or ""))

    @classmethod
    def of_form(cls, view: Mapping[str, Any]) -> Target:
        """Return the target of a submitted modal. Raises InvalidInput."""
        return cls.decode(view["private_metadata"])

    @classmethod
    def of(cls, session: Session, *calls: Call, extra: str = "") -> Target:
        # A part of the digest, since a value of a button has at most 2,000 characters.
        seen = {c.call_id: Seen(c.call.digest[:SHORTEST_DIGEST], c.request) for c in calls}
        return cls(session.id, seen, extra)

    @classmethod
    def of_pause(cls, session: Session) -> Target:
        """Return the target of the present pause by its number, so that an old button does not end a later pause."""
        return cls(session.id, extra=str(session.halts[-1].number) if session.halts else "")

    @property
    def pause_number(self) -> int | None:
        """The number of the pause, where `of_pause` made the target."""
        return int(self.extra) if self.extra.isdecimal() else None


def _seen(text: str) -> Seen:
    """Return the digest and the request of a call; values without a request number stand for the first one."""
    digest, _, request = text.partition(":")
    return Seen(digest, int(request) if request.isdecimal() else 1)
