"""Routes with declared inputs and answers, by which requests are validated and the OpenAPI document is made."""

from __future__ import annotations

import inspect
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, get_type_hints

from aiohttp import web
from pydantic import BaseModel, ConfigDict, ValidationError

from bot.api.auth import authenticate
from bot.api.errors import ApiError, InvalidRequest
from bot.api.rate_limit import BODY_BYTES, Buckets, decompress, read_body
from bot.compose import Core
from supervisor.api_keys import ApiKey, ApiKeys, Scope
from supervisor.contract.audit import AuditService
from supervisor.contract.connections import ConnectionService
from supervisor.contract.delegations import DelegationService
from supervisor.contract.grants import GrantService
from supervisor.contract.notifications import NotificationService
from supervisor.contract.parts import ServiceParts
from supervisor.contract.schedules import ScheduleService
from supervisor.contract.service import SessionService
from supervisor.contract.settings import SettingsService
from supervisor.core.errors import MissingScope, NotAllowed, SessionNotFound
from supervisor.core.events import SYSTEM, Actor
from supervisor.core.rights import check_active
from supervisor.core.text.masking import Masker

JSON = "application/json"
# Fields of every call in views and events.
_CALL = frozenset({"call_id", "tool", "arguments", "digest"})


class Parameters(BaseModel):
    """The base of parameters in paths, queries and headers; their texts are converted to the declared types."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)


@dataclass(frozen=True)
class Deps:
    """The objects that handlers use."""

    core: Core
    keys: ApiKeys
    services: ServiceParts
    buckets: Buckets


@dataclass(frozen=True)
class Call:
    """One request; `key` is None where the route needs no key."""

    deps: Deps
    request: web.Request
    key: ApiKey | None

    @property
    def core(self) -> Core:
        return self.deps.core

    @property
    def actor(self) -> Actor:
        """The actor of the key; SYSTEM for a route without a key."""
        return self.key.actor if self.key else SYSTEM

    @property
    def sessions(self) -> SessionService:
        may_decide = self.key is not None and self.key.may("approve")
        return SessionService(self.deps.services, self.actor, may_decide=may_decide)

    @property
    def settings(self) -> SettingsService:
        return SettingsService(self.deps.services, self.actor)

    @property
    def delegations(self) -> DelegationService:
        return DelegationService(self.deps.services, self.actor)

    @property
    def notifications(self) -> NotificationService:
        return NotificationService(self.deps.services, self.actor)

    @property
    def connections(self) -> ConnectionService:
        return ConnectionService(self.deps.services, self.actor)

    @property
    def grants(self) -> GrantService:
        return GrantService(self.deps.services, self.actor)

    @property
    def audit(self) -> AuditService:
        return AuditService(self.deps.services, self.actor)

    @property
    def schedules(self) -> ScheduleService:
        return ScheduleService(self.deps.services, self.actor)


@dataclass(frozen=True)
class Answer:
    """An answer as JSON. Secrets are masked in all fields except those in `shown`, which return one on purpose."""

    body: BaseModel | None = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    shown: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Returns:
    """One kind of answer of a route: a model, or text of the types `media`, or no content."""

    what: str
    model: type[BaseModel] | None = None
    media: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()


# What a key is told that does not see a session: it is no person, so seeing a channel gives it nothing.
ONLY_ITS_OWN = (
    "This key sees what it or its owner launched; to see others' sessions takes the scope `read_all`."
)
Handle = Callable[..., Awaitable[Answer | web.StreamResponse]]
Auth = Literal["key", "token", "signature", "none"]


@dataclass(frozen=True)
class Operation:
    """A declared route."""

    method: str
    path: str
    handle: Handle
    tag: str
    auth: Auth
    scope: Scope | None
    returns: Mapping[int, Returns]
    problems: frozenset[int]
    inputs: Mapping[str, Any]
    bodies: Mapping[str, type[BaseModel] | None]
    limit: int

    @property
    def resource(self) -> str:
        """The path as a pattern of aiohttp; names of hooks and paths of files may contain slashes."""
        return self.path.replace("{name}", "{name:(?s:.+)}").replace("{path}", "{path:(?s:.+)}")

    @property
    def body_required(self) -> bool:
        models = list(self.bodies.values())
        return not any(m and not any(f.is_required() for f in m.model_fields.values()) for m in models)

    async def serve(self, deps: Deps, request: web.Request) -> web.StreamResponse:
        """Check the key, validate the input, call the handler and return its response."""
        key: ApiKey | None = None
        if self.auth == "key":
            key = await authenticate(request, deps.keys, deps.buckets)
            async with _noted(deps, key, f"{self.method} {self.path}"):
                if self.scope:
                    key.need(self.scope)
                await _check_owner(deps, key, self.scope)
        given: dict[str, Any] = {}
        for where, model in self.inputs.items():
            if where == "content":
                given[where] = await read_body(request, self.limit)
            elif where == "body":
                given[where] = parse_body(model, await self._json(request))
            else:
                given[where] = _validate(model, where, _texts(model, where, request))
        try:
            answer = await self.handle(Call(deps, request, key), **given)
        except SessionNotFound as error:
            if key and not key.may("read_all"):
                # The same where there is none, so that it tells of no session that the key may not see.
                error.args = (f"{error} {ONLY_ITS_OWN}",)
            raise
        return answer if isinstance(answer, web.StreamResponse) else _response(answer, deps.core.mask)

    async def _json(self, request: web.Request) -> bytes:
        content = decompress(request, await read_body(request, self.limit), self.limit)
        if not content and not self.body_required:
            return b"{}"
        if content and request.content_type not in self.bodies:
            raise unsupported(*self.bodies)
        return content


@asynccontextmanager
async def _noted(deps: Deps, key: ApiKey, attempt: str) -> AsyncIterator[None]:
    """Record for the audit that a key without the scope, or of a deactivated person, was refused."""
    try:
        yield
    except (MissingScope, NotAllowed) as refused:
        await deps.core.supervisor.refusals.note_apart(key.actor, attempt, str(refused))
        raise


async def _check_owner(deps: Deps, key: ApiKey, scope: Scope | None) -> None:
    """Raises NotAllowed for the key of a deactivated person, and MissingScope where its owner is no admin."""
    if not key.owner:
        return
    actor = await deps.core.directory.identify(key.actor)
    check_active(actor)
    if scope == "admin" and not actor.admin:
        raise MissingScope(scope)


def unsupported(*media: str) -> ApiError:
    return ApiError(415, "unsupported_media_type", f"The body must be {' or '.join(media)}.")


def parse_body(model: type[BaseModel], content: bytes) -> BaseModel:
    """Parse a JSON body. Raises ApiError (400) where it is not JSON, InvalidRequest where it does not fit `model`."""
    try:
        return model.model_validate_json(content)
    except ValidationError as error:
        if error.errors(include_url=False, include_input=False)[0]["type"] == "json_invalid":
            raise ApiError(400, "bad_request", "The body is not JSON.") from None
        raise InvalidRequest.of("body", error) from None


def _validate(model: type[BaseModel], where: str, given: Mapping[str, str]) -> BaseModel:
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise InvalidRequest.of(where, error) from None


def _texts(model: type[BaseModel], where: str, request: web.Request) -> Mapping[str, str]:
    if where == "path":
        return dict(request.match_info)
    if where == "query":
        return dict(request.query)
    names = [f.alias or name for name, f in model.model_fields.items()]
    return {name: request.headers[name] for name in names if name in request.headers}


def _response(answer: Answer, mask: Masker) -> web.Response:
    if answer.body is None:
        return web.Response(status=answer.status, headers=answer.headers)
    body = masked_view(answer.body.model_dump(mode="json", by_alias=True), mask, answer.shown)
    text = json.dumps(body, ensure_ascii=False)
    return web.Response(text=text, status=answer.status, headers=answer.headers, content_type=JSON)


def masked_view(value: Any, mask: Masker, shown: frozenset[str] = frozenset()) -> Any:
    """The view as JSON with the secrets in its texts masked, except in the fields `shown`.

    The arguments of a call are what runs, so only known secrets in them are masked.
    """
    if isinstance(value, list):
        return [masked_view(item, mask, shown) for item in value]
    if not isinstance(value, dict):
        return mask(value) if isinstance(value, str) else value
    is_call = value.keys() >= _CALL
    found = {}
    for name, item in value.items():
        if name == "arguments" and is_call:
            found[name] = mask.arguments(item)
        else:
            found[mask(name)] = item if name in shown else masked_view(item, mask, shown)
    return found


class Routes:
    """The operations of one module, in the order of their declaration."""

    def __init__(self, tag: str) -> None:
        self.tag = tag
        self.operations: list[Operation] = []

    def __call__(
        self,
        method: str,
        path: str,
        *,
        returns: Mapping[int, Returns],
        scope: Scope | None = None,
        auth: Auth = "key",
        problems: set[int] | frozenset[int] = frozenset(),
        bodies: Mapping[str, type[BaseModel] | None] | None = None,
        limit: int = BODY_BYTES,
    ) -> Callable[[Handle], Handle]:
        """Declare a handler: what its arguments `path`, `query`, `headers`, `body` are annotated with is taken in;
        `content` gets the body as it came, and `bodies` says what that may be; a handler with neither reads it itself.
        """

        def declare(handle: Handle) -> Handle:
            hints = get_type_hints(handle)
            names = [name for name in inspect.signature(handle).parameters if name != "call"]
            inputs = {name: hints[name] for name in names}
            taken = dict(bodies or ({JSON: inputs["body"]} if "body" in inputs else {}))
            operation = Operation(
                method=method,
                path=path,
                handle=handle,
                tag=self.tag,
                auth=auth,
                scope=scope,
                returns=returns,
                problems=frozenset(problems) | _usual(auth, inputs, taken),
                inputs=inputs,
                bodies=taken,
                limit=limit,
            )
            self.operations.append(operation)
            return handle

        return declare


def _usual(auth: Auth, inputs: Mapping[str, Any], bodies: Mapping[str, Any]) -> frozenset[int]:
    """The refusals that follow from what a route asks for."""
    found = {414, 500, 503}
    if auth == "key":
        found |= {401, 403, 429}
    if inputs:
        found |= {422}
    if bodies:
        found |= {400, 408, 413, 415}
    return frozenset(found)
