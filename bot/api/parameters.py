"""Parameters in paths, queries and headers."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from bot.api.routing import Parameters
from supervisor.contract.audit import AuditQuery
from supervisor.contract.models import Status
from supervisor.contract.requests import Channel, Short

Limit = Annotated[int, Field(ge=1, le=200)]


class OfSession(Parameters):
    id: Short


class OfCall(OfSession):
    call_id: Short


class OfChild(OfSession):
    child_id: Short


class OfArtifact(OfSession):
    # Shorter than a token, since the request line also contains the id of the session.
    path: Annotated[str, Field(min_length=1, max_length=450, description="As the list of files names it.")]


class OfReminder(OfSession):
    reminder_id: Short


class OfSchedule(Parameters):
    schedule_id: Short


class OfChannel(Parameters):
    channel: Channel


class OfDelegation(Parameters):
    delegation_id: Short


class OfGrant(Parameters):
    grant_id: Short


class OfKey(Parameters):
    key_id: Short


class OfServer(Parameters):
    server: Short


class OfSecret(Parameters):
    name: Short


class OfToken(Parameters):
    # A character takes up to twelve bytes in a URL, and a request line has 8,190 at most.
    token: Annotated[str, Field(min_length=1, max_length=600)]


class OfHook(Parameters):
    name: Annotated[str, Field(min_length=1, max_length=200)]


class LaunchHeaders(Parameters):
    idempotency_key: Annotated[str, Field(min_length=1, max_length=200)] | None = Field(
        None,
        alias="Idempotency-Key",
        description="The same key and request again give the same session again, for a day.",
    )


class ListQuery(Parameters):
    status: Status | None = None
    persona: Short | None = None
    parent: Short | None = Field(None, description="Only the sub-agents that this session launched.")
    cursor: Annotated[str, Field(pattern=r"^[0-9]{1,16}\.[A-Za-z0-9-]{1,60}$")] | None = Field(
        None, description="`next` of the page before."
    )
    limit: Limit = 20


class EventsQuery(Parameters):
    after: Annotated[int, Field(ge=0, le=10**9)] = Field(0, description="Only what came after this version.")
    limit: Limit = Field(100, description="Not for a stream.")


class EventsHeaders(Parameters):
    accept: str = Field("application/json", alias="Accept", exclude=True)
    last_event_id: Annotated[int, Field(ge=0, le=10**9)] | None = Field(
        None, alias="Last-Event-ID", description="Of a stream: go on after this version."
    )


class AuditParameters(AuditQuery, Parameters):
    # Texts of a query are converted to numbers, which a request in JSON is not.
    model_config = ConfigDict(extra="forbid", strict=False)


class AuditPageParameters(AuditParameters):
    format: Literal["json", "jsonl", "csv"] | None = Field(None, description="In place of the header Accept.")


class AuditHeaders(Parameters):
    accept: str = Field("application/json", alias="Accept", exclude=True)


class WaitQuery(Parameters):
    timeout: Annotated[float, Field(ge=0, le=60, allow_inf_nan=False)] = Field(30, description="In seconds.")
    until: Literal["rest", "paused", "person", "ended", "changed"] = Field(
        "rest",
        description="`rest` or `paused`: paused or ended, or a sub-agent needs a person; "
        "its sub-agents at work are no pause. "
        "`person`: it or a sub-agent needs a person, or it has ended. `changed`: beyond `version`.",
    )
    version: Annotated[int, Field(ge=0, le=10**9)] = 0


class LogHeaders(Parameters):
    accept: str = Field("text/markdown", alias="Accept", exclude=True)


class CloudHeaders(Parameters):
    """The headers of a CloudEvent in binary mode; they are described in the route, not declared as parameters."""

    specversion: Literal["1.0"] | None = Field(None, alias="ce-specversion", exclude=True)
    id: Short | None = Field(None, alias="ce-id", exclude=True)
    source: Short | None = Field(None, alias="ce-source", exclude=True)
    type: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:/-]{0,79}$")] | None = Field(
        None, alias="ce-type", exclude=True
    )


class HookHeaders(Parameters):
    """The headers of Standard Webhooks and of GitHub."""

    webhook_id: str | None = Field(None, alias="webhook-id")
    webhook_timestamp: str | None = Field(None, alias="webhook-timestamp")
    webhook_signature: str | None = Field(
        None, alias="webhook-signature", description="`v1,<base64>`, several separated by spaces."
    )
    hub_signature: str | None = Field(None, alias="X-Hub-Signature-256", description="`sha256=<hex>`.")
