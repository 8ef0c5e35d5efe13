"""An authorization server and an MCP server behind it, with the code of the SDK: `whoami` says whose token came."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.auth.provider import (
    AccessToken,
    AuthorizationCode,
    AuthorizationParams,
    RefreshToken,
    construct_redirect_uri,
)
from mcp.server.auth.settings import AuthSettings, ClientRegistrationOptions, RevocationOptions
from mcp.server.mcpserver import MCPServer
from mcp.shared.auth import OAuthClientInformationFull, OAuthToken
from pydantic import AnyHttpUrl

from tests.support.ports import free_port
from tests.support.slack import wait_for


@dataclass
class Authority:
    """Signs in whoever is in `signs_in`. Refresh tokens rotate: one that was used before is worth nothing.

    `lives` are the seconds of a token, and `iss` is what the way back names as the issuer. While it `wants` scopes, no
    token has enough of them.
    """

    port: int
    signs_in: str = "octo-ada"
    lives: int = 3600
    iss: str = ""
    clients: dict[str, OAuthClientInformationFull] = field(default_factory=dict)
    codes: dict[str, AuthorizationCode] = field(default_factory=dict)
    access: dict[str, AccessToken] = field(default_factory=dict)
    refreshing: dict[str, RefreshToken] = field(default_factory=dict)
    revoked: list[str] = field(default_factory=list)
    refreshes: int = 0
    fails: bool = False
    wants: str = ""
    given: list[str] = field(default_factory=list)
    resources: list[str | None] = field(default_factory=list)
    calls: list[tuple[str, str]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def entry(self, **more: Any) -> dict[str, Any]:
        """The entry of the file of FLAGMAN_MCP."""
        return {"url": f"{self.url}/mcp", "auth": "oauth", **more}

    def expire(self) -> None:
        """Take no token that was given up to now."""
        self.access.clear()

    def forget(self) -> None:
        """Take neither a token nor a refresh token that was given up to now."""
        self.access.clear()
        self.refreshing.clear()

    # The methods that the SDK's routes call

    async def get_client(self, client_id: str) -> OAuthClientInformationFull | None:
        return self.clients.get(client_id)

    async def register_client(self, client_info: OAuthClientInformationFull) -> None:
        self.clients[client_info.client_id] = client_info

    async def authorize(self, client: OAuthClientInformationFull, params: AuthorizationParams) -> str:
        code = AuthorizationCode(
            code=secrets.token_urlsafe(24),
            scopes=params.scopes or [],
            expires_at=time.time() + 60,
            client_id=client.client_id,
            code_challenge=params.code_challenge,
            redirect_uri=params.redirect_uri,
            redirect_uri_provided_explicitly=params.redirect_uri_provided_explicitly,
            resource=params.resource,
            subject=self.signs_in,
        )
        self.codes[code.code] = code
        self.resources.append(params.resource)
        named = {"iss": self.iss} if self.iss else {}
        return construct_redirect_uri(str(params.redirect_uri), code=code.code, state=params.state, **named)

    async def load_authorization_code(
        self, client: OAuthClientInformationFull, authorization_code: str
    ) -> AuthorizationCode | None:
        return self.codes.get(authorization_code)

    async def exchange_authorization_code(
        self, client: OAuthClientInformationFull, authorization_code: AuthorizationCode
    ) -> OAuthToken:
        del self.codes[authorization_code.code]
        return self.give(client, authorization_code)

    async def load_refresh_token(
        self, client: OAuthClientInformationFull, refresh_token: str
    ) -> RefreshToken | None:
        return self.refreshing.get(refresh_token)

    async def exchange_refresh_token(
        self, client: OAuthClientInformationFull, refresh_token: RefreshToken, scopes: list[str]
    ) -> OAuthToken:
        if self.fails:
            raise RuntimeError("the server has a fault")
        self.refreshes += 1
        del self.refreshing[refresh_token.token]
        return self.give(client, refresh_token)

    async def load_access_token(self, token: str) -> AccessToken | None:
        return self.access.get(token)

    async def revoke_token(self, token: AccessToken | RefreshToken) -> None:
        self.revoked.append(token.token)
        self.refreshing.pop(token.token, None)
        self.access = {key: one for key, one in self.access.items() if one.subject != token.subject}

    async def exchange_identity_assertion(self, client: Any, params: Any) -> OAuthToken:
        raise NotImplementedError

    def give(self, client: OAuthClientInformationFull, whose: AuthorizationCode | RefreshToken) -> OAuthToken:
        about = {"client_id": client.client_id, "scopes": whose.scopes, "subject": whose.subject}
        about |= {"resource": whose.resource}
        token, refresh = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
        self.access[token] = AccessToken(token=token, expires_at=int(time.time() + self.lives), **about)
        self.refreshing[refresh] = RefreshToken(token=refresh, **about)
        self.given += [token, refresh]
        return OAuthToken(
            access_token=token, expires_in=self.lives, refresh_token=refresh, scope=" ".join(whose.scopes)
        )


def _server(authority: Authority) -> MCPServer[Any]:
    registering = ClientRegistrationOptions(enabled=True, valid_scopes=["notes"], default_scopes=["notes"])
    settings = AuthSettings(
        issuer_url=AnyHttpUrl(authority.url),
        resource_server_url=AnyHttpUrl(f"{authority.url}/mcp"),
        client_registration_options=registering,
        revocation_options=RevocationOptions(enabled=True),
        required_scopes=["notes"],
        validate_token_resource=True,
    )
    server = MCPServer[Any]("notes", auth_server_provider=authority, auth=settings)

    @server.tool()
    async def whoami(text: str = "") -> str:
        """Say whose token came with the call, and which."""
        token = get_access_token()
        assert token
        authority.calls.append((str(token.subject), text))
        return json.dumps({"subject": token.subject, "token": token.token})

    return server


class _Guarded:
    """The application, which refuses calls of the MCP server with the scopes that it `wants`."""

    def __init__(self, app: Any, authority: Authority) -> None:
        self._app, self._authority = app, authority

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if self._authority.wants and scope.get("path") == "/mcp":
            challenge = f'Bearer error="insufficient_scope", scope="{self._authority.wants}"'
            headers = [(b"www-authenticate", challenge.encode())]
            await send({"type": "http.response.start", "status": 403, "headers": headers})
            await send({"type": "http.response.body", "body": b"{}"})
            return
        await self._app(scope, receive, send)


@asynccontextmanager
async def authority(**given: Any) -> AsyncIterator[Authority]:
    """Serve both on loopback until the block ends."""
    found = Authority(free_port(), **given)
    config = uvicorn.Config(
        _Guarded(_server(found).streamable_http_app(), found),
        port=found.port,
        log_level="critical",
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    await wait_for(lambda: server.started)
    try:
        yield found
    finally:
        server.should_exit = True
        await serving
