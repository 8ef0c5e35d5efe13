"""Bodies of HTTP only: keys, problem documents, CloudEvents. All others are in `supervisor.contract`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from supervisor.api_keys import Scope
from supervisor.contract.models import ResponseModel
from supervisor.contract.requests import RequestModel, Short


class Me(ResponseModel):
    """The key as Flagman knows it; `id` is how it stands in logs and policies, `owner` the person whose key it is."""

    id: str
    name: str
    owner: str
    scopes: list[Scope]
    flagman: str


class KeyView(ResponseModel):
    id: str
    name: str
    owner: str
    scopes: list[Scope]
    created_at: datetime | None
    created_by: str
    last_used_at: datetime | None


class KeyList(ResponseModel):
    keys: list[KeyView]


class SecretView(ResponseModel):
    """A secret without its value, which nobody reads again; `by` has set it."""

    name: str
    by: str
    at: datetime


class SecretList(ResponseModel):
    secrets: list[SecretView]


class SetSecret(RequestModel):
    value: Annotated[str, Field(min_length=1, max_length=32_768)]


class NewKey(KeyView):
    """`key` is shown this once."""

    key: str


class CheckStore(RequestModel):
    """`unpark` queues jobs again that could not be done."""

    unpark: bool = False


class StoreFinding(ResponseModel):
    """The result of one check; `mend` says how to repair what is wrong."""

    what: str
    state: Literal["ok", "note", "wrong"]
    found: str
    mend: str


class StoreFindings(ResponseModel):
    findings: list[StoreFinding]


class FieldProblem(ResponseModel):
    """`where` is the path to what is wrong, such as `body.task`."""

    where: str
    message: str


class Problem(ResponseModel):
    """RFC 9457. `code` is stable; `detail` is one sentence; `fields` are its facts, such as who decided and when."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: list[FieldProblem] = Field(default_factory=list)
    fields: dict[str, Any] = Field(default_factory=dict)


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


class CreateKey(RequestModel):
    """Two keys may have one name: they are one identity, which is how a key is replaced.

    `owner` is the id in Slack of the person whose key it is: what the key does counts as done by that person.
    """

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9._-]{0,39}$")]
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=5)]
    owner: Annotated[str, Field(pattern=r"^(([TE][A-Z0-9]{2,20}/)?[UW][A-Z0-9]{2,20})?$")] = ""
