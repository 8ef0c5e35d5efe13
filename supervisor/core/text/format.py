"""Amounts of money, durations, times and counts as text; all interfaces use these functions.

A chat shows times in the reader's zone by itself; the command line shows them in its own zone with `clock`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

_UNITS = ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s"))


def count(number: int, what: str, many: str = "") -> str:
    """Return `1 step`, `2,000 steps`; `many` is the plural where it does not end in `s`."""
    return f"{number:,} {what if number == 1 else many or what + 's'}"


def field(location: Sequence[int | str]) -> tuple[str, str]:
    """Return the name of a field in a document, and its place among the items of lists, which are counted from 1.

    `("approvals", 0, "approvers", "quorum")` is `approvers.quorum` with the place ` (approvals 1)`.
    """
    items: list[tuple[str, int]] = []
    names: list[str] = []
    for part in location:
        if isinstance(part, int):
            items.append((".".join(names), part + 1))
            names = []
        else:
            names.append(part)
    name, places = ".".join(names), []
    if items and not names:
        name, number = items.pop()
        places.append(f"number {number}")
    places += [f"{list_} {number}".strip() for list_, number in reversed(items)]
    return name, f" ({', '.join(places)})" if places else ""


def stamp(at: datetime) -> str:
    """Return `2026-11-25 09:30:12`, in UTC."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def iso(at: datetime) -> str:
    """Return `2026-11-25T09:30:12Z`, in UTC."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def span(time: timedelta) -> str:
    """Return `0.4 s`, `12 s`, `3 min 5 s`, `2 h 10 min`, `3 d 4 h`; a negative duration counts as zero."""
    seconds = max(time.total_seconds(), 0)
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = int(seconds)
    for size, unit, smaller, part in _UNITS:
        if whole >= size:
            rest = whole % size // smaller
            return f"{whole // size} {unit}" + (f" {rest} {part}" if rest else "")
    return f"{whole} s"


def took(ms: int) -> str:
    """Return a duration in milliseconds, as `span`: `250 ms`, `1.2 s`."""
    return f"{ms} ms" if ms < 1000 else span(timedelta(milliseconds=ms))


def ago(at: datetime, now: datetime) -> str:
    """Return `3 min ago`, `in 2 h`, `just now`, by the largest unit that fits."""
    seconds = int((now - at).total_seconds())
    for size, unit, *_ in _UNITS:
        if abs(seconds) >= size:
            number = f"{abs(seconds) // size} {unit}"
            return f"{number} ago" if seconds > 0 else f"in {number}"
    return "just now" if seconds > -1 else f"in {-seconds} s"


def clock(at: datetime, now: datetime) -> str:
    """Return a time in the zone of `now`, with the date where that is not the date of `now`."""
    local = at.astimezone(now.tzinfo)
    if local.date() == now.date():
        return f"{local:%H:%M:%S}"
    return f"{local:%b} {local.day} {local:%H:%M}" if local.year == now.year else f"{local:%Y-%m-%d %H:%M}"


def money(cost: Decimal, *, unpriced: bool = False) -> str:
    """Return an amount in USD with two to six decimals, `$2.50`; `unpriced` says that a part has no known price."""
    if unpriced and not cost:
        return "not known"
    known = f"{cost:,.6f}".rstrip("0")
    whole, _, cents = known.partition(".")
    return f"{'at least ' if unpriced else ''}${whole}.{cents:0<2}"


def minutes(number: float) -> str:
    """Return `1 minute`, `1.5 minutes`, `1,000,000 minutes`, with at most four decimals."""
    return "1 minute" if number == 1 else f"{round(number, 4):,.10g} minutes"


def used(number: int, limit: float | None) -> str:
    """Return `12`, or `12 of 40` where there is a limit."""
    if limit is None:
        return f"{number:,}"
    return f"{number:,} of {limit:,}" if isinstance(limit, int) else f"{number:,} of {limit:,.10g}"


def join_items(items: list[str], most: int = 8) -> str:
    """Return `a, b and 3 more`."""
    shown = items[:most]
    left = len(items) - len(shown)
    return f"{', '.join(shown)} and {left} more" if left else ", ".join(shown)


def woken(sessions: Sequence[str], others: int, *, repeated: bool) -> str:
    """Return what an event did: `It resumed ab12-cd34, 1 other session.`"""
    if sessions or others:
        return f"It resumed {', '.join([*sessions, *([count(others, 'other session')] if others else [])])}."
    if repeated:
        return "This event came before, so nothing was done."
    return "Nobody waits for it yet; it is kept for a while."


def not_here(files: list[str]) -> str:
    """Return `2 of its files are not on this machine: a, b`."""
    return f"{count(len(files), 'of its files is', 'of its files are')} not on this machine: {join_items(files, 5)}"
