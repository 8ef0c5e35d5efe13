"""The views that all interfaces return: sessions, calls, events, files, reminders and schedules."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, TypeAdapter

from supervisor.core.budgets import Spending
from supervisor.core.commands.approvals import Verdict
from supervisor.core.commands.conversation import Heard
from supervisor.core.commands.limits import SettingName
from supervisor.core.conditions import At, parse_condition
from supervisor.core.errors import InvalidCondition
from supervisor.core.events import Event, PauseReason
from supervisor.core.messages import Json, Usage
from supervisor.core.persona import Approvers, Budgets, Grants
from supervisor.core.records import NotedDecision, RunningCall
from supervisor.core.state import TERMINAL, CallPhase
from supervisor.core.subagents import ChildStanding, Need
from supervisor.core.times import Overlap

Status = Literal["running", "paused", "completed", "failed", "cancelled"]
_EVENTS: TypeAdapter[Event] = TypeAdapter(Event)


class ResponseModel(BaseModel):
    """The base of views. A client ignores unknown fields, which a newer Flagman may send."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def __getitem__(self, name: str) -> Any:
        """A field as in the JSON of the view: `paused["resume_token"]`. Raises KeyError."""
        if name not in type(self).model_fields:
            raise KeyError(name)
        return getattr(self, name)


class DecisionView(ResponseModel):
    verdict: Verdict
    by: str
    by_name: str
    by_owner: str
    at: datetime
    reason: str
    via: str
    how: Literal["", "reaction"] = ""
    for_person: str = ""
    for_name: str = ""
    joined: tuple[str, ...] = ()


class InputView(ResponseModel):
    """What a server asks people for in the middle of a call.

    `form` is the JSON Schema of the answer; without fields it can be accepted or declined. `url` is an address that a
    person is to open. The call is held open until `until`; where that is null, it can be answered at any time.
    """

    server: str
    message: str
    form: Json
    url: str = ""
    until: datetime | None = None


class CallView(ResponseModel):
    """A tool call without a result, or a question (then `question` says it).

    `approvers` is the first rule about who may approve it, and `also` are further ones, each to be satisfied.
    A pause that waits for an approval is one of the tool `approval`. A decision sends `digest` back, and one on an
    outcome `request`, too: it counts how often people were asked. `grants` is what the sandbox lets a command use,
    `preview` what its tool said it would do, as things stood, and `notes` are sentences about the request for its
    approvers: that too few people can approve it, that there is no sandbox, what it grants. `requesters` are those who
    told the agent what to do before it proposed the call, besides the requesters of its session. `definition` is what
    an MCP server says of its tool, as it is pinned with the call. `input` is what that server asks people for.
    `runs_as` is the person as whom it runs on a server that each person connects, and empty for all other calls.
    """

    call_id: str
    tool: str
    arguments: Json | str
    digest: str
    phase: CallPhase
    request: int
    requested_at: datetime | None
    approvers: Approvers | None
    also: list[Approvers] = []
    decisions: list[DecisionView]
    requesters: list[str] = []
    question: str
    options: list[str]
    input: InputView | None = None
    grants: Grants | None = None
    notes: list[str] = []
    preview: str = ""
    definition: str = ""
    runs_as: str = ""


class PauseView(ResponseModel):
    number: int
    reason: PauseReason
    detail: str
    by: str
    by_name: str
    at: datetime
    conditions: list[str]


class ReminderView(ResponseModel):
    id: str
    due: datetime
    text: str
    by: str
    by_name: str


class ForkedFrom(ResponseModel):
    """The session that this one was copied from, and the step up to which.

    `missing` are files of it that were not on the machine that took the request, and so may not be taken along.
    """

    id: str
    step: int
    missing: list[str] = []


class SessionView(ResponseModel):
    """A session at `version`. `waiting_for` says why nothing goes on by itself; `result` is what it ended with.

    `launched_for` are the ids of those for whom it was launched besides: the owner of a key, the maker of a schedule.
    `requesters` are all who count as having asked for it, also for a session above it or one that it is a copy of.
    `link` is the address where people see it; empty where it is shown nowhere.
    `decisions` are those that its agent noted, `children` are the subtasks of its plans, `parent` is the session that
    launched it for one of its own, `root` the one that a person launched. `needs` is what waits for a person, in it and
    in its sub-agents. `cost_usd` is its own; `total_cost_usd` is with theirs. `running` is what runs at this moment:
    calls with the last lines that they printed, or the turn of the model, which has no `tool`.
    """

    id: str
    status: Status
    waiting_for: PauseReason | None
    version: int
    persona: str
    task: str
    channel: str | None
    launched_by: str
    launched_by_name: str
    launched_for: list[str] = []
    requesters: list[str] = []
    link: str = ""
    launched_at: datetime
    changed_at: datetime
    parent: str | None
    root: str
    forked_from: ForkedFrom | None
    pause: PauseView | None
    calls: list[CallView]
    running: list[RunningCall] = []
    children: list[ChildStanding]
    needs: list[Need]
    reminders: list[ReminderView]
    decisions: list[NotedDecision] = []
    steps: int
    said: str
    usage: Usage
    cost_usd: Decimal
    total_cost_usd: Decimal
    unpriced: bool
    budgets: Budgets
    budget: Spending
    artifacts: list[str]
    ended_by: str
    result: str

    @property
    def ended(self) -> bool:
        return self.status in TERMINAL


