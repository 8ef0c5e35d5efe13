"""What comes out of the HTTP API; what goes in is in `requests`.

Requests carry `Authorization: Bearer <key>` except where the last column says otherwise; the scope is what the key
needs (`admin` has all). Every refusal is a `Problem` as `application/problem+json`.

| route                                              | scope   | in              | out                            |
|----------------------------------------------------|---------|-----------------|--------------------------------|
| POST   /v1/sessions (`Idempotency-Key`)            | launch  | LaunchSession   | 201 SessionView, `Location`    |
| GET    /v1/sessions ?status persona parent cursor limit | read |               | 200 SessionPage                |
| GET    /v1/sessions/{id}                           | read    |                 | 200 SessionView                |
| GET    /v1/sessions/{id}/events ?after limit       | read    |                 | 200 EventPage                  |
| … `Accept: text/event-stream`, `Last-Event-ID`     | read    |                 | 200 EventView a message; 204   |
| GET    /v1/sessions/{id}/wait ?timeout until version | read  |                 | 200 SessionView                |
| GET    /v1/sessions/{id}/log                       | read    |                 | 200 text/markdown, text/plain  |
| GET    /v1/sessions/{id}/artifacts                 | read    |                 | 200 ArtifactList               |
| GET    /v1/sessions/{id}/artifacts/{path}          | read    |                 | 200 application/octet-stream   |
| POST   /v1/sessions/{id}/fork (`Idempotency-Key`)  | launch  | ForkSession     | 201 SessionView, `Location`    |
| POST   /v1/sessions/{id}/pause                     | launch  | PauseSession    | 200 PausedView                 |
| POST   /v1/sessions/{id}/token                     | launch  |                 | 201 PausedView                 |
| POST   /v1/sessions/{id}/resume                    | launch  | ResumeSession   | 200 SessionView                |
| POST   /v1/sessions/{id}/cancel                    | launch  | CancelSession   | 200 SessionView                |
| POST   /v1/sessions/{id}/context                   | launch  | AddContext      | 200 Heard                      |
| POST   /v1/sessions/{id}/answer                    | launch  | AnswerQuestion  | 200 SessionView                |
| POST   /v1/sessions/{id}/calls/{call_id}/decision  | approve | DecideCall      | 200 SessionView                |
| POST   /v1/sessions/{id}/calls/{call_id}/outcome   | approve | DecideOutcome   | 200 SessionView                |
| POST   /v1/sessions/{id}/children/{child_id}/decision | approve | DecideChild  | 200 SessionView                |
| POST   /v1/sessions/{id}/reminders                 | launch  | SetReminder     | 201 ReminderView               |
| DELETE /v1/sessions/{id}/reminders/{reminder_id}   | launch  |                 | 204                            |
| GET    /v1/schedules                               | read    |                 | 200 ScheduleList               |
| POST   /v1/schedules                               | launch  | AddSchedule     | 201 ScheduleView, `Location`   |
| GET    /v1/schedules/{schedule_id}                 | read    |                 | 200 ScheduleView               |
| DELETE /v1/schedules/{schedule_id}                 | launch  |                 | 204                            |
| POST   /v1/schedules/{schedule_id}/pause, /resume  | launch  |                 | 200 ScheduleView               |
| POST   /v1/schedules/{schedule_id}/run             | launch  |                 | 201 SessionView, `Location`    |
| POST   /v1/events (or a CloudEvent 1.0)            | launch  | PostEvent       | 200 Delivered                  |
| POST   /v1/resume/{token}                          | none: the token is the right | UseToken | 200 SessionView  |
| GET    /v1/personas                                | read    |                 | 200 PersonaList                |
| GET    /v1/me                                      | any key |                 | 200 Me                         |
| GET    /v1/keys                                    | admin   |                 | 200 KeyList                    |
| POST   /v1/keys                                    | admin   | CreateKey       | 201 NewKey                     |
| DELETE /v1/keys/{key_id}                           | admin   |                 | 204                            |
| GET    /v1/openapi.json                            | none    |                 | 200                            |
| POST   /hooks/{name}                               | none: signed | any JSON   | 202 Delivered                  |
| GET    /metrics                                    | none    |                 | 200 text/plain                 |
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from supervisor.api_keys import Scope
from supervisor.core.budgets import Spending
from supervisor.core.events import PauseReason
from supervisor.core.messages import Usage
from supervisor.core.persona import Approvers, Budgets
from supervisor.core.state import CallPhase
from supervisor.core.subagents import ChildStanding, Need

Status = Literal["running", "paused", "completed", "failed", "cancelled"]


class View(BaseModel):
    """A body that goes out."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Decided(View):
    verdict: Literal["approve", "deny"]
    by: str
    by_name: str
    at: datetime
    reason: str
    via: str


