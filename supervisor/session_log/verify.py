"""Verifies that Flagman wrote a SESSION_LOG: checks the chain and its signature, and compares the rendered text."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from supervisor.core.errors import IllegalEvent, LogUnreadable, VerificationError, VerificationKind
from supervisor.core.events import Event, decode
from supervisor.core.messages import Json
from supervisor.core.reducer import fold
from supervisor.core.state import Session
from supervisor.core.text.visible import visible
from supervisor.session_log.hints import HintsOf, ResumeHints
from supervisor.session_log.render import appendix
from supervisor.session_log.render.document import COMPARABLE, FORMAT, render
from supervisor.session_log.render.front import Fields, fields_of
from supervisor.session_log.render.safe import one_line
from supervisor.session_log.signing import Checked, check

SESSION_ID = re.compile(r"[0-9a-z]+(-[0-9a-z]+){1,2}")
_SHOWN, _BEFORE = 80, 30
_SIGNATURES: dict[str, tuple[VerificationKind, str]] = {
    "wrong": (
        "wrong signature",
        "the signature does not belong to this chain, so it was changed after it was signed",
    ),
    "another key": ("another key", "it was signed with another FLAGMAN_SECRET_KEY than those at hand"),
}


@dataclass(frozen=True)
class VerifiedLog:
    """A document whose text, chain and events agree with each other.

    Only where `signed` is True did Flagman write it; otherwise `signature` is `unsigned`, or `not checked` without a
    key. `whole` says that all of the text was compared; of other formats, only the chain is checked.
    """

    session_id: str
    persona: Json
    events: tuple[Event, ...]
    session: Session
    chain: str
    signature: Checked
    whole: bool

    @property
    def signed(self) -> bool:
        return self.signature == "good"


def verify(document: bytes, keys: Sequence[str], hints_of: HintsOf) -> VerifiedLog:
    """Verify a document; `hints_of` returns the hints for the settings recorded in it.

    Raises VerificationError at the first difference from what was written. A document without a signature is returned,
    too, and so is any document where there are no keys: the caller looks at `signed`.
    """
    text = _text(document)
    lines = text.split("\n")
    front = fields_of(lines)
    first, links = _chain(lines)
    if front["chain"][1] != f"sha256:{links[-1].hash}":
        raise VerificationError(
            "changed event", front["chain"][0], "the chain does not end as the front matter says"
        )
    head = json.loads(links[0].event)
    session_id, persona, hints = _head(head, first, hints_of)
    events = _events(session_id, links[1:], first)
    session = _fold(session_id, events, first)
    version = head["version"]
    whole = version in COMPARABLE
    if whole:
        rendered = render(session_id, persona, events, lambda _: front["signature"][1], hints, version)
        _compare(lines, rendered.split("\n"))
    # The signature comes last, so that its error is about a document without other errors.
    signature = _signature(front, keys)
    return VerifiedLog(session_id, persona, events, session, links[-1].hash, signature, whole)


def signed_events(document: bytes, keys: Sequence[str]) -> tuple[Event, ...]:
    """Return the events of a document whose chain is signed with one of `keys`; its text is not compared.

    Raises VerificationError.
    """
    lines = _text(document).split("\n")
    front = fields_of(lines)
    first, links = _chain(lines)
    if front["chain"][1] != f"sha256:{links[-1].hash}" or _signature(front, keys) != "good":
        raise VerificationError("unsigned", front["chain"][0], "its chain is not signed")
    return _events(str(json.loads(links[0].event).get("session", "")), links[1:], first)


def _text(document: bytes) -> str:
    try:
        return document.decode()
    except UnicodeDecodeError as error:
        line = document[: error.start].count(b"\n") + 1
        raise VerificationError("changed text", line, "there is a byte that is no UTF-8") from None


def _chain(lines: Sequence[str]) -> tuple[int, list[appendix.Link]]:
    """Return the line of the first link, and all links."""
    if appendix.HEADING not in lines:
        raise VerificationError("truncated", len(lines), f"it ends before “{appendix.HEADING}”")
    heading = len(lines) - 1 - lines[::-1].index(appendix.HEADING)
    opening = next((n for n in range(heading, len(lines)) if lines[n] == appendix.OPENING), None)
    if opening is None:
        raise VerificationError("truncated", len(lines), "the appendix has no events")
    links: list[appendix.Link] = []
    for number, line in enumerate(lines[opening + 1 :], start=opening + 2):
        if line == appendix.CLOSING:
            break
        if number == len(lines):
            last = f"event {links[-1].n}" if len(links) > 1 else "its beginning"
            raise VerificationError("truncated", number, f"it ends after {last}, within the appendix")
        links.append(_link(line, number, links[-1] if links else None))
    if not links:
        raise VerificationError("truncated", opening + 2, "the appendix has no events")
    return opening + 2, links


def _link(line: str, number: int, before: appendix.Link | None) -> appendix.Link:
    n, prev = (before.n + 1, before.hash) if before else (0, appendix.FIRST)
    what = f"event {n}" if n else "the persona"
    try:
        row: Any = json.loads(line)
        event: Json = row["event"]
        link = appendix.Link(n, prev, appendix.hash_of(prev, event), appendix.compact(event))
        found = row["n"], row["prev"], row["hash"]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise VerificationError("changed event", number, f"{what} is damaged") from None
    if found[:2] != (n, prev):
        raise VerificationError("changed event", number, f"{what} does not follow on the line before it")
    if found[2] != link.hash:
        raise VerificationError("changed event", number, f"{what} is not what its hash says")
    return link


def _signature(front: Fields, keys: Sequence[str]) -> Checked:
    checked = check(front["signature"][1], front["chain"][1], keys)
    if checked in _SIGNATURES:
        kind, problem = _SIGNATURES[checked]
        raise VerificationError(kind, front["signature"][0], problem)
    return checked


def _head(head: Any, line: int, hints_of: HintsOf) -> tuple[str, Json, ResumeHints]:
    match head:
        case {
            "type": appendix.HEAD,
            "version": int(version),
            "session": str(session_id),
            "persona": dict(persona),
        }:
            if version > FORMAT:
                raise VerificationError(
                    "no document", line, "it was written by a newer Flagman; update this one to read it"
                )
            if SESSION_ID.fullmatch(session_id):
                return session_id, persona, _hints(head.get("settings", {}), line, hints_of)
    raise VerificationError("changed event", line, "the chain does not begin with a session and its persona")


def _hints(settings: Any, line: int, hints_of: HintsOf) -> ResumeHints:
    try:
        return hints_of(settings)
    except ValueError as error:
        raise VerificationError("changed event", line, str(error)) from None


def _events(session_id: str, links: Sequence[appendix.Link], first: int) -> tuple[Event, ...]:
    found: list[Event] = []
    for link in links:
        try:
            found.append(decode(session_id, link.n - 1, link.event.encode()))
        except LogUnreadable as error:
            raise VerificationError("changed event", first + link.n, str(error).rstrip(".")) from error
    return tuple(found)


def _fold(session_id: str, events: Sequence[Event], first: int) -> Session:
    try:
        return fold(session_id, events)
    except (IllegalEvent, ValueError) as error:
        raise VerificationError(
            "changed event", first, f"its events contradict each other ({error})"
        ) from error


def _compare(lines: Sequence[str], rendered: Sequence[str]) -> None:
    """Raise VerificationError at the first line that differs from the text rendered from the events."""
    for number, (here, there) in enumerate(zip(lines, rendered, strict=False), start=1):
        if here != there:
            same = _same(here, there)
            says = f"it says {_around(here, same)}, and the events say {_around(there, same)}"
            raise VerificationError("changed text", number, says)
    if len(lines) < len(rendered):
        raise VerificationError(
            "truncated", len(lines), f"{len(rendered) - len(lines)} lines are missing after it"
        )
    if len(lines) > len(rendered):
        raise VerificationError("changed text", len(rendered) + 1, "nothing stood here when it was written")


def _same(one: str, other: str) -> int:
    """Return the length of the common beginning of two texts."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((n for n, (a, b) in pairs if a != b), min(len(one), len(other)))


def _around(line: str, place: int) -> str:
    """Return the part of a line around `place`, for a message."""
    start = max(place - _BEFORE, 0)
    shown = visible(one_line(line[start:], _SHOWN))
    return f"“{'…' if start else ''}{shown}”" if shown else "nothing"
