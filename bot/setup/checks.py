"""What Slack says of the tokens and scopes of an app, as findings."""

from __future__ import annotations

from typing import Any

import aiohttp
from pydantic import SecretStr

from bot.install.manifest import scopes
from bot.settings import Settings
from bot.store_check import Finding

# What does not work without each scope of the manifest.
WITHOUT = {
    "app_mentions:read": "mentions of the bot in channels are not heard",
    "assistant:write": "Slack does not show that an agent works, nor its own Stop button",
    "channels:history": "replies in threads of public channels are not heard",
    "channels:read": "who sees a public channel is not known, so nobody has rights there",
    "chat:write": "nothing is posted at all",
    "chat:write.public": "cards appear only in channels to which the bot was invited",
    "commands": "the slash command and the shortcuts are missing",
    "files:read": "what people attach does not reach agents",
    "files:write": "no SESSION_LOG is put into threads",
    "groups:history": "replies in threads of private channels are not heard",
    "groups:read": "who sees a private channel is not known, so nobody has rights there",
    "im:history": "direct messages are not heard",
    "im:read": "who sees a direct conversation is not known",
    "im:write": "nobody gets a direct message",
    "mpim:history": "group messages are not heard",
    "mpim:read": "who sees group messages is not known, so nobody has rights there",
    "reactions:read": "reactions decide nothing",
    "usergroups:read": "nobody counts as a member of a group that may approve",
    "users:read": "who people are is not known, so nobody has rights",
}
# Without these a part of what people see does not work, and the rest does.
OPTIONAL = {"assistant:write", "files:write", "files:read", "chat:write.public"}


# What is easily copied in place of the bot's token, by how it begins.
_OTHER_TOKENS = {"xapp-": "an app-level token", "xoxp-": "the token of a person"}


def reason(answer: dict[str, Any]) -> str:
    """Why a method was refused."""
    return str(answer.get("error") or answer.get("unreachable") or "no reason given")


async def call(
    session: aiohttp.ClientSession, settings: Settings, method: str, token: SecretStr, **arguments: str
) -> tuple[dict[str, Any], dict[str, str]]:
    """The answer of a method and its headers; one that cannot be reached says so as `unreachable`."""
    headers = {"Authorization": f"Bearer {token.get_secret_value()}"}
    try:
        async with session.post(
            f"{settings.slack_api_url}{method}", headers=headers, data=arguments
        ) as answer:
            body: Any = await answer.json(content_type=None)
            if not isinstance(body, dict):
                body = {"ok": False, "error": f"status {answer.status}, no JSON object"}
            return body, dict(answer.headers)
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
        return {"ok": False, "unreachable": str(error) or type(error).__name__}, {}


def identity_of(settings: Settings, answer: dict[str, Any]) -> Finding:
    """Whether Slack takes the bot's token, by the answer of `auth.test`."""
    if answer.get("ok"):
        who = f"{answer.get('user', '?')} in {answer.get('team', '?')}"
        return Finding("Slack's bot token", "ok", who)
    mend = "copy the Bot User OAuth Token (xoxb-…) from OAuth & Permissions into SLACK_BOT_TOKEN"
    token = settings.slack_bot_token.get_secret_value() if settings.slack_bot_token else ""
    for prefix, kind in _OTHER_TOKENS.items():
        if token.startswith(prefix):
            return Finding("Slack's bot token", "wrong", f"it begins with {prefix}, so it is {kind}", mend)
    if "unreachable" in answer:
        found = f"{settings.slack_api_url} cannot be reached ({answer['unreachable']})"
        return Finding("Slack's bot token", "wrong", found, "check the network, the proxy and SLACK_API_URL")
    found = f"Slack refuses it ({answer.get('error', 'no reason given')})"
    return Finding("Slack's bot token", "wrong", found, mend)


def scopes_of(headers: dict[str, str]) -> Finding:
    """Which scopes of the manifest the token has not, by the headers of `auth.test`."""
    given = {name.lower(): value for name, value in headers.items()}.get("x-oauth-scopes")
    if given is None:
        return Finding("Slack's scopes", "note", "Slack did not say which scopes the token has")
    missing = sorted(set(scopes()) - {scope.strip() for scope in given.split(",")})
    said, mend = (
        f"missing: {', '.join(missing)}",
        "; ".join(f"without {one} {WITHOUT[one]}" for one in missing),
    )
    if missing and set(missing) <= OPTIONAL:
        return Finding("Slack's scopes", "note", said, f"{mend}; add what you want")
    if missing:
        how = "add them under OAuth & Permissions (or paste docs/slack-app.yaml), then reinstall the app"
        return Finding("Slack's scopes", "wrong", said, f"{how}; {mend}")
    return Finding("Slack's scopes", "ok", "all that are needed")


def socket_of(answer: dict[str, Any]) -> Finding:
    """Whether Slack takes the app's token, by the answer of `apps.connections.open`."""
    if answer.get("ok"):
        return Finding("Slack's way in", "ok", "Socket Mode")
    if "unreachable" in answer:
        return Finding("Slack's way in", "wrong", f"cannot be reached ({answer['unreachable']})", "as above")
    mend = "make an app-level token (xapp-…) with connections:write and set SLACK_APP_TOKEN"
    return Finding("Slack's way in", "wrong", f"Slack refuses SLACK_APP_TOKEN ({answer.get('error')})", mend)
