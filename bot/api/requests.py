"""What comes in, as bodies of requests: strict, and nothing unknown in them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from supervisor.apikeys import Scope
from supervisor.changes import MAX_TEXT
from supervisor.core.events import Trigger
from supervisor.waiting import MOST_CONDITIONS

Text = Annotated[str, Field(min_length=1, max_length=MAX_TEXT)]
Optional = Annotated[str, Field(max_length=MAX_TEXT)]
Short = Annotated[str, Field(min_length=1, max_length=200)]
Zone = Annotated[str, Field(min_length=1, max_length=80, description="An IANA name, such as Europe/Berlin.")]
Channel = Annotated[
    str,
    Field(
        pattern=r"^[CGD][A-Z0-9]{1,30}$",
        description="The id of the Slack channel in which the session shows itself.",
    ),
]
ConditionText = Annotated[
    str,
    Field(
        min_length=1,
        max_length=1000,
        description='Like `webhook: redis_ready`, `event: deploy.finished where env == "prod"`, `in: 2h`.',
        examples=["webhook: redis_ready"],
    ),
]


class Request(BaseModel):
    """A body that comes in: strict, and nothing unknown in it."""

    model_config = ConfigDict(extra="forbid", strict=True)


class LaunchSession(Request):
    """`context` is put below the task."""

    persona: Short
    task: Text
    context: Optional = ""
    channel: Channel | None = None


class PauseSession(Request):
    reason: Optional = ""
    resume_conditions: Annotated[list[ConditionText], Field(max_length=MOST_CONDITIONS)] = []
    zone: Zone = "UTC"


class ResumeSession(Request):
    """`data` is shown to the agent as untrusted input, `context` as words of the one who resumes.

    `trigger` is what made the caller resume it, for the log and the agent.
    """

    trigger: Trigger = "manual"
    context: Optional = ""
    data: Any = None


class UseToken(Request):
    context: Optional = ""
    data: Any = None


class CancelSession(Request):
    reason: Optional = ""


class AddContext(Request):
    text: Text


class AnswerQuestion(Request):
    """`call_id` may be left out where only one question is open."""

    call_id: Short | None = None
    answer: Text


class DecideCall(Request):
    """`digest` (or its beginning) says what was seen: a call that differs is refused."""

    verdict: Literal["approve", "deny"]
    reason: Optional = ""
    digest: Annotated[str, Field(pattern=r"^[0-9a-f]{8,64}$")] | None = None


class DecideOutcome(Request):
    verdict: Literal["run_again", "done", "failed"]
    result: Optional = ""


class SetReminder(Request):
    when: Annotated[
        Short, Field(description="`in 30m`, `09:00`, `tomorrow 09:00` or `2026-12-01T09:00+01:00`.")
    ]
    text: Optional = ""
    zone: Zone = "UTC"


class AddSchedule(Request):
    cron: Annotated[Short, Field(description="Five fields like `0 9 * * MON-FRI`, or `@daily`.")]
    persona: Short
    task: Text
    zone: Zone = "UTC"
    channel: Channel | None = None


class PostEvent(Request):
    """The same `id` again does nothing; without one, each event is another one."""

    type: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:/-]{0,79}$")]
    data: Any = None
    id: Short | None = None


class CloudEvent(BaseModel):
    """A CloudEvent 1.0 in structured mode; source and id together make it one and the same."""

    model_config = ConfigDict(extra="allow", strict=True)

    specversion: Literal["1.0"]
    id: Short
    source: Annotated[str, Field(min_length=1, max_length=1000)]
    type: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:/-]{0,79}$")]
    datacontenttype: str | None = None
    data: Any = None
    data_base64: str | None = None


class CreateKey(Request):
    """Two keys may have one name: they are one identity, which is how a key is replaced."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9._-]{0,39}$")]
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=4)]
