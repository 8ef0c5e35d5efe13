"""The HTTP client: requests with retries, streams, and problem documents as errors."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_fixed

from bot.sdk.errors import error_of
from supervisor.core.errors import FlagmanError, InvalidInput, Unavailable, UnknownRefusal

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 60.0
TRIES = 3
PAUSE_SECONDS = 0.3
LONGEST_WAIT_SECONDS = 10
EVENTS = "text/event-stream"
# Errors of a lost answer, after which the request may have been carried out.
LOST = (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError)


class HttpClient:
    """Sends requests to one Flagman; as `async with …` it keeps its connections open between them."""

    def __init__(self, url: str, api_key: str = "") -> None:
        self.url = url.rstrip("/")
        # The address for error messages, without user and password.
        self.address = re.sub(r"//[^/?#]*@", "//", self.url)
        self._headers = {"Authorization": _header("API key", f"Bearer {api_key}")} if api_key else {}
        self._kept: httpx.AsyncClient | None = None

    async def __aenter__(self) -> Self:
        self._kept = self._client()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._kept:
            await self._kept.aclose()
            self._kept = None

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        retryable: bool = False,
    ) -> Any:
        """Send a request and return the JSON of the answer; `retryable` repeats it after a lost answer.

        After a 429 it waits for the time in Retry-After, up to 10 s, and repeats the request. Raises the FlagmanError
        that the server raised, or Unavailable.
        """
        content = {} if body is None else {"json": body}
        for _ in range(TRIES):
            answer = await self._request(
                method, path, retryable=retryable or method == "GET", params=query, headers=headers, **content
            )
            wait = answer.headers.get("Retry-After", "") if answer.status_code == 429 else ""
            if not wait.isdecimal() or int(wait) > LONGEST_WAIT_SECONDS:
                break
            await asyncio.sleep(int(wait))
        return self._understood(answer)

    async def content(self, path: str, media: str = "*/*") -> bytes:
        """Return the content of a document. Raises as `call`."""
        answer = await self._request("GET", path, retryable=True, headers={"Accept": media})
        if answer.status_code == 200:
            return answer.content
        raise self._refusal(answer)

    async def send(self, path: str, content: bytes, media: str) -> Any:
        """Send a body that is not JSON, and return the JSON of the answer. Raises as `call`."""
        return self._understood(
            await self._request("POST", path, content=content, headers={"Content-Type": media})
        )

    async def _request(
        self, method: str, path: str, *, retryable: bool = False, headers: Mapping[str, str] | None = None,
        **rest: Any,
    ) -> httpx.Response:  # fmt: skip
        given = {name: _header(name, text) for name, text in (headers or {}).items()}
        sent = httpx.Headers({**self._headers, **given}, encoding="utf-8")
        tries = AsyncRetrying(
            stop=stop_after_attempt(TRIES if retryable else 1),
            wait=wait_fixed(PAUSE_SECONDS),
            retry=retry_if_exception_type(LOST),
            reraise=True,
        )
        try:
            async for attempt in tries:
                with attempt:
                    async with self._connection() as client:
                        return await client.request(method, self.url + path, headers=sent, **rest)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise self.unreachable(error) from error
        raise AssertionError("a request ends with an answer or an error")

    def _understood(self, answer: httpx.Response) -> Any:
        if answer.status_code == 204:
            return None
        if answer.status_code < 300:
            with suppress(ValueError, RecursionError):
                return answer.json()
        raise self._refusal(answer)

    def _refusal(self, answer: httpx.Response) -> FlagmanError:
        with suppress(ValueError, RecursionError):
            body = answer.json()
            if isinstance(body, dict) and "code" in body:
                return error_of(body)
        said = f"{answer.status_code} {answer.reason_phrase}".rstrip()
        return UnknownRefusal(
            f"{self.address} answered {said}, which is no answer of Flagman; check the address (FLAGMAN_URL)."
        )

    @asynccontextmanager
    async def stream(self, path: str, after: int) -> AsyncIterator[httpx.Response | None]:
        """Yield the open response of a stream of events after version `after`; None where the session has ended."""
        accept = {"Accept": EVENTS, "Last-Event-ID": str(after)}
        headers = httpx.Headers({**self._headers, **accept}, encoding="utf-8")
        async with (
            self._connection() as client,
            client.stream("GET", self.url + path, headers=headers) as answer,
        ):
            if answer.status_code == 204:
                yield None
            elif answer.status_code == 200 and answer.headers.get("Content-Type", "").startswith(EVENTS):
                yield answer
            else:
                await answer.aread()
                raise self._refusal(answer)

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[httpx.AsyncClient]:
        if self._kept:
            yield self._kept
            return
        async with self._client() as client:
            yield client

    def _client(self) -> httpx.AsyncClient:
        patience = httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS)
        # Proxies of the environment must not be used for a Flagman.
        return httpx.AsyncClient(timeout=patience, trust_env=False)

    def unreachable(self, error: Exception) -> Unavailable:
        """Return the error for an address that does not answer."""
        late = isinstance(error, httpx.TimeoutException)
        return Unavailable(
            f"No Flagman answers at {self.address} ({'no answer in time' if late else _reason(error)})."
        )


def path_of(session_id: str) -> str:
    return f"/v1/sessions/{segment(session_id)}"


def segment(text: str) -> str:
    """Return any text as one segment of a path; `.` and `..` are escaped, since they would lead to another path."""
    quoted = quote(str(text), safe="", errors="replace")
    return quoted.replace(".", "%2E") if quoted in (".", "..") else quoted


def _header(what: str, text: str) -> str:
    """Return the value of a header unchanged. Raises InvalidInput where it cannot be sent."""
    if not text.isprintable() or text != text.strip():
        raise InvalidInput(f"The {what} has a blank at its end or a character that cannot be sent.")
    return text


def _reason(error: BaseException) -> str:
    """Return the operating system's reason behind an error, where there is one."""
    if isinstance(error, httpx.InvalidURL):
        return "its address is not valid"
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno:
            # Errors of name resolution have negative numbers.
            return os.strerror(cause.errno).lower() if cause.errno > 0 else "its name is not known"
        cause = cause.__cause__ or cause.__context__
    return str(error) or type(error).__name__
