"""The OAuth scopes that each method requires: https://docs.slack.dev/reference/scopes."""

from bot.playground import seed
from bot.playground.errors import SlackError
from bot.playground.playground import Playground
from bot.playground.store import Json

BY_METHOD = {
    "agents.sessions.setStatus": "chat:write",
    "assistant.threads.setStatus": "chat:write",
    "bots.info": "users:read",
    "chat.delete": "chat:write",
    "chat.meMessage": "chat:write",
    "chat.postEphemeral": "chat:write",
    "chat.postMessage": "chat:write",
    "chat.update": "chat:write",
    "conversations.join": "channels:join",
    "files.completeUploadExternal": "files:write",
    "files.delete": "files:write",
    "files.getUploadURLExternal": "files:write",
    "files.info": "files:read",
    "reactions.add": "reactions:write",
    "reactions.remove": "reactions:write",
    "team.info": "team:read",
    "usergroups.list": "usergroups:read",
    "usergroups.users.list": "usergroups:read",
    "users.info": "users:read",
    "users.list": "users:read",
    "users.lookupByEmail": "users:read.email",
}
# These methods require one scope for each kind of conversation in the call.
BY_KIND = {
    "conversations.history": "history",
    "conversations.info": "read",
    "conversations.list": "read",
    "conversations.members": "read",
    "conversations.open": "write",
    "conversations.replies": "history",
    "users.conversations": "read",
}
FAMILIES: dict[seed.Kind, str] = {"public": "channels", "private": "groups", "mpim": "mpim", "im": "im"}
TYPES: dict[str, seed.Kind] = {
    "public_channel": "public",
    "private_channel": "private",
    "mpim": "mpim",
    "im": "im",
}


def check(playground: Playground, method: str, args: Json) -> None:
    """Raise SlackError `missing_scope` if the manifest lacks a scope that the call requires."""
    provided = playground.workspace.manifest.scopes
    if provided is None:
        return
    needed = [BY_METHOD[method]] if method in BY_METHOD else []
    if method in BY_KIND:
        needed = sorted({f"{FAMILIES[kind]}:{BY_KIND[method]}" for kind in _kinds(playground, args)})
    missing = [scope for scope in needed if scope not in provided]
    if missing:
        raise SlackError("missing_scope", needed=",".join(missing), provided=",".join(sorted(provided)))


def _kinds(playground: Playground, args: Json) -> list[seed.Kind]:
    """Return the kinds of conversations that a call names; an unknown channel has none."""
    if args.get("channel"):
        channel = playground.workspace.find_channel(str(args["channel"]))
        return [channel.kind] if channel else []
    if args.get("users"):
        return ["mpim" if "," in str(args["users"]) else "im"]
    names = str(args.get("types") or "public_channel").split(",")
    return [TYPES[name.strip()] for name in names if name.strip() in TYPES]
