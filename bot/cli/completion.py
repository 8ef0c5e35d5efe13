"""What a shell offers to complete: sessions, personas and calls, as a running Flagman knows them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import typer

# A person waits for this at each press of the key.
SECONDS = 1.0
MOST = "50"
LONGEST = 60
# The scripts of shells evaluate what they are given, and anybody who may launch writes tasks.
_UNSAFE = re.compile(r"[^\w .,/@%+=-]+")
Offers = list[tuple[str, str]]


def sessions(incomplete: str) -> Offers:
    """Offer the newest sessions, each with its task."""
    rows = _ask("/v1/sessions", {"limit": MOST}).get("sessions", ())
    return _offers(
        ((row["id"], f"{row['status']} {row['persona']} {row['task']}") for row in rows), incomplete
    )


def personas(incomplete: str) -> Offers:
    """Offer the personas that can be launched, each with what it does."""
    rows = _ask("/v1/personas").get("personas", ())
    return _offers(((row["name"], row["description"]) for row in rows if not row["problem"]), incomplete)


def calls_that_wait(ctx: typer.Context, incomplete: str) -> Offers:
    """Offer the calls of the session that wait for an approval, each with its tool and arguments."""
    from bot.sdk.http_client import path_of

    state = _ask(path_of(str(ctx.params.get("session_id") or "")))
    named = ctx.params.get("calls") or ()
    rows = [
        row for row in state.get("calls", ()) if row["phase"] == "awaiting" and row["call_id"] not in named
    ]
    return _offers(((row["call_id"], f"{row['tool']} {row['arguments']}") for row in rows), incomplete)


def _offers(found: Any, incomplete: str) -> Offers:
    return [
        (name, _plain(about)) for name, about in found if name.startswith(incomplete) and name == _plain(name)
    ]


def _plain(words: str) -> str:
    """Return the words without what a shell could evaluate."""
    return " ".join(_UNSAFE.sub(" ", words).split())[:LONGEST].strip()


def _ask(path: str, query: Mapping[str, str] | None = None) -> Any:
    """Return what Flagman answers; nothing where it does not answer soon, or refuses."""
    import asyncio

    from bot.sdk import connect
    from supervisor.core.errors import FlagmanError

    async def inside() -> Any:
        async with asyncio.timeout(SECONDS), connect() as remote:
            return await remote.call("GET", path, query=query)

    try:
        return asyncio.run(inside())
    except (FlagmanError, OSError, ValueError):
        return {}
