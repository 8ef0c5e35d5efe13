"""What comes in, as bodies of requests: strict, and nothing unknown in them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from bot.sdk.backend import COORDINATOR
from supervisor.api_keys import Scope
from supervisor.core.commands.base import MAX_TEXT
from supervisor.core.commands.control import MAX_CONDITIONS
from supervisor.core.delegation import Plan
from supervisor.core.events import Trigger

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


Coordinate = Annotated[
    Annotated[bool, Tag("bool")] | Annotated[Plan, Tag("plan")],
    Discriminator(lambda given: "plan" if isinstance(given, dict | Plan) else "bool"),
    Field(
        description=f"`true`: the persona (`{COORDINATOR}` where none is named) splits the task over sub-agents; "
        "or the plan that it carries out instead of making one."
    ),
]


class LaunchSession(Request):
    """`context` is put below the task. `persona` may be left out where the session shall `coordinate`."""

    persona: Short | None = None
    task: Text
    context: Optional = ""
    channel: Channel | None = None
    coordinate: Coordinate = False


class ForkSession(Request):
    """Without `step` the copy is as long as it can be; `message` tells it what to do otherwise."""

    step: Annotated[int, Field(ge=0, le=10**6)] | None = None
    message: Optional = ""
    channel: Channel | None = None


class PauseSession(Request):
    reason: Optional = ""
    resume_conditions: Annotated[list[ConditionText], Field(max_length=MAX_CONDITIONS)] = []
    zone: Zone = "UTC"


class ResumeSession(Request):
    """`data` is shown to the agent as untrusted input, `context` as words of the one who resumes.

    `trigger` is what made the caller resume it, for the log and the agent. `compact`: its earlier steps are summed up
    first, which makes room where the context is full.
    """

    trigger: Trigger = "manual"
    context: Optional = ""
    data: Any = None
    compact: bool = False


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
    """`digest` (or its beginning) says what was seen: a call that differs is refused.

    `arguments`: approve it with these in place of what was proposed.
    """

    verdict: Literal["approve", "deny"]
    reason: Optional = ""
    digest: Annotated[str, Field(pattern=r"^[0-9a-f]{8,64}$")] | None = None
    arguments: dict[str, Any] | None = None


class DecideOutcome(Request):
    verdict: Literal["run_again", "done", "failed"]
    result: Optional = ""


class DecideChild(Request):
    verdict: Literal["retry", "skip", "stop"]


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
