"""HTTP to another Flagman: requests that may be asked again, streams, and what is refused as an error."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import aiohttp

from bot.sdk.errors import error_of
from supervisor.core.errors import FlagmanError, Unavailable, UnknownRefusal

CONNECT = 5.0
ANSWER = 60.0
TRIES = 3
PAUSE = 0.3
LONGEST_WAIT = 10
AWAY = (aiohttp.ClientError, TimeoutError, OSError)


class Wire:
    """A connection for each request, or, as `async with …`, a few that are kept."""

    def __init__(self, url: str, api_key: str = "") -> None:
        self.url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._kept: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._kept = self._client()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._kept:
            await self._kept.close()
            self._kept = None

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        again: bool = False,
    ) -> Any:
        """One request; the JSON of the answer. `again`: it may be repeated when the answer is lost.

        Raises the FlagmanError that the other side raised, or Unavailable.
        """
        tries, patience = (TRIES if again or method == "GET" else 1), TRIES
        while True:
            tries -= 1
            try:
                async with (
                    self._connection() as client,
                    client.request(
                        method,
                        self.url + path,
                        json=body,
                        params=query,
                        headers={**self._headers, **(headers or {})},
                        allow_redirects=False,
                    ) as answer,
                ):
                    wait = answer.headers.get("Retry-After", "") if answer.status == 429 else ""
                    patience -= 1
                    if patience < 0 or not wait.isdecimal() or int(wait) > LONGEST_WAIT:
                        return await self._understood(answer)
                    tries += 1
                await asyncio.sleep(int(wait))
                continue
            except (aiohttp.ServerDisconnectedError, ConnectionResetError) as error:
                if not tries:
                    raise self.unreachable(error) from error
            except AWAY as error:
                raise self.unreachable(error) from error
            await asyncio.sleep(PAUSE)

    async def text(self, path: str, media: str) -> str:
        """A document that is no JSON. Raises as `call`."""
        return (await self.content(path, media)).decode()

    async def content(self, path: str, media: str = "*/*") -> bytes:
        """What is there, as it is. Raises as `call`."""
        headers = {**self._headers, "Accept": media}
        try:
            async with self._connection() as client, client.get(self.url + path, headers=headers) as answer:
                if answer.status == 200:
                    return await answer.read()
                raise await self._refusal(answer)
        except AWAY as error:
            raise self.unreachable(error) from error

    async def send(self, path: str, content: bytes, media: str) -> Any:
        """A body that is no JSON; the JSON of the answer. Raises as `call`."""
        headers = {**self._headers, "Content-Type": media}
        try:
            async with (
                self._connection() as client,
                client.post(self.url + path, data=content, headers=headers) as answer,
            ):
                return await self._understood(answer)
        except AWAY as error:
            raise self.unreachable(error) from error

    async def _understood(self, answer: aiohttp.ClientResponse) -> Any:
        if answer.status == 204:
            return None
        if answer.status < 300:
            with suppress(ValueError):
                return json.loads(await answer.text())
        raise await self._refusal(answer)

    async def _refusal(self, answer: aiohttp.ClientResponse) -> FlagmanError:
        with suppress(ValueError):
            body = json.loads(await answer.text())
            if isinstance(body, dict) and "code" in body:
                return error_of(body)
        said = f"{answer.status} {answer.reason or ''}".rstrip()
        return UnknownRefusal(
            f"{self.url} answered {said}, which is no answer of Flagman; check the address (FLAGMAN_URL)."
        )

    @asynccontextmanager
    async def stream(self, session_id: str, after: int) -> AsyncIterator[aiohttp.StreamReader | None]:
        headers = {**self._headers, "Accept": "text/event-stream", "Last-Event-ID": str(after)}
        patience = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT, sock_read=ANSWER)
        async with (
            self._connection() as client,
            client.get(
                f"{self.url}{path_of(session_id)}/events", headers=headers, timeout=patience
            ) as answer,
        ):
            if answer.status == 200 and answer.content_type == "text/event-stream":
                yield answer.content
                return
            yield await self._understood(answer)

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[aiohttp.ClientSession]:
        if self._kept:
            yield self._kept
            return
        async with self._client() as client:
            yield client

    def _client(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=ANSWER, sock_connect=CONNECT))

    def unreachable(self, error: BaseException) -> Unavailable:
        why = "no answer in time" if isinstance(error, TimeoutError) else _reason(error)
        return Unavailable(f"No Flagman answers at {self.url} ({why}).")


def path_of(session_id: str) -> str:
    return f"/v1/sessions/{quote(session_id, safe='')}"


def _reason(error: BaseException) -> str:
    if isinstance(error, aiohttp.ClientConnectorError):
        number = error.os_error.errno
        return os.strerror(number).lower() if number and number > 0 else "its name is not known"
    return str(error) or type(error).__name__
