"""Parts of the state of a session: its messages, pauses, reminders, sub-agents, and where it comes from."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Literal

from supervisor.core.errors import IllegalEvent
from supervisor.core.events import GivenFile, Inherited
from supervisor.core.events.base import Deed, Fact
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


class Decision(DecisionDeed):
    verdict: Literal["approve", "deny", "respond"]
    at: datetime
    reason: str = ""
    via: str = "anyone"
    how: Literal["", "reaction"] = ""


class RunningCall(Frozen):
    """What runs since `since`: a call of `tool`, or the turn of the model, where `tool` and `call_id` are empty.

    `lines` are the last ones that the call printed, masked.
    """

    call_id: str = ""
    tool: str = ""
    since: datetime
    lines: str = ""


class Note(Deed):
    """A message to the session; the model reads it before the next step."""

    text: str
    at: datetime
    before_step: int = 0


class Attached(Deed):
    """A file that a person attached, which is not in the session's folder yet."""

    source: str
    name: str
    size: int


class FileProblem(Frozen):
    """Files that could not be taken, as sentences, and who attached them."""

    at: datetime
    by: tuple[str, ...]
    said: tuple[str, ...]


class Attachments(Frozen):
    """Files that people attached: those still to be taken into the session's folder, and the paths of those that are.

    Each path has the time at which it was taken.
    """

    awaited: tuple[Attached, ...] = ()
    taken: tuple[tuple[str, datetime], ...] = ()
    problems: tuple[FileProblem, ...] = ()

    def with_given(self, deed: Deed | Fact, files: Sequence[GivenFile]) -> Attachments:
        """The attachments with these files to be taken, too."""
        by = {"by": deed.by, "by_name": deed.by_name, "by_owner": deed.by_owner}
        given = (Attached(**file.model_dump(), **by) for file in files)
        return self.model_copy(update={"awaited": (*self.awaited, *given)}) if files else self


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


class Grant(Deed):
    """Calls of one tool and persona that a person allows in advance, where each argument matches its pattern.

    They are those of the session in which it was made or, with a `place`, of all sessions that are shown there.
    """

    id: str
    session_id: str
    persona: str
    call_id: str
    tool: str
    patterns: dict[str, str]
    place: str = ""
    definition: str = ""
    since: datetime
    until: datetime
    ended_at: datetime | None = None
    ended_by: str = ""
    ended_by_name: str = ""

    @property
    def full_id(self) -> str:
        """Its id among the grants of all sessions."""
        return f"{self.session_id}.{self.id}"


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


class Family(Frozen):
    """The sub-agents of a session, and what it has used itself."""

    children: tuple[Child, ...] = ()
    usage: Usage = Usage()
    cost_usd: Decimal = Decimal(0)
    unpriced: bool = False

    @property
    def running_children(self) -> tuple[Child, ...]:
        return tuple(c for c in self.children if c.state == "running")

    @property
    def launched_below(self) -> int:
        """The sub-agents that it has launched, with what is set aside for them to launch, or was launched by them."""
        return sum(1 + child.below for child in self.children)

    def child(self, child_id: str) -> Child:
        """Return the sub-agent with this id. Raises IllegalEvent if there is none."""
        for child in self.children:
            if child.id == child_id:
                return child
        raise IllegalEvent("That sub-agent is not part of this session.")

    @property
    def total_usage(self) -> Usage:
        """The tokens of the session and of its sub-agents that have ended."""
        return sum((c.usage for c in self.children), self.usage)

    @property
    def total_cost_usd(self) -> Decimal:
        return sum((c.cost_usd for c in self.children), self.cost_usd)


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
