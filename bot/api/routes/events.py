"""Routes that resume sessions from outside, by events and resume tokens."""

from __future__ import annotations

import base64
import binascii
import secrets
from dataclasses import dataclass
from typing import Any, cast

from pydantic import ValidationError
from pydantic_core import from_json

from bot.api.errors import ApiError, BodyTooLarge, InvalidRequest
from bot.api.models import CloudEvent, FieldProblem
from bot.api.parameters import CloudHeaders, OfToken
from bot.api.rate_limit import BODY_BYTES, read_body
from bot.api.routing import JSON, Answer, Call, Returns, Routes, parse_body, unsupported
from supervisor.contract.models import DeliveryResult, SessionView
from supervisor.contract.requests import EventRequest, TokenRequest

routes = Routes("Waking")
CLOUD = "application/cloudevents+json"


@dataclass(frozen=True)
class ReceivedEvent:
    """An event in any of the accepted formats."""

    type: str
    id: str
    data: Any


@routes(
    "POST",
    "/v1/events",
    scope="launch",
    returns={200: Returns("Which sessions it resumed.", DeliveryResult)},
    bodies={JSON: EventRequest, CLOUD: CloudEvent},
)
async def post_event(call: Call, headers: CloudHeaders) -> Answer:
    """Say that something happened: every session that waits for it resumes.

    A CloudEvent 1.0 is taken in structured mode, and in binary mode too: its attributes in the headers
    ce-specversion, ce-id, ce-source and ce-type, its data as the body. One that is too large is refused, and the
    sessions that wait for it are told, where its type stands in the headers or before its data.
    """
    try:
        content = await read_body(call.request, BODY_BYTES)
    except BodyTooLarge as error:
        name = headers.type or _type_in(error.begin)
        await call.core.deliveries.tell_refused("event", name, BODY_BYTES)
        raise
    event = _read_event(call.request.content_type, headers, content)
    return Answer(await call.sessions.deliver(event.type, event.id, event.data))


def _read_event(media: str, headers: CloudHeaders, content: bytes) -> ReceivedEvent:
    if media == CLOUD:
        cloud = cast(CloudEvent, parse_body(CloudEvent, content))
        return ReceivedEvent(cloud.type, f"{cloud.source} {cloud.id}", _data(cloud))
    if any((headers.specversion, headers.id, headers.source, headers.type)):
        return _binary(media, headers, content)
    if media != JSON:
        raise unsupported(JSON, CLOUD)
    plain = cast(EventRequest, parse_body(EventRequest, content))
    return ReceivedEvent(plain.type, f"id {plain.id}" if plain.id else secrets.token_hex(16), plain.data)


def _binary(media: str, headers: CloudHeaders, content: bytes) -> ReceivedEvent:
    given = {"specversion": headers.specversion, "id": headers.id, "source": headers.source}
    try:
        cloud = CloudEvent.model_validate({**given, "type": headers.type})
    except ValidationError as error:
        raise InvalidRequest.of("headers", error) from None
    if not content:
        data: Any = None
    elif media == JSON or media.endswith("+json"):
        data = json_value(content)
    elif media.startswith("text/"):
        data = content.decode("utf-8", "replace")
    else:
        raise unsupported(JSON, "text")
    return ReceivedEvent(cloud.type, f"{cloud.source} {cloud.id}", data)


def _data(cloud: CloudEvent) -> Any:
    if cloud.data_base64 is None:
        return cloud.data
    try:
        content = base64.b64decode(cloud.data_base64, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidRequest([FieldProblem(where="body.data_base64", message="is not base64")]) from None
    kind = cloud.datacontenttype or JSON
    if kind.startswith(JSON) or "+json" in kind:
        return json_value(content)
    return content.decode("utf-8", "replace") if kind.startswith("text/") else cloud.data_base64


def _type_in(begin: bytes) -> str:
    """The type of an event that was not read to its end; empty where it does not stand there."""
    try:
        found = from_json(begin, allow_partial=True)
    except ValueError:
        return ""
    name = found.get("type") if isinstance(found, dict) else None
    return name if isinstance(name, str) else ""


def json_value(content: bytes) -> Any:
    """Parse JSON. Raises ApiError (400)."""
    try:
        return from_json(content, allow_inf_nan=False)
    except ValueError:
        raise ApiError(400, "bad_request", "The body is not JSON.") from None


@routes(
    "POST",
    "/v1/resume/{token}",
    auth="token",
    returns={200: Returns("The session, which resumes.", SessionView)},
    problems={403, 404, 409, 410},
)
async def use_token(call: Call, path: OfToken, body: TokenRequest) -> Answer:
    """End the pause that the token is for; the token is all the right that is needed, and works once."""
    return Answer(await call.sessions.redeem(path.token, body))
