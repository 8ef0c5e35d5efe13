"""Slack for several workspaces: playgrounds behind one address, with the pages and methods of OAuth.

All have the same ids of people and channels, and each has another id of its team, which is put in on the way.
"""

from __future__ import annotations

import json
import secrets
import time
from contextlib import AsyncExitStack
from typing import Any, Self
from urllib.parse import parse_qsl, urlencode

import aiohttp
from aiohttp import web
from slack_bolt.request.internals import parse_body

from bot.install.manifest import scopes
from bot.playground.seed import BOT_ID, BOT_USER, TEAM_ID
from bot.playground.transport.http_mode import signature
from bot.playground.transport.link import Kind
from bot.playground.transport.socket_mode import SocketLinks
from tests.support.ports import free_port
from tests.support.slack import APP_TOKEN, BOT_TOKEN, SIGNING_SECRET, Slack

CLIENT_ID, CLIENT_SECRET = "111.222", "the secret of the app"
# As long as that of the playground, so that no length changes.
TEAMS = ("T0FIRST0001"[:10], "T0SECOND01")
ENTERPRISE = "E0GRID0001"
HOURS_12 = 43_200
_KEPT = ("Content-Type", "Retry-After", "x-oauth-scopes", "Location")
Json = dict[str, Any]


class Front:
    """`async with Front() as front:`; `workspaces` are the playgrounds, whose people act through this address."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.workspaces = [Slack(), Slack()]
        self.events_url = ""
        # Whether tokens end, how long they last, and which organisation the workspaces are of.
        self.rotates, self.lasts, self.enterprise = False, HOURS_12, ""
        # The workspace and the time of each token and refresh token; a refresh token counts once.
        self.tokens: dict[str, tuple[int, float]] = {}
        self.refreshes: dict[str, int] = {}
        self.codes: dict[str, int] = {}
        self.exchanged = 0
        self.calls: list[tuple[str, int, Json]] = []
        # What is delivered goes over Flagman's websocket where there is one, as for all workspaces of an app.
        self.sockets = SocketLinks(lambda: None)
        self._stack = AsyncExitStack()
        self._addresses: list[str] = []

    @property
    def api_url(self) -> str:
        return f"{self.url}/api/"

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=2**26)
        app.router.add_get("/oauth/v2/authorize", self._authorize)
        app.router.add_route("*", "/api/{method}", self._api)
        app.router.add_post("/deliver/{n}", self._deliver)
        app.router.add_get("/link", self.sockets.handle)
        app.router.add_route("*", "/w{n}/{path:.*}", self._forward)
        self._session = await self._stack.enter_async_context(aiohttp.ClientSession())
        for n, slack in enumerate(self.workspaces):
            await self._stack.enter_async_context(slack)
            self._addresses.append(slack.url)
            slack.playground.base_url = f"{self.url}/w{n}"
            slack.playground.events_url = f"{self.url}/deliver/{n}"
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await runner.setup()
        self._stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", self.port).start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    # What people do

    async def install(self, flagman_url: str, n: int) -> tuple[int, str]:
        """Install Flagman in a workspace with a browser; returns the status and the last page."""
        async with self._session.get(f"{flagman_url}/slack/install", allow_redirects=False) as answer:
            assert answer.status == 302, await answer.text()
            cookie = answer.headers["Set-Cookie"].partition(";")[0]
            page = f"{answer.headers['Location']}&workspace={n}"
        async with self._session.get(page, allow_redirects=False) as answer:
            back = answer.headers["Location"].replace("APP", flagman_url, 1)
        return await self.come_back(back, cookie)

    async def come_back(self, address: str, cookie: str) -> tuple[int, str]:
        """Open the address to which Slack leads back."""
        headers = {"Cookie": cookie} if cookie else {}
        async with self._session.get(address, headers=headers) as answer:
            return answer.status, await answer.text()

    async def uninstall(self, n: int, kind: str = "app_uninstalled") -> None:
        """Remove Flagman from a workspace, which revokes its tokens, and tell Flagman."""
        self.tokens = {token: about for token, about in self.tokens.items() if about[0] != n}
        self.refreshes = {token: of for token, of in self.refreshes.items() if of != n}
        await self.tell(n, {"type": kind, "tokens": {"oauth": [], "bot": [BOT_USER]}})

    async def tell(self, n: int, event: Json) -> int:
        """Deliver an event of a workspace; returns the status of the answer."""
        body = {
            "type": "event_callback",
            "team_id": TEAMS[n],
            "enterprise_id": self.enterprise or None,
            "event_id": f"Ev{secrets.token_hex(5)}",
            "event": event,
            "authorizations": [
                {
                    "team_id": None if self.enterprise else TEAMS[n],
                    "enterprise_id": self.enterprise or None,
                    "is_enterprise_install": bool(self.enterprise),
                }
            ],
        }
        return (await self._signed(json.dumps(body).encode(), "application/json"))[0]

    def called(self, method: str, n: int) -> list[Json]:
        """The arguments of all calls of a method for a workspace."""
        return [args for name, of, args in self.calls if (name, of) == (method, n)]

    # Slack

    async def _authorize(self, request: web.Request) -> web.Response:
        assert request.query["client_id"] == CLIENT_ID
        assert set(request.query["scope"].split(",")) == set(scopes())
        code = secrets.token_hex(8)
        self.codes[code] = int(request.query["workspace"])
        back = f"APP/slack/oauth_redirect?code={code}&state={request.query['state']}"
        return web.Response(status=302, headers={"Location": back})

    async def _api(self, request: web.Request) -> web.Response:
        method, body = request.match_info["method"], await request.read()
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        form = dict(await request.post()) if "form" in request.content_type else {}
        if method == "oauth.v2.access":
            return web.json_response(
                self.exchange({k: str(v) for k, v in form.items()}, request.headers.get("Authorization", ""))
            )
        if (method, token) == ("apps.connections.open", APP_TOKEN):
            ticket = self.sockets.ticket(30)
            return web.json_response({"ok": True, "url": f"ws://127.0.0.1:{self.port}/link?ticket={ticket}"})
        if token not in self.tokens:
            return web.json_response({"ok": False, "error": "invalid_auth"})
        n, until = self.tokens[token]
        if until < time.time():
            return web.json_response({"ok": False, "error": "token_expired"})
        given = json.loads(body) if request.content_type == "application/json" and body else {}
        self.calls.append((method, n, {**request.query, **form, **given}))
        headers = {"Authorization": f"Bearer {BOT_TOKEN}"}
        address = f"{self._addresses[n]}/api/{method}"
        return await self._passed(n, request, address, body, headers)

    def exchange(self, form: dict[str, str], authorization: str = "") -> Json:
        """Answer `oauth.v2.access`: tokens for a code, or for a refresh token."""
        self.exchanged += 1
        who = (form.get("client_id"), form.get("client_secret"))
        if authorization:
            basic = aiohttp.BasicAuth.decode(authorization)
            who = (basic.login, basic.password)
        if who != (CLIENT_ID, CLIENT_SECRET):
            return {"ok": False, "error": "bad_client_secret"}
        if form.get("grant_type") == "refresh_token":
            n = self.refreshes.pop(form["refresh_token"], None)
            if n is None:
                return {"ok": False, "error": "invalid_refresh_token"}
        else:
            n = self.codes.pop(form.get("code", ""), None)
            if n is None:
                return {"ok": False, "error": "invalid_code"}
        token, refresh = f"xoxe.xoxb-{secrets.token_hex(8)}", f"xoxe-1-{secrets.token_hex(8)}"
        self.tokens[token] = (n, time.time() + self.lasts if self.rotates else float("inf"))
        whole = bool(self.enterprise)
        ends = {"refresh_token": refresh, "expires_in": self.lasts} if self.rotates else {}
        if self.rotates:
            self.refreshes[refresh] = n
        return {
            "ok": True,
            "access_token": token,
            "token_type": "bot",
            "scope": ",".join(scopes()),
            "bot_user_id": BOT_USER,
            "app_id": "A0FLAGMAN1",
            "team": None if whole else {"id": TEAMS[n], "name": f"Workspace {n}"},
            "enterprise": {"id": self.enterprise, "name": "The organisation"} if whole else None,
            "is_enterprise_install": whole,
            "authed_user": {"id": "U0ADA0001"},
            **ends,
        }

    async def _forward(self, request: web.Request) -> web.Response:
        n = int(request.match_info["n"])
        query = f"?{request.query_string}" if request.query_string else ""
        path = request.match_info["path"].replace(TEAMS[n], TEAM_ID)
        address = f"{self._addresses[n]}/{path}{query}"
        return await self._passed(n, request, address, await request.read(), {})

    async def _passed(
        self, n: int, request: web.Request, address: str, body: bytes, headers: dict[str, str]
    ) -> web.Response:
        sent = {"Content-Type": request.headers["Content-Type"]} if body else {}
        auth = {name: value for name, value in request.headers.items() if name == "Authorization"}
        params = request.query if request.path.startswith("/api/") else None
        async with self._session.request(
            request.method,
            address,
            params=params,
            data=body.replace(TEAMS[n].encode(), TEAM_ID.encode()),
            headers={**auth, **sent, **headers},
        ) as answer:
            content = (await answer.read()).replace(TEAM_ID.encode(), TEAMS[n].encode())
            if self.enterprise and request.path.endswith("/auth.test"):
                found = {**json.loads(content), "bot_id": BOT_ID, "enterprise_id": self.enterprise}
                content = json.dumps({**found, "is_enterprise_install": True}).encode()
            kept = {name: answer.headers[name] for name in _KEPT if name in answer.headers}
            return web.Response(status=answer.status, body=content, headers=kept)

    async def _deliver(self, request: web.Request) -> web.Response:
        n, body = int(request.match_info["n"]), await request.read()
        body = self._of_organisation(body.replace(TEAM_ID.encode(), TEAMS[n].encode()))
        status, content = await self._signed(body, request.headers["Content-Type"])
        return web.Response(status=status, body=content, content_type="application/json")

    def _of_organisation(self, body: bytes) -> bytes:
        """A payload as an app gets it that is installed in a whole organisation."""
        if not self.enterprise:
            return body
        if body.startswith(b"{"):
            event = json.loads(body)
            about = {"enterprise_id": self.enterprise, "is_enterprise_install": True}
            event["authorizations"] = [{**event["authorizations"][0], **about}]
            return json.dumps({**event, "enterprise_id": self.enterprise}).encode()
        form = dict(parse_qsl(body.decode(), keep_blank_values=True))
        if "payload" in form:
            enterprise = {"id": self.enterprise, "name": "The organisation"}
            payload = {**json.loads(form["payload"]), "enterprise": enterprise, "is_enterprise_install": True}
            return urlencode({"payload": json.dumps(payload)}).encode()
        return urlencode({**form, "enterprise_id": self.enterprise, "is_enterprise_install": "true"}).encode()

    async def _signed(self, body: bytes, content_type: str) -> tuple[int, bytes]:
        if self.sockets.connected:
            payload = parse_body(body.decode(), content_type)
            kind: Kind = "interactive" if b"payload=" in body[:8] else "slash_commands"
            ack = await self.sockets.send("events_api" if body.startswith(b"{") else kind, payload, 60)
            assert ack.ok, ack
            return 200, json.dumps(ack.payload).encode() if ack.payload else b""
        at = str(int(time.time()))
        headers = {
            "Content-Type": content_type,
            "X-Slack-Request-Timestamp": at,
            "X-Slack-Signature": signature(SIGNING_SECRET, at, body),
        }
        async with self._session.post(self.events_url, data=body, headers=headers) as answer:
            return answer.status, await answer.read()
