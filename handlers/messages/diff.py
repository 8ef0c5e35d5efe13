"""The difference between a proposed call and its changed form, by argument and line."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import SequenceMatcher
from itertools import zip_longest

from handlers.blocks.text import Block, context, person, preformatted
from handlers.messages.proposal import as_proposed, parts
from supervisor.core.state import Call
from supervisor.core.text.format import count
from supervisor.core.text.masking import Masker

SHOWN = 900
LONG_LINE = 160
AROUND = 40
# The time for a comparison grows with the square of the number of lines.
MOST_LINES = 400


def change_blocks(call: Call, mask: Masker, full: str = "View full call") -> list[Block]:
    """Return the blocks with the difference, of which the button `full` shows all; none for an unchanged call."""
    if call.proposed is None:
        return []
    lines = "\n".join(_lines(call, mask))
    who = f":pencil2: Changed by {person(call.edited_by, call.edited_by_name)}"
    open_ = " · as it is now it still needs approval" if call.phase == "awaiting" else ""
    note = f"{who}{open_} · `-` as the agent proposed it, `+` as it is now"
    left = len(lines) - SHOWN
    more = f":scissors: Truncated ({count(left, 'more character')} of the difference): *{full}*"
    return [context(note), preformatted(lines[:SHOWN]), *([context(more)] if left > 0 else [])]


def _lines(call: Call, mask: Masker) -> Iterator[str]:
    proposed = as_proposed(call)
    before, after = parts(proposed, None), parts(call, None)
    before_shown, after_shown = parts(proposed, mask), parts(call, mask)
    for name in dict.fromkeys([*before, *after]):
        if before.get(name) == after.get(name):
            continue
        was, now = _split(before_shown.get(name)), _split(after_shown.get(name))
        if was == now:
            yield f"  {now[0].partition(':')[0]}: what changed is masked"
        else:
            yield from _difference(was, now)


def _split(text: str | None) -> list[str]:
    return [] if text is None else text.split("\n")


def _difference(was: list[str], now: list[str]) -> Iterator[str]:
    """Yield the removed and added lines, each group after the line before it."""
    start = _same(was, now)
    end = _same(was[start:][::-1], now[start:][::-1])
    old, new = was[start : len(was) - end], now[start : len(now) - end]
    if start:
        yield from _before(was[:start])
    if max(len(old), len(new)) > MOST_LINES:
        yield from _replacement_lines(old, new)
        return
    for kind, i1, i2, j1, j2 in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind != "equal":
            yield from _replacement_lines(old[i1:i2], new[j1:j2])
        elif i2 < len(old):
            yield from _before(old[i1:i2])


def _same(one: list[str], other: list[str]) -> int:
    """Return the number of equal items at the beginning of both lists."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((n for n, (a, b) in pairs if a != b), min(len(one), len(other)))


def _before(lines: list[str]) -> Iterator[str]:
    if len(lines) > 1:
        yield f"  … {len(lines) - 1:,} lines as before"
    yield f"  {_clip(lines[-1], '')[0]}"


def _replacement_lines(old: list[str], new: list[str]) -> Iterator[str]:
    pairs = [_clip(was, now) for was, now in zip_longest(old, new, fillvalue="")]
    yield from (f"- {was}" for was, _ in pairs[: len(old)])
    yield from (f"+ {now}" for _, now in pairs[: len(new)])


def _clip(was: str, now: str) -> tuple[str, str]:
    """Return the differing parts of two long lines, with some context."""
    if max(len(was), len(now)) <= LONG_LINE:
        return was, now
    start = _same(list(was), list(now))
    rest = min(len(was), len(now)) - start
    end = min(_same(list(was[::-1]), list(now[::-1])), rest)
    return _cut(was, start, len(was) - end), _cut(now, start, len(now) - end)


def _cut(line: str, start: int, end: int) -> str:
    """Return the part of a line with some context, after the name of the argument where the line begins with one."""
    first, last = max(start - AROUND, 0), min(end + AROUND, len(line))
    name, colon, _ = line[:first].partition(":")
    head = f"{name}: …" if colon and len(name) <= AROUND and not name.startswith(" ") else "…"
    return f"{head if first else ''}{line[first:last]}{'…' if last < len(line) else ''}"
