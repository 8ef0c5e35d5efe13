"""The chain of events at the end of a SESSION_LOG: each line contains the hash of the line before."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from supervisor.core.digest import canonical_json
from supervisor.core.events import Event, encode
from supervisor.core.messages import Json
from supervisor.core.text.visible import escaped_json
from supervisor.session_log.render.safe import HIDDEN

HEADING = "## Appendix: events"
OPENING, CLOSING = "```jsonl", "```"
EXPLAINED = (
    "Everything above follows from these lines: the persona as it was pinned, then each event, secrets masked. "
    "`hash` is the SHA-256 of `prev` and the canonical JSON of `event` (sorted keys, no spaces, UTF-8); the last one "
    "is the `chain` of the front matter. `flagman verify` computes all of it again."
)
FIRST = "0" * 64
HEAD = "SessionLog"


@dataclass(frozen=True)
class Link:
    """One line of the chain. `event` is JSON with the fields in the order in which they were stored."""

    n: int
    prev: str
    hash: str
    event: str


def head(session_id: str, persona: Json, version: int, settings: Json) -> Json:
    """Return the line before the first event, which binds the chain to this session.

    `settings` is what the text depends on beside the events; empty settings are left out, as in the first documents.
    """
    first: Json = {"type": HEAD, "version": version, "session": session_id, "persona": persona}
    return {**first, "settings": settings} if settings else first


def chain_links(first: Json, events: Iterable[Event]) -> Iterator[Link]:
    prev = FIRST
    for n, text in enumerate([compact(first), *(encode(event).decode() for event in events)]):
        link = Link(n, prev, hash_of(prev, json.loads(text)), text)
        yield link
        prev = link.hash


def hash_of(prev: str, event: Json) -> str:
    return hashlib.sha256((prev + canonical_json(event)).encode()).hexdigest()


def compact(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def lines(links: Sequence[Link], version: int) -> list[str]:
    """Return the lines of the section; invisible characters are written as JSON escapes."""
    rows = (
        f'{{"n":{link.n},"prev":"{link.prev}","hash":"{link.hash}","event":{link.event}}}' for link in links
    )
    shown = map(escaped_json, rows) if version > 1 else (HIDDEN.sub(_escape, row) for row in rows)
    return [HEADING, "", EXPLAINED, "", OPENING, *shown, CLOSING]


def _escape(found: re.Match[str]) -> str:
    """Return the JSON escape of an invisible character."""
    return json.dumps(found[0])[1:-1]
