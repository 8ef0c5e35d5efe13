"""HTTP mode: requests to the app's request URL, signed as Slack signs them."""

import hashlib
import hmac
import json
import time
from urllib.parse import urlencode

import aiohttp

from bot.playground.store import Json
from bot.playground.transport.link import Ack, Kind, Retry

USER_AGENT = "Slackbot 1.0 (+https://api.slack.com/robots)"


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """Return the `X-Slack-Signature` of a body."""
    digest = hmac.new(secret.encode(), f"v0:{timestamp}:".encode() + body, hashlib.sha256)
    return "v0=" + digest.hexdigest()


class HttpLink:
    """Transport that posts to one URL, whose server may or may not be running."""

    def __init__(self, url: str | None, secret: str) -> None:
        self.url = url
        self._secret = secret
        self._session: aiohttp.ClientSession | None = None

    @property
    def connected(self) -> bool:
        """Whether a URL is set."""
        return self.url is not None

    async def send(self, kind: Kind, payload: Json, timeout: float, retry: Retry | None = None) -> Ack:
        """Deliver once; any answer but a 2xx within `timeout` seconds is a failure."""
        body, content_type = _encode(kind, payload)
        timestamp = str(int(time.time()))
        headers = {
            "Content-Type": content_type,
            "User-Agent": USER_AGENT,
            "X-Slack-Request-Timestamp": timestamp,
            "X-Slack-Signature": signature(self._secret, timestamp, body),
        }
        if retry:
            headers["X-Slack-Retry-Num"] = str(retry.number)
            headers["X-Slack-Retry-Reason"] = retry.reason
        started = time.perf_counter()
        ack = await self._post(body, headers, timeout)
        return Ack(ack.ok, ack.payload, ack.error, (time.perf_counter() - started) * 1000, ack.no_retry)

    async def _post(self, body: bytes, headers: dict[str, str], timeout: float) -> Ack:
        if self._session is None:
            self._session = aiohttp.ClientSession()
        limit = aiohttp.ClientTimeout(total=timeout)
        try:
            async with self._session.post(
                str(self.url), data=body, headers=headers, timeout=limit, allow_redirects=False
            ) as answer:
                text = await answer.text()
                if not 200 <= answer.status < 300:
                    no_retry = answer.headers.get("X-Slack-No-Retry") == "1"
                    return Ack(ok=False, error="http_error", no_retry=no_retry)
                return Ack(ok=True, payload=_decode(text))
        except TimeoutError:
            return Ack(ok=False, error="http_timeout")
        except aiohttp.ClientError:
            return Ack(ok=False, error="connection_failed")

    async def close(self) -> None:
        """Close the HTTP session."""
        if self._session is not None:
            await self._session.close()


def _encode(kind: Kind, payload: Json) -> tuple[bytes, str]:
    if kind == "events_api":
        return json.dumps(payload).encode(), "application/json"
    form = {"payload": json.dumps(payload)} if kind == "interactive" else payload
    return urlencode(form).encode(), "application/x-www-form-urlencoded"


def _decode(text: str) -> Json | None:
    """Return the JSON object in a response; any other text becomes its `text`, as in answers to commands."""
    if not text.strip():
        return None
    try:
        body = json.loads(text)
    except ValueError:
        return {"text": text}
    return body if isinstance(body, dict) else {"text": text}
