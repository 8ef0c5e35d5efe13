"""A home tab as full as it can be, about one session under many ids."""

from __future__ import annotations

from typing import Any

from handlers.messages.headline import failures
from handlers.messages.home import HomeTab, Need, Scheduled, home
from supervisor.core.rights import is_stopped
from supervisor.core.state import Session
from supervisor.core.text.masking import Masker

KINDS = {"awaiting": "approval", "asking": "question", "unknown": "outcome"}


def home_of(session: Session, mask: Masker) -> dict[str, Any]:
    """The view for a person who may decide on everything that copies of this session ask."""
    many = [session.model_copy(update={"id": f"p0{n:02}-test"}) for n in range(20)]
    decided = [(one, call) for one in many for step in one.steps for call in step.calls if call.decisions]
    times = [session.changed_at] * 3
    schedule = Scheduled(
        "abc123", session.task, session.persona, "0 9 * * MON", "UTC", times, problem=session.task
    )
    tab = HomeTab(
        needs=[need for one in many for need in _needs(one)],
        decided=decided,
        yours=many,
        running=many,
        schedules=[schedule] * 20,
        addresses={one.id: "https://flagman.slack.com/archives/C1/p1" for one in many},
    )
    return home(tab, mask, "/agent")


def _needs(session: Session) -> list[Need]:
    calls = [call for step in session.steps for call in step.calls if call.phase in KINDS]
    found = [Need(KINDS[call.phase], session, call) for call in calls]
    found += [Need("failure", session, child_id=child.id) for child in failures(session)]
    found += [Need("approval", session, session.approval)] if session.approval else []
    return [*found, *([Need("pause", session)] if is_stopped(session) else [])]
