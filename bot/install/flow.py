"""Slack's OAuth: `/slack/install` leads to Slack, and `/slack/oauth_redirect` takes what comes back."""

from __future__ import annotations

import html
import logging
import time
from collections.abc import Awaitable, Callable, Sequence

import aiohttp
from aiohttp import web
from slack_bolt import BoltResponse
from slack_bolt.adapter.aiohttp import to_aiohttp_response
from slack_bolt.async_app import AsyncBoltRequest
from slack_bolt.oauth.async_callback_options import AsyncCallbackOptions, AsyncFailureArgs, AsyncSuccessArgs
from slack_bolt.oauth.async_oauth_flow import AsyncOAuthFlow
from slack_bolt.oauth.async_oauth_settings import AsyncOAuthSettings
from slack_sdk.errors import SlackApiError
from slack_sdk.oauth.installation_store import Installation

from bot.install.manifest import scopes
from bot.install.states import States
from bot.install.teams import InstalledTeams
from storage.errors import StorageError, note_outage

INSTALL, REDIRECT = "/slack/install", "/slack/oauth_redirect"
# What comes back in the address is short; anything else is none of Slack's.
LONGEST_QUERY = 4_000
BURST = 120
_UNREACHABLE = (SlackApiError, aiohttp.ClientError, TimeoutError, OSError)
_HEADERS: dict[str, str | Sequence[str]] = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_AGAIN = f'<a href="{INSTALL}">Install again</a>'
_WHY = {
    "access_denied": "Slack says that the installation was cancelled, so nothing was installed.",
    "invalid_state": "This installation was begun too long ago, was finished already, or was not begun here. Nothing "
    "was installed.",
    "invalid_browser": "This installation was begun in another browser, or not here. Nothing was installed.",
    "missing_code": "Slack sent no code, so nothing was installed.",
    "invalid_code": "Slack does not take the code that it sent, so nothing was installed.",
}
_log = logging.getLogger("flagman.install")
Done = Callable[[str], Awaitable[None]]


class Flow(AsyncOAuthFlow):
    """Bolt's flow, which asks about each new installation where its workspace is."""

    async def run_installation(self, code: str) -> Installation | None:
        """Exchange the code. Returns None where Slack refuses it, or what it says is not complete."""
        try:
            installation = await super().run_installation(code)
            if installation is None or not installation.bot_token:
                return None
            answer = await self.client.auth_test(token=installation.bot_token)
        except _UNREACHABLE as error:
            _log.error("an installation cannot be finished: %r", error)
            return None
        installation.set_custom_value("url", str(answer.get("url") or ""))
        return installation


def mount(
    app: web.Application,
    teams: InstalledTeams,
    states: States,
    client_id: str,
    secret: str,
    authorize: str,
    done: Done,
) -> None:
    """Add both routes. `authorize` is Slack's page, and `done` is told the key of a workspace that has installed."""
    teams_of_flow = teams

    async def success(args: AsyncSuccessArgs) -> BoltResponse:
        found = args.installation
        team_id = "" if found.is_enterprise_install else found.team_id or ""
        name = (found.team_name if team_id else found.enterprise_name) or "this workspace"
        await done(await teams_of_flow.key_of(team_id or found.enterprise_id or ""))
        return _page(
            200, f"Flagman is installed in {name}.", "In Slack, invite it to a channel and write /agent."
        )

    async def failure(args: AsyncFailureArgs) -> BoltResponse:
        said = _WHY.get(args.reason, "Slack did not finish the installation, so nothing was installed.")
        _log.warning(
            "an installation failed: %s", args.reason if args.reason in _WHY else "for another reason"
        )
        return _page(
            200 if args.reason == "access_denied" else 400, "Flagman is not installed.", said, _AGAIN
        )

    flow = Flow(
        client=teams.client(patient=True),
        logger=_log,
        settings=AsyncOAuthSettings(
            client_id=client_id,
            client_secret=secret,
            scopes=list(scopes()),
            install_path=INSTALL,
            redirect_uri_path=REDIRECT,
            install_page_rendering_enabled=False,
            authorization_url=authorize,
            installation_store=teams.installations,
            state_store=states,
            state_expiration_seconds=600,
            callback_options=AsyncCallbackOptions(success=success, failure=failure),
        ),
    )

    def route(
        handle: Callable[[AsyncBoltRequest], Awaitable[BoltResponse]],
    ) -> Callable[..., Awaitable[web.Response]]:
        async def handled(request: web.Request) -> web.Response:
            if not begun.take():
                said = "Too many installations were begun just now. Please try again in a minute."
                return await to_aiohttp_response(_page(429, "Flagman is not installed.", said, _AGAIN))
            if len(request.query_string) > LONGEST_QUERY:
                return await to_aiohttp_response(
                    _page(400, "Flagman is not installed.", _WHY["invalid_state"], _AGAIN)
                )
            sent = AsyncBoltRequest(body="", query=request.query_string, headers=dict(request.headers))
            try:
                return await to_aiohttp_response(await handle(sent))
            except StorageError as error:
                note_outage(_log, error)
                said = "Flagman cannot reach its store right now. Please try again in a moment."
                return await to_aiohttp_response(_page(503, "Flagman is not installed.", said, _AGAIN))

        return handled

    begun = _Pace()
    app.router.add_get(INSTALL, route(flow.handle_installation))
    app.router.add_get(REDIRECT, route(flow.handle_callback))


class _Pace:
    """Requests of everybody in this process, since anybody may open the pages: `BURST`, and one more every second."""

    def __init__(self) -> None:
        self._left, self._at = float(BURST), time.monotonic()

    def take(self) -> bool:
        """Count a request; False where there are too many."""
        now = time.monotonic()
        self._left, self._at = min(float(BURST), self._left + now - self._at), now
        if self._left < 1:
            return False
        self._left -= 1
        return True


def _page(status: int, head: str, said: str, after: str = "") -> BoltResponse:
    """A plain page; `after` is HTML."""
    body = (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        "<title>Flagman</title><style>:root{color-scheme:light dark}"
        "body{font:16px/1.5 system-ui;max-width:36rem;margin:4rem auto;padding:0 1rem}</style>"
        f"<h1>{html.escape(head)}</h1><p>{html.escape(said)}</p><p>{after}</p></html>"
    )
    return BoltResponse(status=status, body=body, headers=_HEADERS)
