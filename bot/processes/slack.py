"""The Bolt app, its clients, and Socket Mode; HTTP mode is in `slack_requests`."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from slack_bolt import BoltContext
from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.compose import Core, now
from bot.install.teams import InstalledTeam
from bot.persona_reports import tell_of_names
from bot.processes.deliveries import Deliveries, LimitedSocketMode
from bot.processes.workspaces import NOT_INSTALLED, Workspaces, installing
from bot.settings import Settings
from handlers.app import register
from handlers.context import ListenerContext
from handlers.listeners.events.home import keep_current
from handlers.projection.deletions import Deletions
from handlers.projection.file_upload import FileUploads
from handlers.projection.people.waiting import WaitingMessages
from handlers.projection.slack_client import SlackSender
from handlers.users import People
from storage import keys
from storage.connection import end
from storage.rows import RowStore
from supervisor.core.errors import InvalidInput

_log = logging.getLogger("flagman.slack")
# Bolt requires a secret, but requests in Socket Mode are not signed.
UNSIGNED = "unused-in-socket-mode"
_BAD_KEYS = {
    "invalid_auth",
    "not_authed",
    "account_inactive",
    "token_revoked",
    "token_expired",
    "not_allowed_token_type",
    "missing_scope",
}
_UNREACHABLE = (aiohttp.ClientError, TimeoutError, OSError)
# A connection that is lost is noticed after up to twenty seconds by Slack's client.
DEAF_SECONDS, LOOK_SECONDS = 30.0, 1.0
Call = Callable[[], Awaitable[AsyncSlackResponse]]


@asynccontextmanager
async def clients(settings: Settings) -> AsyncIterator[tuple[AsyncWebClient, AsyncWebClient]]:
    """A client for listeners, which retries when rate-limited, and one for the outbox, which retries itself."""
    given, url = settings.slack_bot_token, settings.slack_api_url
    token = given.get_secret_value() if given else None
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=15)) as session:
        patient = [AsyncRateLimitErrorRetryHandler(max_retry_count=1)]
        yield (
            AsyncWebClient(token=token, base_url=url, session=session, timeout=15, retry_handlers=patient),  # type: ignore[arg-type]
            AsyncWebClient(token=token, base_url=url, session=session, timeout=15, retry_handlers=[]),
        )


@asynccontextmanager
async def bolt_app(parts: Core, settings: Settings, client: AsyncWebClient) -> AsyncIterator[AsyncApp]:
    """The app with all listeners, and the home tabs kept current.

    Waits until Slack is reached. Raises InvalidInput where Slack refuses the token.
    """
    first, identity = await _first(settings, client)
    people = People(client)
    if first:
        parts.directory.connect(people, identity)
        if parts.teams:
            await parts.teams.installations.set_first(str(first.team_id or first.enterprise_id))
    _, outbox = parts.queues()
    flagman = ListenerContext(
        parts.supervisor,
        parts.services(),
        parts.rows,
        people,
        FileUploads(client, parts.artifacts(), parts.rows, parts.mask),
        now,
        parts.mask,
        settings.command,
        Deletions(parts.rows, outbox.enqueue),
        str(identity.get("url") or ""),
    )
    workspaces = Workspaces(parts, flagman, first, client, whole=bool(identity.get("is_enterprise_install")))

    async def authorize(
        context: BoltContext, enterprise_id: str | None, team_id: str | None
    ) -> AuthorizeResult:
        # Bolt takes None for a workspace without the app, which its types do not say.
        return await workspaces.authorize(context, enterprise_id, team_id)  # type: ignore[return-value]

    secret = settings.slack_signing_secret
    app = AsyncApp(
        client=client,
        signing_secret=secret.get_secret_value() if secret else UNSIGNED,
        authorize=authorize,
        user_facing_authorize_error_message=NOT_INSTALLED,
        # Slack gets its acknowledgement only after the listener has stored the result.
        process_before_response=True,
        # The deletion of a message of the bot counts as an event of its own.
        ignoring_self_events_enabled=False,
    )
    await tell_of_names(parts)
    register(app, flagman)

    async def keep(people: People, client: AsyncWebClient, url: str, team: str) -> None:
        """Keep the direct messages of a workspace current."""
        told = RowStore(parts.redis, keys.waiting_messages())
        sender = SlackSender(client, parts.rows, team)
        waiting = WaitingMessages(
            flagman.services, sender, parts.rows, told, people, parts.mask, settings.command, now, url, team
        )
        await waiting.keep(parts.changes())

    async def keep_installed(team: InstalledTeam, _: ListenerContext) -> None:
        await keep(team.people, team.client, team.url, team.key)

    kept = [
        asyncio.create_task(keep_current(flagman, workspaces.at, parts.changes())),
        *([asyncio.create_task(keep(people, client, flagman.workspace, ""))] if first else []),
    ]
    try:
        async with installing(parts, app, workspaces, keep_installed):
            yield app
    finally:
        await end(kept)


async def _first(settings: Settings, client: AsyncWebClient) -> tuple[AuthorizeResult | None, dict[str, Any]]:
    """The bot of SLACK_BOT_TOKEN and the answer of `auth.test`, once Slack is reached; None without the token.

    Raises InvalidInput where Slack refuses it.
    """
    if settings.slack_bot_token is None:
        return None, {}
    identity = await _call_until_reached("SLACK_BOT_TOKEN", client.auth_test)
    if not (identity.get("team_id") or identity.get("enterprise_id")) or not identity.get("user_id"):
        raise InvalidInput(
            "SLACK_BOT_TOKEN: Slack names no workspace and bot for it; use the token of a bot."
        )
    result = AuthorizeResult(
        enterprise_id=identity.get("enterprise_id"),
        team_id=identity.get("team_id"),
        bot_id=identity.get("bot_id"),
        bot_user_id=identity.get("user_id"),
        bot_token=client.token,
    )
    return result, identity


async def refuse_bad_token(client: AsyncWebClient) -> None:
    """Raise InvalidInput where Slack refuses the token; where Slack cannot be reached, only log a warning."""
    if not client.token:
        return
    try:
        await client.auth_test()
    except SlackApiError as error:
        _refuse("SLACK_BOT_TOKEN", error)
        _log.warning("Slack does not answer as it should (%s); going on without it for now", _code(error))
    except _UNREACHABLE as error:
        _log.warning("Slack cannot be reached (%r); going on without it for now", error)


async def _call_until_reached(variable: str, call: Call) -> dict[str, Any]:
    """The answer of `call`, repeated until Slack is reached. Raises InvalidInput where Slack refuses the token."""
    delay = 0.2
    while True:
        try:
            return dict((await call()).data)  # type: ignore[arg-type]
        except SlackApiError as error:
            _refuse(variable, error)
            problem = _code(error)
        except _UNREACHABLE as error:
            problem = repr(error)
        _log.warning("Slack cannot be reached yet (%s); trying again in %.1f s", problem, delay)
        await asyncio.sleep(delay)
        delay = min(delay * 2, 15)


def _refuse(variable: str, error: SlackApiError) -> None:
    if (code := _code(error)) in _BAD_KEYS:
        raise InvalidInput(f"{variable}: Slack refuses it ({code}).") from error


def _code(error: SlackApiError) -> str:
    """Slack's error code, or the status where the answer is not JSON, as from a proxy."""
    data = getattr(error.response, "data", None)
    code = data.get("error") if isinstance(data, dict) else None
    return str(code or f"status {getattr(error.response, 'status_code', '?')}")