class CallView(View):
    """A tool call that has no result yet; secrets in its arguments are masked."""

    call_id: str
    tool: str
    arguments: dict[str, Any] | str
    digest: str
    phase: CallPhase
    requested_at: datetime | None
    approvers: Approvers | None
    decisions: list[Decided]
    question: str
    options: list[str]


class PauseView(View):
    number: int
    reason: PauseReason
    detail: str
    by: str
    by_name: str
    at: datetime
    conditions: list[str]


class ReminderView(View):
    id: str
    due: datetime
    text: str
    by: str
    by_name: str


class ForkedFrom(View):
    """The session that this one was copied from, and the step up to which."""

    id: str
    step: int


class SessionView(View):
    """`waiting_for` says why nothing goes on by itself; `result` is the summary, error or reason it ended with.

    `children` are the subtasks of its plans, `parent` the session that launched it for one of its own, `root` the one
    that a person launched. `needs` is what waits for a person, in it and in its sub-agents. `cost_usd` is its own;
    `total_cost_usd` is with theirs.
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
    launched_at: datetime
    changed_at: datetime
    parent: str | None
    root: str
    forked_from: ForkedFrom | None
    pause: PauseView | None
    calls: list[CallView]
    children: list[ChildStanding]
    needs: list[Need]
    reminders: list[ReminderView]
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


class SessionPage(View):
    """`next` is the cursor of the next page; null on the last one."""

    sessions: list[SessionView]
    next: str | None


class ArtifactView(View):
    """A file that a session wrote; `size` in bytes is null where it is not there any more."""

    path: str
    size: int | None


class ArtifactList(View):
    artifacts: list[ArtifactView]


class EventView(View):
    """One fact of the log; `data` has the fields of its type."""

    version: int
    type: str
    at: datetime
    by: str
    by_name: str
    data: dict[str, Any]


class EventPage(View):
    """`next` is the `after` of the next page; null when there is nothing more so far."""

    events: list[EventView]
    next: int | None


class PausedView(View):
    """`resume_token` resumes just this pause, once, by `POST /v1/resume/{token}`, without a key."""

    status: Literal["paused"]
    session_id: str
    resume_token: str
    expires_at: datetime
    conditions: list[str]


class Heard(View):
    """`heard` says what became of the words: the answer to the open question, or context for the next step."""

    heard: Literal["answered", "noted"]
    session: SessionView


class ScheduleView(View):
    """`due` is the next time; null while paused."""

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
    last_session: str | None
    last_problem: str | None


class ScheduleList(View):
    schedules: list[ScheduleView]


class Delivered(View):
    """The sessions that it resumed; where none waits for it, it is kept for a while."""

    resumed: list[str]


class PersonaView(View):
    name: str
    description: str
    model: str | None
    tools: list[str]


class PersonaList(View):
    personas: list[PersonaView]


class Me(View):
    """The key as Flagman knows it; `id` is how it stands in logs and policies."""

    id: str
    name: str
    scopes: list[Scope]
    flagman: str


class KeyView(View):
    id: str
    name: str
    scopes: list[Scope]
    created_at: datetime | None
    created_by: str
    last_used_at: datetime | None


class KeyList(View):
    keys: list[KeyView]


class NewKey(KeyView):
    """`key` is shown this once."""

    key: str


class FieldProblem(View):
    """`where` is the path to what is wrong, such as `body.task`."""

    where: str
    message: str


class Problem(View):
    """RFC 9457. `code` is stable; `detail` is one sentence; `fields` are its facts, such as who decided and when."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: list[FieldProblem] = []
    fields: dict[str, Any] = {}
