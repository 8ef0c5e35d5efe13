"""The route of signed webhooks, which resume the sessions that wait for them."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

from aiohttp import web

from bot.api.errors import ApiError, BodyTooLarge
from bot.api.parameters import HookHeaders, OfHook
from bot.api.rate_limit import HOOK_BYTES, decompress, read_chunks
from bot.api.routes.events import json_value
from bot.api.routing import JSON, Answer, Call, Returns, Routes, unsupported
from bot.api.signatures import SignatureCheck
from bot.compose import now
from supervisor.contract.models import DeliveryResult
from supervisor.core.conditions import Webhook, parse_condition
from supervisor.core.events import Actor

# GitHub sends 25 MB at most. The signature of what is longer is not looked at.
CHECKED_BYTES = 25 * 1024 * 1024
FORM = "application/x-www-form-urlencoded"
routes = Routes("Waking")


@routes(
    "POST",
    "/hooks/{name}",
    auth="signature",
    returns={202: Returns("Taken and kept; which sessions it resumed.", DeliveryResult)},
    problems={401, 403, 429},
    bodies={JSON: None, FORM: None},
)
async def receive_webhook(call: Call, path: OfHook, headers: HookHeaders) -> Answer:
    """Resume every session that waits for `webhook: {name}`; the body reaches it as untrusted data.

    Signed by Standard Webhooks or GitHub's `X-Hub-Signature-256`, over the bytes as they are sent (they may be gzip).
    Of a form the field `payload` is the data, as GitHub sends it, or else all its fields. GitHub's `ping` is taken and
    resumes none. The same delivery again does nothing and is answered `repeated`: the same webhook-id within a day, or,
    as GitHub signs no time and no id, the same body within 30 days. Where no session waits it is kept for a while, so
    that one that comes early is not lost. A genuine one that is too large is refused, and the sessions that wait for it
    are told so.
    """
    hook = parse_condition(f"webhook:{path.name}", now=now())
    assert isinstance(hook, Webhook)
    secrets = call.core.settings.webhook_secrets(hook.name)
    if not secrets:
        raise ApiError(
            403,
            "webhooks_off",
            "Webhooks are not taken here: set FLAGMAN_WEBHOOK_SECRET to the secret that the sender signs with.",
        )
    check = SignatureCheck(secrets, call.request.headers)
    delivery, content = await _genuine(call.request, check)
    try:
        if content is None:
            raise BodyTooLarge(HOOK_BYTES)
        plain = decompress(call.request, content, HOOK_BYTES)
    except BodyTooLarge:
        await call.core.deliveries.tell_refused("webhook", hook.name, HOOK_BYTES)
        raise
    data = _data(call.request.content_type, plain)
    actor, deliveries = Actor(id=f"webhook:{hook.name}"), call.core.deliveries
    if call.request.headers.get("X-GitHub-Event") == "ping":
        # This header is not signed, so a ping must not be good for a second delivery as another event.
        done = await deliveries.ignore("webhook", hook.name, delivery, actor, seen_for=check.seen_for)
    else:
        done = await deliveries.deliver("webhook", hook.name, delivery, data, actor, seen_for=check.seen_for)
    return Answer(DeliveryResult(resumed=done.resumed, repeated=done.repeated), 202)


async def _genuine(request: web.Request, check: SignatureCheck) -> tuple[str, bytes | None]:
    """The id of a genuine delivery and its body; None for one of more than HOOK_BYTES, which is not kept.

    Raises ApiError: 401 forged, 408 too slow, 413 longer than what is checked.
    """
    size, kept = 0, bytearray()
    async for chunk in read_chunks(request):
        size += len(chunk)
        if size > CHECKED_BYTES:
            raise BodyTooLarge(HOOK_BYTES)
        check.update(chunk)
        if size <= HOOK_BYTES:
            kept += chunk
    return check.delivery(), bytes(kept) if size <= HOOK_BYTES else None


def _data(media: str, content: bytes) -> Any:
    """The data of a webhook. Raises ApiError: 415 for another type of body, 400 for one that cannot be read."""
    if media == JSON or media.endswith("+json"):
        return json_value(content)
    if media != FORM:
        raise unsupported(JSON, FORM)
    try:
        fields = parse_qs(content.decode(), keep_blank_values=True, strict_parsing=True, max_num_fields=1000)
    except ValueError:
        raise ApiError(400, "bad_request", "The body is no form.") from None
    if list(fields) == ["payload"]:
        return json_value(fields["payload"][0].encode())
    return {name: values[0] if len(values) == 1 else values for name, values in fields.items()}
