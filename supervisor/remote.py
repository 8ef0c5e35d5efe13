"""The way to a Flagman elsewhere: the client's interface over HTTP, with the same errors."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from types import TracebackType
from typing import Any, Literal, Self
from urllib.parse import quote

import aiohttp

from supervisor import apikeys, schedules, tokens
from supervisor.client import Pausing, SessionEvent, SessionState, Unavailable
from supervisor.core.conversation import Json
from supervisor.core.errors import FlagmanError
from supervisor.core.events import Trigger

CONNECT = 5.0
ANSWER = 60.0
TRIES = 3
PAUSE = 0.3
LONGEST_WAIT = 10
_DETAILS: Json = {
    "session_id": "",
    "name": "",
    "verdict": "",
    "by": "",
    "at": None,
    "users": (),
    "groups": (),
}
# Loaded, so that their refusals come back as what they are.
_REFUSING = (apikeys, schedules, tokens)
LAST = ("Completed", "Failed", "Cancelled")
_AWAY = (aiohttp.ClientError, TimeoutError, OSError)


class Refused(FlagmanError):
    """A refusal that only a newer Flagman, or something in between, makes."""

    code = "refused"


class Remote:
    """A Backend. A connection for each request, or, as `async with Remote(…)`, a few that are kept."""

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

    # Sessions

    async def launch(
        self, persona: str, task: str, *, context: str, channel: str | None, idempotency_key: str | None
    ) -> SessionState:
        body: Json = {"persona": persona, "task": task, "context": context, "channel": channel}
        # A key of our own makes it safe to ask again when the answer was lost.
        key = idempotency_key or secrets.token_hex(16)
        found = await self.call("POST", "/v1/sessions", body, headers={"Idempotency-Key": key}, again=True)
        return SessionState.model_validate(found)

    async def get(self, session_id: str) -> SessionState:
        return SessionState.model_validate(await self.call("GET", _of(session_id)))

    async def changed(self, session_id: str, version: int, patience: timedelta) -> SessionState:
        seconds = str(int(patience.total_seconds()))
        query = {"until": "changed", "version": str(version), "timeout": seconds}
        return SessionState.model_validate(await self.call("GET", f"{_of(session_id)}/wait", query=query))

    async def pause(self, session_id: str, reason: str, conditions: Sequence[str], zone: str) -> Pausing:
        body = {"reason": reason, "resume_conditions": list(conditions), "zone": zone}
        return Pausing.model_validate(await self.call("POST", f"{_of(session_id)}/pause", body))

    async def resume(self, session_id: str, trigger: Trigger, data: Any, context: str) -> SessionState:
        path, body = f"{_of(session_id)}/resume", {"context": context, "data": data}
        try:
            found = await self.call(
                "POST", path, {**body, "trigger": trigger} if trigger != "manual" else body
            )
        except FlagmanError as error:
            if error.status != 422 or not str(error).startswith("body.trigger"):
                raise
            # An older Flagman does not ask what it was.
            found = await self.call("POST", path, body)
        return SessionState.model_validate(found)

    async def cancel(self, session_id: str, reason: str) -> SessionState:
        found = await self.call("POST", f"{_of(session_id)}/cancel", {"reason": reason})
        return SessionState.model_validate(found)

    async def decide(
        self,
        session_id: str,
        call_id: str,
        verdict: Literal["approve", "deny"],
        reason: str,
        digest: str | None,
    ) -> SessionState:
        path = f"{_of(session_id)}/calls/{quote(call_id, safe='')}/decision"
        body = {"verdict": verdict, "reason": reason, "digest": digest}
        return SessionState.model_validate(await self.call("POST", path, body))

    async def answer(self, session_id: str, call_id: str | None, answer: str) -> SessionState:
        body = {"call_id": call_id, "answer": answer}
        return SessionState.model_validate(await self.call("POST", f"{_of(session_id)}/answer", body))

    async def tell(self, session_id: str, text: str) -> SessionState:
        found = await self.call("POST", f"{_of(session_id)}/context", {"text": text})
        return SessionState.model_validate(found["session"])

    async def events(self, session_id: str, after: int) -> AsyncIterator[SessionEvent]:
        lost = 0
        while True:
            try:
                async with self._stream(session_id, after) as lines:
                    if lines is None:
                        return
                    async for event in _events(lines):
                        lost = 0
                        after = event.version
                        yield event
                        if event.type in LAST:
                            return
            except _AWAY as error:
                lost += 1
                if lost > TRIES:
                    raise self._unreachable(error) from error
            await asyncio.sleep(PAUSE * (lost + 1))

    # What lies below

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
                    raise self._unreachable(error) from error
            except _AWAY as error:
                raise self._unreachable(error) from error
            await asyncio.sleep(PAUSE)

    async def text(self, path: str, media: str) -> str:
        """A document that is no JSON. Raises as `call`."""
        headers = {**self._headers, "Accept": media}
        try:
            async with self._connection() as client, client.get(self.url + path, headers=headers) as answer:
                if answer.status == 200:
                    return await answer.text()
                raise await self._refusal(answer)
        except _AWAY as error:
            raise self._unreachable(error) from error

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
                return rebuilt(body)
        said = f"{answer.status} {answer.reason or ''}".rstrip()
        return Refused(
            f"{self.url} answered {said}, which is no answer of Flagman; check the address (FLAGMAN_URL)."
        )

    @asynccontextmanager
    async def _stream(self, session_id: str, after: int) -> AsyncIterator[aiohttp.StreamReader | None]:
        headers = {**self._headers, "Accept": "text/event-stream", "Last-Event-ID": str(after)}
        patience = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT, sock_read=ANSWER)
        async with (
            self._connection() as client,
            client.get(f"{self.url}{_of(session_id)}/events", headers=headers, timeout=patience) as answer,
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

    def _unreachable(self, error: BaseException) -> Unavailable:
        why = "no answer in time" if isinstance(error, TimeoutError) else _reason(error)
        return Unavailable(f"No Flagman answers at {self.url} ({why}).")


def _of(session_id: str) -> str:
    return f"/v1/sessions/{quote(session_id, safe='')}"


def _reason(error: BaseException) -> str:
    if isinstance(error, aiohttp.ClientConnectorError):
        number = error.os_error.errno
        return os.strerror(number).lower() if number and number > 0 else "its name is not known"
    return str(error) or type(error).__name__


async def _events(stream: aiohttp.StreamReader) -> AsyncIterator[SessionEvent]:
    """The events of a stream as it comes; comments and other fields are passed over."""
    data: list[str] = []
    async for line in _lines(stream):
        if line.startswith("data:"):
            data.append(line[5:].removeprefix(" "))
        elif not line and data:
            yield SessionEvent.model_validate_json("\n".join(data))
            data = []


async def _lines(stream: aiohttp.StreamReader) -> AsyncIterator[str]:
    """Lines of any length; `readline` gives up on long ones."""
    begun = bytearray()
    async for chunk in stream.iter_any():
        *whole, rest = chunk.split(b"\n")
        for part in whole:
            yield (bytes(begun) + part).decode("utf-8", "replace").rstrip("\r")
            begun.clear()
        begun += rest


def rebuilt(problem: Json) -> FlagmanError:
    """The error that a problem document tells of, with its class, sentence, code and status."""
    code, kinds = str(problem.get("code", "")), dict(_kinds(FlagmanError))
    kind = kinds.get(code, Unavailable if problem.get("status") == 503 else Refused)
    error = kind.__new__(kind)
    error.args = (str(problem.get("detail") or problem.get("title") or "It was refused."),)
    # What the document does not say is empty.
    for name, empty in _DETAILS.items():
        setattr(error, name, problem.get(name, empty))
    error.code = code or kind.code
    error.status = int(problem.get("status", kind.status))
    return error


def _kinds(kind: type[FlagmanError]) -> Iterator[tuple[str, type[FlagmanError]]]:
    for one in kind.__subclasses__():
        yield one.code, one
        yield from _kinds(one)
