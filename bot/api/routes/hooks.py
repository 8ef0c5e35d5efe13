"""Signed webhooks: what other systems send, handed to every session that waits for it."""

from __future__ import annotations

from bot.api.errors import ApiError
from bot.api.parameters import HookHeaders, OfHook
from bot.api.rate_limit import HOOK_BYTES
from bot.api.routes.events import json_value
from bot.api.routing import JSON, Answer, Call, Returns, Routes, unsupported
from bot.api.signatures import verify_delivery
from bot.compose import now
from supervisor.contract.models import DeliveryResult
from supervisor.core.conditions import Webhook, parse_condition
from supervisor.core.events import Actor

routes = Routes("Waking")


@routes(
    "POST",
    "/hooks/{name}",
    auth="signature",
    returns={202: Returns("Taken and kept; which sessions it resumed.", DeliveryResult)},
    problems={401, 403},
    bodies={JSON: None},
    limit=HOOK_BYTES,
)
async def receive_webhook(call: Call, path: OfHook, headers: HookHeaders, content: bytes) -> Answer:
    """Resume every session that waits for `webhook: {name}`; the body reaches it as untrusted data.

    Signed by Standard Webhooks or GitHub's `X-Hub-Signature-256`. The same delivery again does nothing. Where nobody
    waits it is kept for a while, so that one that comes early is not lost.
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
    delivery = verify_delivery(secrets, call.request.headers, content)
    if call.request.content_type != JSON and not call.request.content_type.endswith("+json"):
        raise unsupported(JSON)
    actor = Actor(id=f"webhook:{hook.name}")
    resumed = await call.core.deliveries.deliver("webhook", hook.name, delivery, json_value(content), actor)
    return Answer(DeliveryResult(resumed=resumed), 202)
