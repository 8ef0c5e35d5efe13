"""Routes of secrets by name, which MCP servers get: set, listed and removed, and never read."""

from __future__ import annotations

from bot.api.models import SecretList, SecretView, SetSecret
from bot.api.parameters import OfSecret
from bot.api.routing import Answer, Call, Returns, Routes
from supervisor.mcp.secrets import Secret

routes = Routes("Secrets")


@routes("GET", "/v1/secrets", scope="admin", returns={200: Returns("None of their values.", SecretList)})
async def list_secrets(call: Call) -> Answer:
    """List secrets: their names, who set them, and when."""
    return Answer(SecretList(secrets=[_view(secret) for secret in await call.core.secrets().list()]))


@routes("PUT", "/v1/secrets/{name}", scope="admin", returns={200: Returns("It is set.", SecretView)})
async def set_secret(call: Call, path: OfSecret, body: SetSecret) -> Answer:
    """Set a secret, in place of one of the same name. Servers get it when they are connected next."""
    secret = await call.core.secrets().set(path.name, body.value, call.actor.id)
    call.core.mask.learn([body.value])
    return Answer(_view(secret))


@routes("DELETE", "/v1/secrets/{name}", scope="admin", returns={204: Returns("No server gets it any more.")})
async def remove_secret(call: Call, path: OfSecret) -> Answer:
    """Remove a secret."""
    await call.core.secrets().remove(path.name)
    return Answer(status=204)


def _view(secret: Secret) -> SecretView:
    return SecretView(name=secret.name, by=secret.by, at=secret.at)
