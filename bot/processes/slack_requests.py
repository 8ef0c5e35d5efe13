"""Receives requests of Slack over HTTP; their size, time and signature are verified before the body is parsed."""

from __future__ import annotations

import logging
import re

from aiohttp import web
from pydantic import SecretStr
from slack_bolt.adapter.aiohttp import to_aiohttp_response
from slack_bolt.async_app import AsyncApp, AsyncBoltRequest
from slack_sdk.signature import SignatureVerifier
from yarl import URL

from bot.api.errors import ApiError
from bot.api.rate_limit import read_body
from bot.processes.deliveries import FULL, Deliveries

# Slack's largest payload, that of a view with a hundred blocks, is far smaller.
BODY_BYTES = 1024 * 1024
LONGEST_ADDRESS = 2_000
_log = logging.getLogger("flagman.slack")
_HOSTS = (".slack.com", ".slack-gov.com")
_TIME = re.compile(r"\d{1,12}", re.ASCII)
_SIGNATURE = re.compile(r"v0=[0-9a-f]{64}", re.ASCII)


def mount(
    application: web.Application, app: AsyncApp, signing_secret: SecretStr | None, api_url: str
) -> None:
    """Add the route for events, commands and interactivity, which are signed with the app's secret.

    `api_url` is the address of Slack's Web API; answers go there or to Slack's own hosts, whatever a request names.
    """
    assert signing_secret, "the settings do not allow HTTP mode without it"
    verifier = SignatureVerifier(signing_secret.get_secret_value())

    deliveries = Deliveries()

    async def receive(request: web.Request) -> web.Response:
        try:
            content = await read_body(request, BODY_BYTES)
        except ApiError as error:
            return web.Response(status=error.status, text=str(error))
        at = request.headers.get("X-Slack-Request-Timestamp", "")
        signature = request.headers.get("X-Slack-Signature", "")
        if not _is_signed(verifier, content, at, signature):
            return web.Response(status=401, text="This request is not signed by Slack, or not in time.")
        try:
            sent = AsyncBoltRequest(
                body=content.decode(), query=request.query_string, headers=dict(request.headers)
            )
        except (ValueError, RecursionError):
            return web.Response(status=400, text="The body cannot be read.")
        except (AttributeError, LookupError, TypeError) as error:
            return _unknown(error)
        parsed = sent.body
        if "response_url" in parsed and not _is_slacks(str(parsed["response_url"]), api_url):
            return web.Response(status=400, text="The response_url does not lead to Slack.")
        try:
            # Only what is signed counts, so that nobody else can take the room.
            async with deliveries.one(repeated=parsed.get("type") == "event_callback") as fits:
                if not fits:
                    return web.Response(status=503, text=FULL, headers={"Retry-After": "1"})
                return await to_aiohttp_response(await app.async_dispatch(sent))
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            # Errors of listeners are answered by the app; this one comes from a body that lacks what Slack sends.
            return _unknown(error)

    application.router.add_post("/slack/events", receive)


def _unknown(error: Exception) -> web.Response:
    _log.warning("a signed request of an unknown form is refused: %r", error)
    return web.Response(status=400, text="The body is of no form that Slack sends.")


def _is_slacks(address: str, api_url: str) -> bool:
    """Whether an address is one of Slack's own hosts, or of the host of the Web API that is configured."""
    # The time to parse a name with other than ASCII letters grows with the square of its length.
    if len(address) > LONGEST_ADDRESS:
        return False
    try:
        found = URL(address)
        if found.origin() == URL(api_url).origin():
            return True
    except ValueError:
        return False
    return found.scheme == "https" and f".{found.host}".endswith(_HOSTS) and found.port == 443


def _is_signed(verifier: SignatureVerifier, content: bytes, at: str, signature: str) -> bool:
    if not _TIME.fullmatch(at) or not _SIGNATURE.fullmatch(signature):
        return False
    try:
        return verifier.is_valid(content, at, signature)
    except UnicodeDecodeError:
        return False
