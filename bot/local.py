"""The playground in place of Slack: mounted on our own port, with keys that open nothing else."""

from __future__ import annotations

import ipaddress

from aiohttp import web
from pydantic import SecretStr

from bot.playground.app import mount
from bot.playground.playground import Playground
from bot.settings import Settings
from supervisor.core.errors import InvalidInput

_TOKEN, _APP_TOKEN, _SIGNING = "xoxb-playground", "xapp-playground", "playground"


def stand_in(settings: Settings, app: web.Application) -> Settings:
    """Mount the playground on `app`; the settings that lead the bot to it. Raises InvalidInput off loopback."""
    if settings.host != "localhost" and not _loopback(settings.host):
        raise InvalidInput(
            "FLAGMAN_HOST: the playground lets anybody act as anybody, so it listens on loopback only; "
            "leave FLAGMAN_HOST out, or set SLACK_BOT_TOKEN to use Slack."
        )
    base = f"http://{settings.host}:{settings.port}"
    playground = Playground(
        settings.data, base_url=base, bot_token=_TOKEN, app_token=_APP_TOKEN, signing_secret=_SIGNING
    )
    mount(app, playground)
    update = {
        "slack_bot_token": SecretStr(_TOKEN),
        "slack_app_token": SecretStr(_APP_TOKEN),
        "slack_api_url": playground.api_url,
    }
    return settings.model_copy(update=update)


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