@asynccontextmanager
async def socket_mode(app: AsyncApp, settings: Settings, client: AsyncWebClient) -> AsyncIterator[None]:
    """Keep a Socket Mode connection, which reconnects by itself. Raises InvalidInput where Slack refuses the token."""
    assert settings.slack_app_token
    token = settings.slack_app_token.get_secret_value()
    web_client = AsyncWebClient(token=token, base_url=client.base_url, timeout=15)
    opened = await _call_until_reached(
        "SLACK_APP_TOKEN", lambda: web_client.apps_connections_open(app_token=token)
    )
    connected = asyncio.Event()
    connecting = asyncio.create_task(_stay_connected(app, token, web_client, str(opened["url"]), connected))
    try:
        await connected.wait()
        yield
    finally:
        await end([connecting])


async def _stay_connected(
    app: AsyncApp, token: str, web_client: AsyncWebClient, address: str | None, connected: asyncio.Event
) -> None:
    """Connect anew, at a new address, whenever there was no connection for `DEAF_SECONDS`.

    Slack's client tries one address again and again until it has connected, also one that is no longer valid.
    """
    deliveries = Deliveries()
    while True:
        handler = LimitedSocketMode(app, token, web_client=web_client)
        handler.deliveries = deliveries
        handler.client.wss_uri = address
        connecting = asyncio.create_task(_connect(handler, connected))
        try:
            await _until_deaf(handler.client)
        finally:
            await end([connecting])
            await handler.close_async()  # type: ignore[no-untyped-call]
        _log.warning("no connection to Slack for %g s; connecting anew", DEAF_SECONDS)
        address = None


async def _connect(handler: LimitedSocketMode, connected: asyncio.Event) -> None:
    await handler.connect_async()  # type: ignore[no-untyped-call]
    connected.set()


async def _until_deaf(client: SocketModeClient) -> None:
    heard = time.monotonic()
    while time.monotonic() - heard < DEAF_SECONDS:
        await asyncio.sleep(LOOK_SECONDS)
        if await client.is_connected():
            heard = time.monotonic()
