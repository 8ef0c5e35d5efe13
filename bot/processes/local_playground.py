"""Mounts the playground in place of Slack on the port of this process, with tokens that it generates."""

from __future__ import annotations

import ipaddress
import secrets

from aiohttp import web
from pydantic import SecretStr

from bot.playground.app import mount
from bot.playground.playground import Playground
from bot.playground.seed import SHORTCUTS, Manifest, flagman_command
from bot.settings import Settings
from supervisor.core.errors import InvalidInput

_TOKEN, _APP_TOKEN, _SIGNING = "xoxb-playground", "xapp-playground", "playground"


def stand_in(settings: Settings, app: web.Application) -> Settings:
    """Mount the playground on `app` and return settings that connect the bot to it.

    Raises InvalidInput where FLAGMAN_HOST is not a loopback address.
    """
    if settings.host != "localhost" and not _loopback(settings.host):
        raise InvalidInput(
            "FLAGMAN_HOST: the playground lets anybody act as anybody, so it listens on loopback only; "
            "leave FLAGMAN_HOST out, or set SLACK_BOT_TOKEN to use Slack."
        )
    base = f"http://{settings.host}:{settings.port}"
    # New tokens at each start, so that no other program on this machine can act as the bot.
    token, app_token = f"xoxb-{secrets.token_hex(16)}", f"xapp-{secrets.token_hex(16)}"
    playground = Playground(
        settings.data,
        base_url=base,
        bot_token=token,
        app_token=app_token,
        signing_secret=secrets.token_hex(16),
        manifest=Manifest(commands=(flagman_command(settings.command),), shortcuts=SHORTCUTS),
    )
    mount(app, playground)
    update = {
        "slack_bot_token": SecretStr(token),
        "slack_app_token": SecretStr(app_token),
        "slack_api_url": playground.api_url,
    }
    return settings.model_copy(update=update)


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
