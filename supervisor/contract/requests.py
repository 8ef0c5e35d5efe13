"""The requests of all interfaces; they are validated strictly, and unknown fields are refused."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_core import PydanticCustomError

from supervisor.core.commands.approvals import SHORTEST_DIGEST, ChildVerdict, OutcomeVerdict, Verdict
from supervisor.core.commands.base import MAX_TEXT
from supervisor.core.commands.control import MAX_CONDITIONS
from supervisor.core.commands.conversation import Given
from supervisor.core.commands.limits import Limits, SettingName
from supervisor.core.delegation import Plan
from supervisor.core.elicitation.request import InputAction
from supervisor.core.errors import InvalidInput
from supervisor.core.messages import Json
from supervisor.core.text.format import field
from supervisor.core.times import Overlap

# The persona that splits a task over sub-agents where none is named.
COORDINATOR = "project-coordinator"
Text = Annotated[str, Field(min_length=1, max_length=MAX_TEXT)]
Optional = Annotated[str, Field(max_length=MAX_TEXT)]
Digest = Annotated[
    str,
    Field(
        pattern=rf"^([0-9a-f]{{{SHORTEST_DIGEST},64}})?$",
        description="The `digest` of the call that was shown.",
    ),
]
Number = Annotated[int, Field(ge=0, le=10**6, description="The `request` of the call that was shown.")]
Short = Annotated[str, Field(min_length=1, max_length=200)]
Zone = Annotated[str, Field(min_length=1, max_length=80, description="An IANA name, such as Europe/Berlin.")]
Channel = Annotated[
    str,
    Field(
        pattern=r"^([TE][A-Z0-9]{2,20}/)?[CGD][A-Z0-9]{1,30}$",
        description="The id of the channel in which the session shows itself.",
    ),
]
TimeText = Annotated[
    Short, Field(description="`in 30m`, `09:00`, `tomorrow 09:00` or `2026-12-01T09:00+01:00`.")
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


class RequestModel(BaseModel):
    """The base of requests: strict, and without unknown fields."""

    model_config = ConfigDict(extra="forbid", strict=True)

    @classmethod
    def of(cls, **fields: Any) -> Self:
        """The request with these fields. Raises InvalidInput, which names the first problem."""
        return validate(cls, fields)


Model = TypeVar("Model", bound=BaseModel)


def validate(model: type[Model], value: Any, what: str = "the request") -> Model:
    """The value as `model`; `what` names it in errors. Raises InvalidInput, which names the first problem."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise InvalidInput(_sentence(error, what)) from None


def _sentence(error: ValidationError, what: str) -> str:
    """The first problem of a request, as one sentence."""
    first = error.errors(include_url=False)[0]
    where = "".join(field(first["loc"])) or what
    limits = first.get("ctx", {})
    match first["type"]:
        case "string_too_long":
            length, most = len(str(first["input"])), limits["max_length"]
            return f"The {where} is too long: {length:,} characters, at most {most:,}."
        case "string_too_short":
            return f"The {where} is empty; please write what you want."
        case _:
            return f"{where}: {first['msg']}."


def _kind_of_plan(given: Any) -> str:
    if isinstance(given, dict | Plan):
        return "plan"
    return "text" if isinstance(given, str) else "bool"


Coordinate = Annotated[
    Annotated[bool, Tag("bool")] | Annotated[Literal["propose"], Tag("text")] | Annotated[Plan, Tag("plan")],
    Discriminator(_kind_of_plan),
    Field(
        description=f"`true`: the persona (`{COORDINATOR}` where none is named) splits the task over sub-agents; "
        "`propose`: so, and its plan needs an approval whatever its policy says; or the plan that it carries out "
        "instead of making one."
    ),
]


class LimitsRequest(RequestModel):
    """What a session may use before it asks: steps, US dollars and minutes."""

    steps: Annotated[int, Field(ge=1, le=10**6)] | None = None
    usd: Annotated[float, Field(gt=0, le=10**6, allow_inf_nan=False)] | None = None
    minutes: Annotated[float, Field(gt=0, le=10**6, allow_inf_nan=False)] | None = None

    def limits(self) -> Limits:
        usd = None if self.usd is None else Decimal(str(self.usd))
        return Limits(steps=self.steps, usd=usd, minutes=self.minutes)


class LaunchRequest(RequestModel):
    """`context` is put below the task. `persona` may be left out where the session shall `coordinate`, and where the
    channel, or the installation, has a default persona.

    `limits` are lower than those of the persona and of the channel, or the same.
    """

    coordinate: Coordinate = False
    persona: Short | None = None
    task: Text
    context: Optional = ""
    channel: Channel | None = None
    limits: LimitsRequest | None = None


class ApproversRequest(RequestModel):
    """People by their ids, and groups by their handles or ids."""

    users: Annotated[list[Short], Field(max_length=50)] = []
    groups: Annotated[list[Short], Field(max_length=50)] = []


class SettingsRequest(RequestModel):
    """The settings of a channel that are to change: those in `reset` have no value of the channel any more.

    `approvers` must approve besides those whom the persona's rules name; so nobody gets a right by them.
    """

    persona: Short | None = None
    approvers: ApproversRequest | None = None
    limits: LimitsRequest | None = None
    reset: Annotated[list[SettingName], Field(max_length=20)] = []