class UnreadableView(ResponseModel):
    """A session whose log cannot be read; `problem` says why."""

    id: str
    problem: str


class SessionPage(ResponseModel):
    """`next` is the cursor of the next page; null on the last one. `unreadable` ones come besides, in any page."""

    sessions: list[SessionView]
    next: str | None
    unreadable: list[UnreadableView] = []


class ArtifactView(ResponseModel):
    """A file that a session wrote; `size` in bytes is null where it is not there.

    Then `removed` tells whether the session has removed it; otherwise it is not on the machine that answers.
    """

    path: str
    size: int | None
    removed: bool = False


class ArtifactList(ResponseModel):
    artifacts: list[ArtifactView]


class EventView(ResponseModel):
    """One event of the log, numbered from 1; `data` has the fields of its type."""

    version: int
    type: str
    at: datetime
    by: str
    by_name: str = ""
    by_owner: str = ""
    data: Json = {}

    def fact(self) -> Event:
        """The event, typed. Raises ValueError for a type that this Flagman does not know."""
        fields: Json = {
            **self.data,
            "at": self.at,
            "by": self.by,
            "by_name": self.by_name,
            "by_owner": self.by_owner,
        }
        if "conditions" in fields:
            fields["conditions"] = [_condition(text, self.at) for text in fields["conditions"]]
        return _EVENTS.validate_python({**fields, "type": self.type})


def _condition(written: Any, at: datetime) -> Any:
    """The condition of an event of `at`, from its text. Raises ValueError."""
    kind, _, rest = str(written).partition(": ")
    try:
        if kind == "at":
            return At(type="at", due=datetime.fromisoformat(rest))
        if kind == "cron":
            expression, _, zone = rest.removesuffix(")").rpartition(" (")
            return parse_condition(f"cron: {expression}", now=at, zone=zone)
        return parse_condition(str(written), now=at)
    except InvalidCondition as error:
        raise ValueError(str(error)) from error


class EventPage(ResponseModel):
    """`next` is the `after` of the next page; null when there is nothing more so far."""

    events: list[EventView]
    next: int | None


class PauseResult(ResponseModel):
    """`resume_token` resumes just this pause, once, without any other right; none where it waits for an approval.

    `problems` says, a sentence each, why a condition cannot come true as Flagman is set up, and `sub_agents` how many
    pause with it.
    """

    status: Literal["paused"]
    session_id: str
    resume_token: str | None
    expires_at: datetime | None
    conditions: list[str]
    problems: list[str] = []
    sub_agents: int = 0


class ToldResult(ResponseModel):
    """`heard` says what became of the words: the answer to the open question, context for the next step, or what the
    agent does instead of calls that were withdrawn.
    """

    heard: Heard
    session: SessionView


class CallResult(ResponseModel):
    """What a decision did to one call: it counts (`decided`), or was refused with the code and fields of a problem."""

    call_id: str
    decided: bool
    code: str = ""
    detail: str = ""
    fields: dict[str, Any] = {}


class DecisionsResult(ResponseModel):
    """What happened to each call, and the session after it."""

    results: list[CallResult]
    session: SessionView


class DeliveryResult(ResponseModel):
    """The sessions that it resumed, and how many `others` that the actor does not see.

    Where none waits for it, it is kept for a while.

    `repeated`: the same delivery of the same sender came before, so that nothing was done.
    """

    resumed: list[str]
    others: int = 0
    repeated: bool = False


class ScheduleView(ResponseModel):
    """`due` is the next time; null while paused. `next_times`: the next three, none while paused."""

    id: str
    cron: str
    zone: str
    persona: str
    task: str
    channel: str | None
    by: str
    by_name: str
    created_at: datetime
    due: datetime | None
    next_times: list[datetime] = []
    overlap: Overlap = "skip"
    last_session: str | None
    last_problem: str | None


class ScheduleList(ResponseModel):
    schedules: list[ScheduleView]


class SettingView(ResponseModel):
    """A setting of a channel as it holds: its value (null for none), as text, and where that comes from.

    `origin` is `channel` (set by `by` at `at`), `installation` (`source` is the environment variable), `persona`
    (`source` is its name) or `default`.
    """

    name: SettingName
    value: str | int | float | Approvers | None
    text: str
    origin: Literal["channel", "installation", "persona", "default"]
    source: str = ""
    by: str = ""
    by_name: str = ""
    at: datetime | None = None


class SettingChange(ResponseModel):
    """Who changed a setting of a channel, and when; an empty text stands for no value of the channel's own."""

    name: SettingName
    before: str
    after: str
    by: str
    by_name: str
    at: datetime


class SettingsView(ResponseModel):
    """The settings of a channel as they hold for its persona, and its latest changes, the newest first."""

    channel: str
    settings: list[SettingView]
    changes: list[SettingChange] = []

    def setting(self, name: SettingName) -> SettingView:
        return next(one for one in self.settings if one.name == name)


class PersonaView(ResponseModel):
    """`problem` says in one sentence why it cannot be launched; empty where it can.

    `notes` are sentences about one that can: that its file has a mistake, and the version before is used, or that its
    commands do not get what it grants. A file that could never be read has an entry with the name of the file.
    """

    name: str
    description: str
    model: str | None
    tools: list[str]
    problem: str = ""
    notes: list[str] = []


class PersonaList(ResponseModel):
    personas: list[PersonaView]
