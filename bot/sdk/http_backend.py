"""The way to a Flagman elsewhere: the client's interface over HTTP, with the same errors."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Any, Literal
from urllib.parse import quote

import aiohttp

from bot.sdk.backend import ChildVerdict
from bot.sdk.http_client import AWAY, PAUSE, TRIES, Wire, path_of
from supervisor.core.events import Trigger
from supervisor.core.messages import Json
from supervisor.core.subagents import Until
from supervisor.view_models import ArtifactState, Pausing, SessionEvent, SessionState

TERMINAL_EVENTS = ("Completed", "Failed", "Cancelled")
_UNTIL: dict[Until, str] = {"person": "person", "paused": "rest", "ended": "ended"}


class Remote(Wire):
    """A Backend. A connection for each request, or, as `async with Remote(…)`, a few that are kept."""

    async def launch(
        self,
        persona: str,
        task: str,
        *,
        context: str,
        channel: str | None,
        idempotency_key: str | None,
        coordinate: bool | Json = False,
    ) -> SessionState:
        body: Json = {"persona": persona, "task": task, "context": context, "channel": channel}
        return await self._begun("/v1/sessions", {**body, "coordinate": coordinate}, idempotency_key)

    async def fork(
        self,
        session_id: str,
        *,
        step: int | None,
        message: str,
        channel: str | None,
        idempotency_key: str | None,
    ) -> SessionState:
        body: Json = {"step": step, "message": message, "channel": channel}
        return await self._begun(f"{path_of(session_id)}/fork", body, idempotency_key)

    async def _begun(self, path: str, body: Json, key: str | None) -> SessionState:
        # A key of our own makes it safe to ask again when the answer was lost.
        headers = {"Idempotency-Key": key or secrets.token_hex(16)}
        return SessionState.model_validate(await self.call("POST", path, body, headers=headers, again=True))

    async def get(self, session_id: str) -> SessionState:
        return SessionState.model_validate(await self.call("GET", path_of(session_id)))

    async def wait(self, session_id: str, until: Until, patience: timedelta) -> SessionState:
        query = {"until": _UNTIL[until], "timeout": str(int(patience.total_seconds()))}
        return SessionState.model_validate(await self.call("GET", f"{path_of(session_id)}/wait", query=query))

    async def pause(self, session_id: str, reason: str, conditions: Sequence[str], zone: str) -> Pausing:
        body = {"reason": reason, "resume_conditions": list(conditions), "zone": zone}
        return Pausing.model_validate(await self.call("POST", f"{path_of(session_id)}/pause", body))

    async def resume(
        self, session_id: str, trigger: Trigger, data: Any, context: str, compact: bool = False
    ) -> SessionState:
        body: Json = {"trigger": trigger, "context": context, "data": data, "compact": compact}
        found = await self.call("POST", f"{path_of(session_id)}/resume", body)
        return SessionState.model_validate(found)

    async def cancel(self, session_id: str, reason: str) -> SessionState:
        found = await self.call("POST", f"{path_of(session_id)}/cancel", {"reason": reason})
        return SessionState.model_validate(found)

    async def decide(
        self,
        session_id: str,
        call_id: str,
        verdict: Literal["approve", "deny"],
        reason: str,
        digest: str | None,
        arguments: Json | None = None,
    ) -> SessionState:
        path = f"{path_of(session_id)}/calls/{quote(call_id, safe='')}/decision"
        body = {"verdict": verdict, "reason": reason, "digest": digest, "arguments": arguments}
        return SessionState.model_validate(await self.call("POST", path, body))

    async def decide_child(self, session_id: str, child_id: str, verdict: ChildVerdict) -> SessionState:
        path = f"{path_of(session_id)}/children/{quote(child_id, safe='')}/decision"
        return SessionState.model_validate(await self.call("POST", path, {"verdict": verdict}))

    async def answer(self, session_id: str, call_id: str | None, answer: str) -> SessionState:
        body = {"call_id": call_id, "answer": answer}
        return SessionState.model_validate(await self.call("POST", f"{path_of(session_id)}/answer", body))

    async def tell(self, session_id: str, text: str) -> SessionState:
        found = await self.call("POST", f"{path_of(session_id)}/context", {"text": text})
        return SessionState.model_validate(found["session"])

    async def restore(self, document: bytes) -> SessionState:
        return SessionState.model_validate(await self.send("/v1/restore", document, "text/markdown"))

    async def artifacts(self, session_id: str) -> list[ArtifactState]:
        found = await self.call("GET", f"{path_of(session_id)}/artifacts")
        return [ArtifactState.model_validate(row) for row in found["artifacts"]]

    async def artifact(self, session_id: str, path: str) -> bytes:
        return await self.content(f"{path_of(session_id)}/artifacts/{quote(path, safe='/')}")

    async def events(self, session_id: str, after: int) -> AsyncIterator[SessionEvent]:
        lost = 0
        while True:
            try:
                async with self.stream(session_id, after) as lines:
                    if lines is None:
                        return
                    async for event in _events(lines):
                        lost = 0
                        after = event.version
                        yield event
                        if event.type in TERMINAL_EVENTS:
                            return
            except AWAY as error:
                lost += 1
                if lost > TRIES:
                    raise self.unreachable(error) from error
            await asyncio.sleep(PAUSE * (lost + 1))


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