class ForkRequest(RequestModel):
    """Without `step` the copy is as long as it can be; `message` tells it what to do otherwise."""

    step: Annotated[int, Field(ge=0, le=10**6)] | None = None
    message: Optional = ""
    channel: Channel | None = None


class PauseRequest(RequestModel):
    """A session that is paused already waits for these conditions besides; `replace`: in place of those of before.

    `cascade`: its sub-agents pause with it, and go on with it; not where it is paused until `children`.
    """

    reason: Optional = ""
    resume_conditions: Annotated[list[ConditionText], Field(max_length=MAX_CONDITIONS)] = []
    zone: Zone = "UTC"
    replace: bool = False
    cascade: bool = True


# A token is redeemed, not named.
NamedTrigger = Literal["manual", "webhook", "event", "clock", "children"]


class ResumeRequest(RequestModel):
    """`data` is shown to the agent as untrusted input, `context` as words of the person who resumes.

    `trigger` is what made the caller resume it, for the log and the agent. `compact`: its earlier steps are summed up
    first, which makes room where the context is full. `when`: at that time instead of now, besides what it waits for;
    then `context` is the only other field.
    """

    trigger: NamedTrigger = "manual"
    context: Optional = ""
    data: Any = None
    compact: bool = False
    when: TimeText | None = None
    zone: Zone = "UTC"

    @field_validator("when")
    @classmethod
    def _only_context(cls, when: str | None, info: ValidationInfo) -> str | None:
        others = {"trigger": "manual", "data": None, "compact": False}
        if when is not None and any(info.data.get(name) != value for name, value in others.items()):
            raise PydanticCustomError("alone", "of the other fields only context goes with a time")
        return when


class TokenRequest(RequestModel):
    context: Optional = ""
    data: Any = None


class CancelRequest(RequestModel):
    reason: Optional = ""


class ContextRequest(RequestModel):
    """With `persona` the text is a note of that persona, which answers no question.

    `instead`: the calls that wait for an approval are withdrawn, and the agent reads the text as what to do instead.
    """

    text: Text
    persona: Short | None = None
    instead: bool = False

    @field_validator("instead")
    @classmethod
    def _no_note(cls, instead: bool, info: ValidationInfo) -> bool:
        if instead and info.data.get("persona"):
            raise PydanticCustomError("alone", "a note of a persona takes the place of no call")
        return instead


class AnswerRequest(RequestModel):
    """`call_id` may be left out where only one question is open.

    To what a server asks for, `content` has the fields of its `form` in place of an `answer` in words; it can also be
    declined, or cancelled. `request` is the number of the request that was shown, which may be left out.
    """

    call_id: Short | None = None
    answer: Optional = ""
    content: Json | None = None
    action: InputAction = "accept"
    request: Number | None = None

    @property
    def given(self) -> Given:
        """The answer as the session takes it."""
        return Given(self.answer, self.content, self.action, self.request)


class CallSeen(RequestModel):
    """What was shown of a call: its `digest`, and optionally the number of its `request`, as the view has them."""

    call_id: Short
    digest: Digest = ""
    request: Number | None = None


class DecisionRequest(RequestModel):
    """`digest` says what was shown: without it, or where the call is another by now, the decision is refused.

    `request` is the number of the request that was shown, which may be left out. `arguments`: approve it with these in
    place of what was proposed. With the verdict `respond` the call does not run, and the agent reads `reason` instead
    of a result.
    """

    verdict: Verdict
    reason: Optional = ""
    digest: Digest = ""
    request: Number | None = None
    arguments: Json | None = None

    @field_validator("arguments")
    @classmethod
    def _only_approved(cls, arguments: Json | None, info: ValidationInfo) -> Json | None:
        if arguments is not None and (info.data.get("verdict") != "approve" or info.data.get("reason")):
            raise PydanticCustomError("arguments", "go with the verdict `approve`, and with no reason")
        return arguments


class DecisionsRequest(RequestModel):
    """One decision on several calls, each as it was shown."""

    verdict: Verdict
    reason: Optional = ""
    calls: Annotated[list[CallSeen], Field(min_length=1, max_length=100)]


class OutcomeRequest(RequestModel):
    """`digest` and `request` say which attempt of the call was shown, and both are needed."""

    verdict: OutcomeVerdict
    result: Optional = ""
    digest: Digest = ""
    request: Number | None = None


class ChildRequest(RequestModel):
    verdict: ChildVerdict


class ReminderRequest(RequestModel):
    when: TimeText
    text: Optional = ""
    zone: Zone = "UTC"


class ScheduleRequest(RequestModel):
    cron: Annotated[Short, Field(description="Five fields like `0 9 * * MON-FRI`, or `@daily`.")]
    persona: Short
    task: Text
    zone: Zone = "UTC"
    channel: Channel | None = None
    overlap: Annotated[
        Overlap,
        Field(
            description="Where the session of the time before has not ended: leave this time out, have it wait for "
            "that, or cancel that session."
        ),
    ] = "skip"


class EventRequest(RequestModel):
    """The same `id` again does nothing; without one, each event is another one."""

    type: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:/-]{0,79}$")]
    data: Any = None
    id: Short | None = None
