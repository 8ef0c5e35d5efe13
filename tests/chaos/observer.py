"""Reads what Flagman shows, over plain HTTP: sessions from `/v1`, messages from the playground's control API."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

import aiohttp

from tests.chaos.judge import Button, CallSeen, MessageSeen, SessionSeen, Whisper

Json = dict[str, Any]
SESSION = re.compile(r"\bm\d{5}\b")
CALL = re.compile(r"\b(m\d{5}) (\d+)\b")
ALL = "10000"


class Observer:
    """`api` and `slack` are HTTP sessions with their base URL; `people` are those whose whispers are read."""

    def __init__(
        self, api: aiohttp.ClientSession, slack: aiohttp.ClientSession, channel: str, people: Iterable[str]
    ) -> None:
        self._api, self._slack, self._channel = api, slack, channel
        self._people = tuple(people)

    async def sessions(self) -> list[SessionSeen]:
        """All sessions. Raises aiohttp.ClientError or TimeoutError where the API does not answer."""
        found: list[SessionSeen] = []
        query: dict[str, str] = {"limit": "100"}
        while True:
            async with self._api.get("/v1/sessions", params=query) as answer:
                answer.raise_for_status()
                page: Json = await answer.json()
            found += [session_of(body) for body in page["sessions"]]
            if not page["next"]:
                return found
            query["cursor"] = page["next"]

    async def session(self, session_id: str) -> Json:
        """One session. Raises aiohttp.ClientError or TimeoutError."""
        async with self._api.get(f"/v1/sessions/{session_id}") as answer:
            answer.raise_for_status()
            found: Json = await answer.json()
            return found

    async def messages(self) -> tuple[list[MessageSeen], list[Whisper]]:
        """All messages of the bot in the channel and its threads, and what single people were told."""
        found: list[MessageSeen] = []
        whispers: list[Whisper] = []
        reader, *others = self._people
        cards = {}
        for row in await self.rows(reader):
            session_id, _ = _named(row)
            if session_id:
                cards[row["ts"]] = session_id
                found.append(message_of(row))
        for ts, session_id in cards.items():
            rows = await self.rows(reader, ts)
            found += [message_of(row) for row in rows if row["ts"] != ts and _named(row)[0]]
            if any(row.get("ephemeral") for row in rows):
                whispers.append(Whisper(session_id, reader))
            for person in others:
                if any(row.get("ephemeral") for row in await self.rows(person, ts)):
                    whispers.append(Whisper(session_id, person))
        return found, whispers

    async def rows(self, person: str, thread_ts: str = "") -> list[Json]:
        """What a person sees in the channel, or in one of its threads."""
        query = {"channel": self._channel, "user": person, "limit": ALL}
        if thread_ts:
            query["thread_ts"] = thread_ts
        async with self._slack.get("/playground/messages", params=query) as answer:
            answer.raise_for_status()
            found: list[Json] = (await answer.json())["messages"]
            return found


def session_of(body: Json) -> SessionSeen:
    mark = SESSION.search(body["task"])
    return SessionSeen(
        mark=mark[0] if mark else "",
        id=body["id"],
        status=body["status"],
        waiting_for=body["waiting_for"] or "",
        calls=tuple(
            CallSeen(mark_of(call), call["call_id"], call["phase"]) for call in body["calls"] if mark_of(call)
        ),
    )


def mark_of(call: Json) -> str:
    """The mark of a call as the API shows it; empty for one that the ledger does not know."""
    found = CALL.search(json.dumps(call["arguments"]))
    return f"{found[1]}-{found[2]}" if found else ""


def message_of(row: Json) -> MessageSeen:
    session_id, key = _named(row)
    body = json.dumps([row.get("text", ""), row.get("blocks", [])])
    # As in the command, the session and the call are two words; the judge knows them as one.
    return MessageSeen(session_id, key, CALL.sub(r"\1-\2", body), tuple(_buttons(row)))


def _named(row: Json) -> tuple[str, str]:
    payload = (row.get("metadata") or {}).get("event_payload") or {}
    return payload.get("session", ""), payload.get("key", "")


def elements(row: Json) -> Iterator[tuple[Json, Json]]:
    """Each button of a message, with its block."""
    for block in row.get("blocks") or ():
        for element in (*block.get("elements", ()), block.get("accessory")):
            if isinstance(element, dict) and element.get("type") == "button":
                yield block, element


def _buttons(row: Json) -> Iterator[Button]:
    for _, element in elements(row):
        parts = str(element.get("value") or "").split("|")
        yield Button(element["action_id"], tuple(parts[1].split(",")) if len(parts) > 1 and parts[1] else ())
