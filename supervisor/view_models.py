"""What a program sees of a session, its calls and its events, wherever Flagman runs."""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, TypeAdapter

from supervisor.core.budgets import Spending
from supervisor.core.conditions import At, parse_condition
from supervisor.core.errors import InvalidCondition
from supervisor.core.events import Event, PauseReason, encode
from supervisor.core.messages import Json
from supervisor.core.state import CallPhase
from supervisor.core.subagents import ChildStanding, Need

ENDED = ("completed", "failed", "cancelled")
_FACTS: TypeAdapter[Event] = TypeAdapter(Event)


class _Seen(BaseModel):
    # A newer Flagman may say more; it is kept.
    model_config = ConfigDict(extra="allow", frozen=True)


class ProposedCall(_Seen):
    """A tool call without a result, or a question (then `question` says it)."""

    call_id: str
    tool: str
    arguments: Json | str
    digest: str
    phase: CallPhase
    question: str = ""
    options: list[str] = []


class PauseState(_Seen):
    number: int
    reason: PauseReason
    detail: str
    conditions: list[str]


class ReminderState(_Seen):
    id: str
    due: datetime
    text: str = ""


class ChildState(ChildStanding):
    """One subtask of a plan: `id` is the session that does it, `reason` why it was given up."""

    model_config = ConfigDict(extra="allow")


class NeedState(Need):
    """What waits for a person, and in which session: `name` leads there through the names of subtasks."""

    model_config = ConfigDict(extra="allow")


class SpendingState(Spending):
    """What is used of what may be; no `limit`: as much as it takes."""

    model_config = ConfigDict(extra="allow")


class ForkedFrom(_Seen):
    """The session that this one was copied from, and the step up to which."""

    id: str
    step: int


class ArtifactState(_Seen):
    """A file that a session wrote; `size` is None where it is not there any more."""

    path: str
    size: int | None


class SessionState(_Seen):
    """A session as it stood at `version`; `needs` is what waits for a person in it and its sub-agents."""

    id: str
    status: str
    waiting_for: PauseReason | None
    version: int
    persona: str
    task: str
    channel: str | None = None
    launched_by: str
    launched_by_name: str
    launched_at: datetime
    changed_at: datetime
    parent: str | None = None
    root: str = ""
    forked_from: ForkedFrom | None = None
    pause: PauseState | None
    calls: list[ProposedCall]
    children: list[ChildState] = []
    needs: list[NeedState] = []
    reminders: list[ReminderState] = []
    steps: int
    said: str = ""
    cost_usd: Decimal
    total_cost_usd: Decimal = Decimal(0)
    unpriced: bool = False
    budget: SpendingState | None = None
    artifacts: list[str] = []
    result: str

    @property
    def ended(self) -> bool:
        return self.status in ENDED


class Pausing(_Seen):
    """`resume_token` resumes just this pause, once, without any other right."""

    status: str
    session_id: str
    resume_token: str
    expires_at: datetime | None = None
    conditions: list[str] = []


class SessionEvent(_Seen):
    """One fact of the log, numbered from 1; `data` has the fields of its type."""

    version: int
    type: str
    at: datetime
    by: str
    by_name: str = ""
    data: Json = {}

    @classmethod
    def of(cls, version: int, fact: Event) -> Self:
        """A fact as a program sees it."""
        data = json.loads(encode(fact))
        for field in ("type", "v", "at", "by", "by_name"):
            data.pop(field, None)
        return cls(version=version, type=fact.type, at=fact.at, by=fact.by, by_name=fact.by_name, data=data)

    def fact(self) -> Event:
        """It, typed. Raises ValueError for a type that this Flagman does not know."""
        fields: dict[str, Any] = {**self.data, "at": self.at, "by": self.by, "by_name": self.by_name}
        if "conditions" in fields:
            fields["conditions"] = [_condition(text, self.at) for text in fields["conditions"]]
        return _FACTS.validate_python({**fields, "type": self.type})


def _condition(written: Any, at: datetime) -> Any:
    """The condition that is written so in an event of `at`; one that is typed already stays. Raises ValueError."""
    kind, _, rest = str(written).partition(": ")
    try:
        if not isinstance(written, str):
            return written
        if kind == "at":
            return At(type="at", due=datetime.fromisoformat(rest))
        if kind == "cron":
            expression, _, zone = rest.removesuffix(")").rpartition(" (")
            return parse_condition(f"cron: {expression}", now=at, zone=zone)
        return parse_condition(written, now=at)
    except InvalidCondition as error:
        raise ValueError(str(error)) from error
