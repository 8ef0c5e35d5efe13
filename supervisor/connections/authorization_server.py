"""Speaks with authorization servers: finds them, registers Flagman, and gets, renews and revokes tokens.

Nothing that such a server says is put into an error, besides codes that the standard defines.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx2

from supervisor.connections.http import http, send
from supervisor.connections.rows import Client, Endpoints, Tokens, clean_scopes, is_part
from supervisor.core.errors import Unavailable
from supervisor.core.text.visible import one_line
from supervisor.mcp.config import OAuth, Server

if TYPE_CHECKING:
    from mcp.shared.auth import OAuthMetadata, ProtectedResourceMetadata

NAME = "Flagman"
# The codes that the standards define: any other word may be a part of what was sent.
_CODES = frozenset(
    {
        "invalid_request",
        "invalid_client",
        "invalid_grant",
        "invalid_scope",
        "invalid_target",
        "unauthorized_client",
        "unsupported_grant_type",
        "access_denied",
        "server_error",
        "temporarily_unavailable",
        "slow_down",
    }
)
_TOKEN = re.compile(r"[!-~]{1,16384}")
_LONGEST_LIFE = timedelta(days=3650)
# With one of these no later attempt with the same refresh token succeeds.
_OVER = frozenset({"invalid_grant", "invalid_client", "unauthorized_client", "unsupported_grant_type"})
_CLAIMS = ("preferred_username", "login", "email", "name")


class NotAuthorized(Exception):
    """An authorization server refused; nothing but a new authorization by the person helps."""


# Discovery


async def discover(server: Server) -> Endpoints:
    """Find the authorization server of an MCP server by its own word. Raises Unavailable, with what is missing."""
    from mcp.client.auth import OAuthFlowError
    from mcp.client.auth.utils import (
        build_oauth_authorization_server_metadata_discovery_urls,
        create_oauth_metadata_request,
        get_client_metadata_scopes,
        handle_auth_metadata_response,
        issuers_match,
        validate_metadata_issuer,
    )

    async with http(secure=server.url.startswith("https://")) as client:
        resource, challenged = await _resource(client, server)
        issuer = str(resource.authorization_servers[0]) if resource else None
        origin = "{0.scheme}://{0.netloc}".format(urlsplit(server.url))
        for url in build_oauth_authorization_server_metadata_discovery_urls(issuer, server.url):
            answer = await send(client, create_oauth_metadata_request(url))
            goes_on, found = await handle_auth_metadata_response(answer)
            if found:
                if issuer is not None or not issuers_match(str(found.issuer), origin):
                    try:
                        validate_metadata_issuer(found, issuer or origin)
                    except OAuthFlowError as error:
                        raise _unusable(server, "its authorization server names another issuer") from error
                break
            if not goes_on:
                raise _unusable(server, f"its authorization server answered with {answer.status_code}")
        else:
            raise _unusable(server, "it names no authorization server")
    _check(server, found)
    offered = get_client_metadata_scopes(challenged, resource, found, ["authorization_code", "refresh_token"])
    return Endpoints(
        issuer=str(found.issuer),
        authorize=str(found.authorization_endpoint),
        token=str(found.token_endpoint),
        register_at=str(found.registration_endpoint or ""),
        revoke=str(found.revocation_endpoint or ""),
        resource=_resource_url(server, resource),
        scopes=" ".join(_settings(server).scopes) or clean_scopes(offered or ""),
        methods=tuple(found.token_endpoint_auth_methods_supported or ()),
        names_itself=bool(found.authorization_response_iss_parameter_supported),
    )


def _settings(server: Server) -> OAuth:
    return server.oauth or OAuth()


def _unusable(server: Server, why: str) -> Unavailable:
    return Unavailable(f"`{server.name}` cannot be connected: {why}.")


async def _resource(
    client: httpx2.AsyncClient, server: Server
) -> tuple[ProtectedResourceMetadata | None, str | None]:
    """Return what the server says of itself, and the scopes that it asks for."""
    from mcp.client.auth.utils import (
        build_protected_resource_metadata_discovery_urls,
        create_oauth_metadata_request,
        extract_resource_metadata_from_www_auth,
        extract_scope_from_www_auth,
        handle_protected_resource_response,
    )

    # Its headers are enough: without a token the body of another answer might never end.
    request = client.build_request("GET", server.url, headers={"Accept": "text/event-stream"})
    try:
        challenge = await send(client, request, body=False)
    except Unavailable as error:
        raise _unusable(server, "it does not answer") from error
    await challenge.aclose()
    said = extract_resource_metadata_from_www_auth(challenge)
    failed = 0
    for url in build_protected_resource_metadata_discovery_urls(said, server.url):
        answer = await send(client, create_oauth_metadata_request(url))
        if found := await handle_protected_resource_response(answer):
            return found, extract_scope_from_www_auth(challenge)
        failed = answer.status_code if answer.status_code >= 500 or answer.status_code == 429 else failed
    if failed:
        raise _unusable(server, f"it answered with {failed}")
    return None, extract_scope_from_www_auth(challenge)


def _resource_url(server: Server, found: ProtectedResourceMetadata | None) -> str:
    """Return the resource for which tokens are asked. Raises Unavailable where the server claims another one."""
    from mcp.shared.auth_utils import check_resource_allowed, resource_url_from_server_url

    own = resource_url_from_server_url(server.url)
    if found is None:
        return own
    if not check_resource_allowed(requested_resource=own, configured_resource=str(found.resource)):
        raise _unusable(server, "it says that it is another resource")
    return str(found.resource)


def _check(server: Server, found: OAuthMetadata) -> None:
    """Raise Unavailable where it lacks what keeps a code from others, or would be spoken with in clear."""
    if "S256" not in (found.code_challenge_methods_supported or ()):
        raise _unusable(server, "its authorization server offers no PKCE with S256")
    urls = (found.authorization_endpoint, found.token_endpoint, found.registration_endpoint)
    for url in (*urls, found.revocation_endpoint):
        if url and str(url).startswith("http://") and not server.url.startswith("http://"):
            raise _unusable(server, "its authorization server is not reached by https")


# Registration


async def register(server: Server, endpoints: Endpoints, redirect: str) -> Client:
    """Return the client of the configuration, else register one. Raises Unavailable."""
    from mcp.client.auth import OAuthRegistrationError
    from mcp.client.auth.oauth2 import check_registration_usable
    from mcp.client.auth.utils import handle_registration_response
    from mcp.shared.auth import OAuthClientMetadata
    from pydantic import AnyUrl

    given = _settings(server)
    # Servers made with the SDK revoke for the first of these alone.
    secret = [m for m in ("client_secret_post", "client_secret_basic") if m in endpoints.methods]
    if given.client_id:
        proof = (secret or ["client_secret_basic"])[0] if given.client_secret else "none"
        return Client(client_id=given.client_id, client_secret=given.client_secret, method=proof)
    if not endpoints.register_at:
        raise _unusable(
            server,
            f"its authorization server registers no clients by itself; register {redirect} there and set client_id",
        )
    local = urlsplit(redirect).hostname in ("localhost", "127.0.0.1", "::1")
    wanted: Any = "none" if "none" in endpoints.methods or not secret else secret[0]
    metadata = OAuthClientMetadata(
        client_name=NAME,
        redirect_uris=[AnyUrl(redirect)],
        token_endpoint_auth_method=wanted,
        application_type="native" if local else "web",
        scope=endpoints.scopes or None,
    )
    async with http() as client:
        described = metadata.model_dump(mode="json", by_alias=True, exclude_none=True)
        request = httpx2.Request("POST", endpoints.register_at, json=described)
        answer = await send(client, request)
        try:
            info = await handle_registration_response(answer)
            check_registration_usable(info)
        except OAuthRegistrationError as error:
            raise _unusable(
                server, f"its authorization server did not register Flagman ({answer.status_code})"
            ) from error
    method = info.token_endpoint_auth_method or ("client_secret_basic" if info.client_secret else "none")
    return Client(client_id=info.client_id, client_secret=info.client_secret or "", method=method)


# Tokens


async def exchange(
    endpoints: Endpoints, client: Client, code: str, verifier: str, redirect: str, now: datetime
) -> Tokens:
    """Get tokens for an authorization code. Raises NotAuthorized or Unavailable."""
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect}
    return await _tokens(endpoints, client, {**form, "code_verifier": verifier}, now)


async def refresh(endpoints: Endpoints, client: Client, before: Tokens, now: datetime) -> Tokens:
    """Get new tokens for those before. Raises NotAuthorized or Unavailable."""
    form = {"grant_type": "refresh_token", "refresh_token": before.refresh}
    new = await _tokens(endpoints, client, form, now)
    kept = {"refresh": new.refresh or before.refresh, "scopes": new.scopes or before.scopes}
    return new.model_copy(update={**kept, "account": new.account or before.account})


async def revoke(endpoints: Endpoints, client: Client, tokens: Tokens) -> bool:
    """Have the server forget tokens. Returns whether it says that it has."""
    if not endpoints.revoke:
        return False
    form = {"token": tokens.refresh or tokens.access}
    form["token_type_hint"] = "refresh_token" if tokens.refresh else "access_token"
    try:
        async with http() as opened:
            answer = await send(opened, _signed(endpoints.revoke, client, form))
    except Unavailable:
        return False
    return answer.status_code == 200


async def _tokens(endpoints: Endpoints, client: Client, form: dict[str, str], now: datetime) -> Tokens:
    from mcp.shared.auth import OAuthToken
    from pydantic import ValidationError

    form = {**form, "client_id": client.client_id}
    if endpoints.resource:
        form["resource"] = endpoints.resource
    async with http() as opened:
        answer = await send(opened, _signed(endpoints.token, client, form))
    said = _json(answer)
    if answer.status_code not in (200, 201) or "error" in said:
        code = str(said.get("error", ""))
        code = code if code in _CODES else f"HTTP {answer.status_code}"
        if code in _OVER or answer.status_code in (400, 401):
            raise NotAuthorized(f"the authorization server refused ({code})")
        raise Unavailable(f"The authorization server answered with {code}; try again later.")
    try:
        token = OAuthToken.model_validate(said)
    except ValidationError:
        # Its text has what came, with the token.
        raise Unavailable("The authorization server answered with what is no token.") from None
    secret = [token.access_token, *([token.refresh_token] if token.refresh_token else ())]
    if not all(map(_TOKEN.fullmatch, secret)):
        raise Unavailable("The authorization server answered with what is no token.")
    return Tokens(
        access=token.access_token,
        refresh=token.refresh_token or "",
        expires_at=None if token.expires_in is None else now + _life(token.expires_in),
        scopes=clean_scopes(token.scope or "", *secret, form.get("refresh_token", "")),
        account=_account(said, secret),
    )


def _life(seconds: int) -> timedelta:
    return timedelta(seconds=min(max(seconds, 0), _LONGEST_LIFE.total_seconds()))


def _signed(url: str, client: Client, form: Mapping[str, str]) -> httpx2.Request:
    """Return a request in which Flagman proves which client it is."""
    from mcp.client.auth.oauth2 import OAuthContext
    from mcp.shared.auth import OAuthClientInformationFull, OAuthClientMetadata
    from pydantic import AnyUrl

    # The part of the library that knows the methods belongs to its own flow.
    context = OAuthContext(
        server_url=url,
        client_metadata=OAuthClientMetadata(redirect_uris=[AnyUrl(url)]),
        storage=None,  # type: ignore[arg-type]
        redirect_handler=None,
        callback_handler=None,
        client_info=OAuthClientInformationFull(
            client_id=client.client_id,
            client_secret=client.client_secret or None,
            token_endpoint_auth_method=client.method,
        ),
    )
    data, headers = context.prepare_token_auth(
        {"client_id": client.client_id, **form}, {"Content-Type": "application/x-www-form-urlencoded"}
    )
    return httpx2.Request("POST", url, data=data, headers=headers)


def _json(answer: httpx2.Response) -> dict[str, Any]:
    try:
        found = json.loads(answer.content)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _account(said: Mapping[str, Any], secret: Sequence[str]) -> str:
    """Return the name of the account in an id token, which came from the server itself; empty where there is none."""
    parts = str(said.get("id_token") or "").split(".")
    if len(parts) != 3:
        return ""
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, binascii.Error, RecursionError):
        return ""
    names = [claims.get(claim) for claim in _CLAIMS] if isinstance(claims, dict) else []
    named = one_line(next((name for name in names if isinstance(name, str) and name), ""), 80)
    return "" if is_part(named, secret) else named
