"""A client of the HTTP API that speaks as a script with curl would."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp

Json = dict[str, Any]


@dataclass
class Reply:
    """`body` is the JSON, or the text where it is none."""

    status: int
    body: Any
    headers: Mapping[str, str]

    def __getitem__(self, name: str) -> Any:
        return self.body[name]

    def problem(self, status: int, code: str) -> Json:
        """The problem document that this must be."""
        assert self.status == status, (self.status, self.body)
        assert self.headers["Content-Type"].startswith("application/problem+json"), self.headers
        assert (self.body["status"], self.body["code"]) == (status, code), self.body
        assert self.body["detail"]
        assert self.body["title"]
        assert self.body["type"] == f"urn:flagman:problem:{code}"
        found: Json = self.body
        return found


@dataclass
class Frame:
    """One server-sent event."""

    id: int
    event: str
    data: Json = field(default_factory=dict)


class Client:
    """`async with Client(url, key) as api:`."""

    def __init__(self, url: str, key: str | None = None) -> None:
        self.url, self._key = url, key

    async def __aenter__(self) -> Client:
        headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        self.session = aiohttp.ClientSession(self.url, headers=headers)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.session.close()

    async def decide(self, path: str, body: Json, call_id: str = "1.1") -> Reply:
        """Read the session at `path` and send a decision on the call, with what was read of it."""
        return await self.post(f"{path}/calls/{call_id}/decision", {**await self.seen(path, call_id), **body})

    async def seen(self, path: str, call_id: str = "1.1") -> Json:
        """What the session at `path` shows of a call; nothing of one that it does not show."""
        shown = (await self.get(path)).body.get("calls", [])
        found: Json = next((call for call in shown if call["call_id"] == call_id), {})
        return {name: found[name] for name in ("digest", "request") if name in found}

    async def __call__(self, method: str, path: str, body: Any = None, **more: Any) -> Reply:
        if body is not None:
            more["json"] = body
        async with self.session.request(method, path, **more) as answer:
            text = await answer.text()
            kind = answer.headers.get("Content-Type", "")
            found = json.loads(text) if "json" in kind else text
            return Reply(answer.status, found, dict(answer.headers))

    async def get(self, path: str, **more: Any) -> Reply:
        return await self("GET", path, **more)

    async def post(self, path: str, body: Any = None, **more: Any) -> Reply:
        return await self("POST", path, body, **more)

    async def delete(self, path: str) -> Reply:
        return await self("DELETE", path)

    @asynccontextmanager
    async def stream(self, path: str, **headers: str) -> AsyncIterator[AsyncIterator[Frame]]:
        """Server-sent events until the server ends them."""
        given = {"Accept": "text/event-stream", **{k.replace("_", "-"): v for k, v in headers.items()}}
        timeout = aiohttp.ClientTimeout(total=20)
        async with self.session.get(path, headers=given, timeout=timeout) as answer:
            assert answer.status == 200, await answer.text()
            assert answer.content_type == "text/event-stream"
            yield _frames(answer)


async def _frames(answer: aiohttp.ClientResponse) -> AsyncIterator[Frame]:
    fields: Json = {}
    async for raw in answer.content:
        line = raw.decode().rstrip("\n")
        if not line:
            if "data" in fields:
                yield Frame(int(fields["id"]), fields["event"], json.loads(fields["data"]))
            fields = {}
        elif not line.startswith(":"):
            name, _, value = line.partition(": ")
            fields[name] = value
