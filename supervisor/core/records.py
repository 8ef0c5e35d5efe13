"""Parts of the state of a session: its messages, pauses, reminders, sub-agents, and where it comes from."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from decimal import Decimal
from typing import Literal

from supervisor.core.events import Inherited
from supervisor.core.events.base import Deed
from supervisor.core.messages import Frozen, Usage
from supervisor.core.persona import Budgets


class DecisionDeed(Deed):
    """The deed of a decision, with `for_person` and `joined` as in its event."""

    for_person: str = ""
    for_name: str = ""
    joined: tuple[str, ...] = ()

    @property
    def people(self) -> frozenset[str]:
        """The ids of who acted, and of the person for whom: together they count as one person."""
        return frozenset({self.by, self.by_owner, self.for_person} - {""})

    @property
    def counted(self) -> frozenset[str]:
        """The ids of all who cannot decide on the call besides."""
        return self.people | set(self.joined)

    def counts_as(self, people: Collection[str], joined: Collection[str]) -> bool:
        """Return whether these people, with those joined to them, are one person with who decided."""
        return bool(self.counted & set(people)) or bool(self.people & set(joined))


class Note(Deed):
    """A message to the session; the model reads it before the next step."""

    text: str
    at: datetime
    before_step: int = 0


class Timer(Frozen):
    """A reminder: `set` until it fires or is dropped; one that is snoozed is dropped as the next one is set."""

    id: str
    due: datetime
    text: str
    about: str
    by: str
    by_name: str
    by_owner: str = ""
    set_at: datetime | None = None
    state: Literal["set", "fired", "dropped"] = "set"
    ended_by: str = ""
    ended_at: datetime | None = None


class Child(Frozen):
    """A sub-agent in the state of the session that launched it; its usage includes its own sub-agents.

    `below` are the sub-agents that it may launch with those below it, or has launched once it has ended.
    """

    id: str
    call_id: str
    name: str
    persona: str
    task: str
    at: datetime
    budgets: Budgets
    below: int = 0
    state: Literal["running", "completed", "failed", "cancelled"] = "running"
    verdict: Literal["", "retry", "skip", "stop"] = ""
    decided_by: str = ""
    decided_by_name: str = ""
    decided_at: datetime | None = None
    result: str = ""
    steps: int = 0
    usage: Usage = Usage()
    cost_usd: Decimal = Decimal(0)
    unpriced: bool = False
    artifacts: tuple[str, ...] = ()
    finished_at: datetime | None = None


class Skip(Frozen):
    """A subtask that was given up."""

    call_id: str
    name: str
    reason: str


class Fork(Deed):
    """The session that this one was forked from, and the step up to which; `missing` of its files were not there."""

    source: str
    step: int
    version: int
    at: datetime
    requesters: tuple[str, ...] = ()
    files: Inherited | None = None
    missing: tuple[str, ...] = ()


class Refusal(Frozen):
    """The latest refusal of one kind of attempt by one actor."""

    by: str
    attempt: str
    at: datetime


class Compaction(Frozen):
    """The model reads `summary` in place of the steps up to `through_step`, since there were `at_step` steps."""

    through_step: int
    at_step: int
    summary: str
    at: datetime


class NotedDecision(Frozen):
    """A decision that the agent noted with the call `call_id`, and its reason."""

    call_id: str
    at: datetime
    decision: str
    why: str

    @property
    def text(self) -> str:
        """The decision with its reason on one line."""
        return " ".join(f"{self.decision} – {self.why}".split())
