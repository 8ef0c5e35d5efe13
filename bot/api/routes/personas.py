"""Routes of personas, of the key in use, and of the management of keys."""

from __future__ import annotations

from importlib.metadata import version

from bot.api.models import CreateKey, KeyList, Me, NewKey
from bot.api.parameters import OfKey
from bot.api.routing import Answer, Call, Returns, Routes
from bot.api.views import key_view
from supervisor.contract.models import PersonaList
from supervisor.core.errors import NotAllowed

routes = Routes("Directory")
VERSION = version("flagman")


@routes("GET", "/v1/personas", scope="read", returns={200: Returns("By name.", PersonaList)})
async def list_personas(call: Call) -> Answer:
    """List personas."""
    return Answer(PersonaList(personas=await call.sessions.personas()))


@routes("GET", "/v1/me", returns={200: Returns("The key, and the version of Flagman.", Me)})
async def show_me(call: Call) -> Answer:
    """Show whose key this is."""
    assert call.key
    return Answer(
        Me(
            id=call.actor.id,
            name=call.key.name,
            owner=call.key.owner,
            scopes=list(call.key.scopes),
            flagman=VERSION,
        )
    )


@routes("GET", "/v1/keys", scope="admin", returns={200: Returns("None of their secrets.", KeyList)})
async def list_keys(call: Call) -> Answer:
    """List API keys."""
    return Answer(KeyList(keys=[key_view(key, used) for key, used in await call.deps.keys.list()]))


@routes(
    "POST",
    "/v1/keys",
    scope="admin",
    returns={201: Returns("The key, shown this once.", NewKey)},
)
async def create_key(call: Call, body: CreateKey) -> Answer:
    """Make an API key."""
    own = call.key.owner if call.key else ""
    if own and body.owner not in ("", own):
        raise NotAllowed("A person's key makes keys of this person only.", what="make this key")
    key, text = await call.deps.keys.create(body.name, body.scopes, call.actor.id, owner=body.owner or own)
    view = NewKey(**key_view(key).model_dump(), key=text)
    return Answer(view, 201, shown=frozenset({"key"}))


@routes(
    "DELETE",
    "/v1/keys/{key_id}",
    scope="admin",
    returns={204: Returns("It opens nothing any more.")},
    problems={404},
)
async def revoke_key(call: Call, path: OfKey) -> Answer:
    """Revoke an API key."""
    await call.deps.keys.revoke(path.key_id)
    return Answer(status=204)
