"""The Bolt app, and the two ways Slack reaches it: Socket Mode or signed HTTP."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from aiohttp import web
from slack_bolt.adapter.aiohttp import to_aiohttp_response, to_bolt_request
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler
from slack_sdk.web.async_client import AsyncWebClient

from bot.compose import Core
from bot.settings import Settings
from handlers.deps import Deps
from handlers.people import People
from handlers.register import register
from supervisor.core.errors import InvalidInput

_log = logging.getLogger("flagman.slack")
_BAD_KEYS = {"invalid_auth", "not_authed", "account_inactive", "token_revoked", "not_allowed_token_type"}


@asynccontextmanager
async def clients(settings: Settings) -> AsyncIterator[tuple[AsyncWebClient, AsyncWebClient]]:
    """A client for listeners and one for the outbox, which decides on every retry itself."""
    assert settings.slack_bot_token
    token, url = settings.slack_bot_token.get_secret_value(), settings.slack_api_url
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=15)) as session:
        patient = [AsyncRateLimitErrorRetryHandler(max_retry_count=1)]
        yield (
            AsyncWebClient(token=token, base_url=url, session=session, timeout=15, retry_handlers=patient),  # type: ignore[arg-type]
            AsyncWebClient(token=token, base_url=url, session=session, timeout=15, retry_handlers=[]),
        )


async def bolt_app(parts: Core, settings: Settings, client: AsyncWebClient) -> AsyncApp:
    """The app with all listeners. Raises InvalidInput when Slack refuses the token."""
    identity = await _who_am_i(client)
    result = AuthorizeResult(
        enterprise_id=identity.get("enterprise_id"),
        team_id=identity.get("team_id"),
        bot_id=identity.get("bot_id"),
        bot_user_id=identity.get("user_id"),
        bot_token=client.token,
    )

    async def authorize(**_: Any) -> AuthorizeResult:
        return result

    secret = settings.slack_signing_secret
    app = AsyncApp(
        client=client,
        signing_secret=secret.get_secret_value() if secret else "unused-in-socket-mode",
        authorize=authorize,
        # Listeners act durably first; only then is Slack told that all is well.
        process_before_response=True,
    )
    deps = Deps(parts.supervisor, parts.rows, People(client), parts.mask, settings.command)
    register(app, deps)
    return app


async def _who_am_i(client: AsyncWebClient) -> dict[str, Any]:
    delay = 0.2
    while True:
        try:
            return dict((await client.auth_test()).data)  # type: ignore[arg-type]
        except SlackApiError as error:
            code = str(error.response.get("error"))
            if code in _BAD_KEYS:
                raise InvalidInput(f"SLACK_BOT_TOKEN: Slack refuses it ({code}).") from error
            problem: Exception = error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            problem = error
        _log.warning("Slack cannot be reached yet (%s); trying again in %.1f s", problem, delay)
        await asyncio.sleep(delay)
        delay = min(delay * 2, 15)


@asynccontextmanager
async def socket_mode(app: AsyncApp, settings: Settings, client: AsyncWebClient) -> AsyncIterator[None]:
    """Keep a Socket Mode connection; it reconnects by itself."""
    assert settings.slack_app_token
    token = settings.slack_app_token.get_secret_value()
    web_client = AsyncWebClient(token=token, base_url=client.base_url, timeout=15)
    handler = AsyncSocketModeHandler(app, token, web_client=web_client)
    try:
        await handler.connect_async()  # type: ignore[no-untyped-call]
    except SlackApiError as error:
        raise InvalidInput(f"SLACK_APP_TOKEN: Slack refuses it ({error.response.get('error')}).") from error
    try:
        yield
    finally:
        await handler.close_async()  # type: ignore[no-untyped-call]


def mount(application: web.Application, app: AsyncApp) -> None:
    """HTTP mode: events, commands and interactivity at one address, signature checked by Bolt."""

    async def receive(request: web.Request) -> web.Response:
        response = await app.async_dispatch(await to_bolt_request(request))
        return await to_aiohttp_response(response)

    application.router.add_post("/slack/events", receive)
