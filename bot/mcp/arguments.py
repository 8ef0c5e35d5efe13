"""The arguments of the MCP tools, each with the request that it makes of them."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from supervisor.contract.models import Status
from supervisor.contract.requests import (
    CancelRequest,
    Channel,
    ConditionText,
    ContextRequest,
    DecisionRequest,
    Digest,
    LaunchRequest,
    LimitsRequest,
    Number,
    Optional,
    PauseRequest,
    RequestModel,
    ResumeRequest,
    Short,
    Text,
    TimeText,
    Zone,
)
from supervisor.core.commands.approvals import Verdict
from supervisor.core.commands.control import MAX_CONDITIONS

# Shorter than what clients wait for an answer, which is a minute for most.
LONGEST_WAIT = 50.0


class NoArguments(RequestModel):
    """No arguments."""


class OfSession(RequestModel):
    session_id: Annotated[Short, Field(description="The id of the session, as `launch` returned it.")]


class Launch(RequestModel):
    task: Annotated[Text, Field(description="What the agent shall do, complete in itself.")]
    persona: Annotated[
        Short | None, Field(description="Who does it, as `personas` lists them; there may be a default.")
    ] = None
    context: Annotated[Optional, Field(description="What the agent should know besides.")] = ""
    coordinate: Annotated[bool, Field(description="Split the task over several agents.")] = False
    channel: Channel | None = None
    limits: LimitsRequest | None = None
    idempotency_key: Annotated[
        Short | None,
        Field(description="A launch that is repeated with the same key returns the same session."),
    ] = None

    def request(self) -> LaunchRequest:
        given = self.model_dump(exclude={"idempotency_key", "limits"}, exclude_defaults=True)
        return LaunchRequest.of(**given, limits=self.limits)


class ListSessions(RequestModel):
    status: Status | None = None
    persona: Short | None = None
    limit: Annotated[int, Field(ge=1, le=50)] = 20
    cursor: Annotated[Short | None, Field(description="The `next` of the page before.")] = None


class Wait(OfSession):
    seconds: Annotated[
        float,
        Field(ge=0, le=LONGEST_WAIT, allow_inf_nan=False, description="The longest time until the answer."),
    ] = 30


class Pause(OfSession):
    reason: Optional = ""
    resume_conditions: Annotated[list[ConditionText], Field(max_length=MAX_CONDITIONS)] = Field([])
    zone: Zone = "UTC"

    def request(self) -> PauseRequest:
        return PauseRequest.of(**self.model_dump(exclude={"session_id"}))


class Resume(OfSession):
    context: Annotated[Optional, Field(description="What the agent reads as it resumes.")] = ""
    when: Annotated[TimeText | None, Field(description="At that time instead of now.")] = None
    zone: Zone = "UTC"

    def request(self) -> ResumeRequest:
        return ResumeRequest.of(**self.model_dump(exclude={"session_id"}))


class Cancel(OfSession):
    reason: Optional = ""

    def request(self) -> CancelRequest:
        return CancelRequest.of(reason=self.reason)


class Tell(OfSession):
    text: Text
    instead: Annotated[
        bool, Field(description="Withdraw the calls that wait for an approval; the agent does this instead.")
    ] = False

    def request(self) -> ContextRequest:
        return ContextRequest.of(text=self.text, instead=self.instead)


class Approve(OfSession):
    call_id: Short
    digest: Annotated[Digest, Field(min_length=1)]
    request: Number | None = None

    def decision(self, verdict: Verdict, reason: str = "") -> DecisionRequest:
        return DecisionRequest.of(verdict=verdict, reason=reason, digest=self.digest, request=self.request)


class Deny(Approve):
    reason: Annotated[Optional, Field(description="What the agent reads.")] = ""
