"""The screen of a replay: the events around the present one, that event in full, and the state after it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.cli.frames import Frame
from bot.cli.labels import cost_of
from bot.cli.output import MARKS, said_of
from bot.cli.terminal import BOLD, DIM, STATUS_STYLES, clock, text
from bot.cli.tree import MARKS as CHILD_MARKS
from supervisor.core.state import Call
from supervisor.core.text.format import span
from supervisor.core.text.labels import WAITING
from supervisor.core.text.visible import one_line

if TYPE_CHECKING:
    from rich.text import Text

KEYS = "space next   p back   g go to   e end   q quit"
MOST_ROWS = 6
_PHASES = {
    "held": "yellow", "awaiting": "yellow", "asking": "yellow", "unknown": "red", "approved": "magenta",
    "started": "cyan", "delegating": "cyan", "sleeping": "cyan", "finished": "green", "denied": "red", "refused": "red",
}  # fmt: skip


@dataclass(frozen=True)
class Size:
    width: int
    height: int


def screen(title: str, frames: Sequence[Frame], at: int, asked: str | None, size: Size) -> list[Text]:
    """Return the lines of the screen, at most `size.height`; `asked` is the typed part of a number to go to."""
    frame = frames[at]
    after = list(state_lines(frame))
    room = max(size.height - len(after) - 4, 4)
    around = min(max(room // 3, 3), len(frames))
    happened = _cut(list(event_lines(frame, size.width)), room - around, size.width)
    lines = [
        _ends(text((title, BOLD)), text((f"{at + 1} of {len(frames)}", DIM)), size.width),
        *_around(frames, at, around, size.width),
        _rule(f"{frame.event.type}, {clock(frame.event.at)}", size.width),
        *happened,
        *[text("")] * (room - around - len(happened)),
        _rule("After it", size.width),
        *after,
        text((KEYS if asked is None else f"go to (1 to {len(frames)}), then Enter: {asked}", DIM)),
    ]
    for line in lines:
        line.truncate(size.width, overflow="ellipsis")
    return lines[: size.height]


def event_lines(frame: Frame, width: int) -> Iterator[Text]:
    """Yield the text of the event, in lines of at most `width` columns."""
    from rich.console import Console

    for _, who, words in said_of(frame.event):
        by = () if who == "system" else ((f"{who}  ", "blue"),)
        style = MARKS.get(frame.event.type, ("", ""))[1]
        for line in text(*by, (words.strip(), style)).split(allow_blank=True):
            yield from line.wrap(Console(width=width), width, overflow="fold") if line.plain else [line]


def state_lines(frame: Frame) -> Iterator[Text]:
    """Yield the state after the event: status, steps, cost, calls and sub-agents."""
    session = frame.session
    if session is None:
        yield text(("This Flagman is older than that event and does not know what it changed.", "yellow"))
        return
    doing = WAITING[session.waiting_for] if session.waiting_for else session.status
    cost = cost_of(session.total_cost_usd, unpriced=session.unpriced)
    yield text(
        ("status    ", DIM),
        (doing, STATUS_STYLES.get(session.status, "")),
        ("   step ", DIM),
        f"{len(session.steps)} of {session.budgets.max_steps}",
        ("   after ", DIM),
        span(frame.elapsed),
        ("   cost ", DIM),
        cost,
    )
    calls = [text(f"{call.call_id} {call.call.tool} ", _phase(call)) for call in frame.calls]
    yield from _field("calls", calls)
    children = [
        text(
            (f"{CHILD_MARKS[child.status][0]} ", CHILD_MARKS[child.status][1]),
            f"{child.name} ",
            (child.status, CHILD_MARKS[child.status][1]),
        )
        for child in frame.children
    ]
    yield from _field("children", children)


def _phase(call: Call) -> tuple[str, str]:
    failed = call.phase == "finished" and not call.ok
    return ("failed", "red") if failed else (call.phase, _PHASES.get(call.phase, ""))


def _field(name: str, rows: list[Text]) -> Iterator[Text]:
    for number, row in enumerate(rows[:MOST_ROWS]):
        yield text((f"{name if number == 0 else '':<10}", DIM)).append_text(row)
    if len(rows) > MOST_ROWS:
        yield text((f"{'':<10}and {len(rows) - MOST_ROWS} more", DIM))


def _around(frames: Sequence[Frame], at: int, count: int, width: int) -> Iterator[Text]:
    first = min(max(at - count // 2, 0), len(frames) - count)
    for number in range(first, first + count):
        event, here = frames[number].event, number == at
        mark, style = MARKS.get(event.type, (" ", ""))
        said = next(iter(said_of(event)), None)
        yield text(
            (f"{'▶' if here else ' '}{number + 1:>4} ", BOLD if here else DIM),
            (f"{span(frames[number].elapsed):>12} ", BOLD if here else DIM),
            (f"{mark} ", style),
            (one_line(said[2] if said else event.type, width), BOLD if here else DIM),
        )


def _cut(lines: list[Text], most: int, width: int) -> list[Text]:
    if len(lines) <= most:
        return lines
    left = len(lines) - most + 1
    return [*lines[: most - 1], text((f"… {left} more lines; `flagman log` has them all"[:width], DIM))]


def _rule(title: str, width: int) -> Text:
    return text((f"── {title} {'─' * max(width - len(title) - 4, 0)}", DIM))


def _ends(left: Text, right: Text, width: int) -> Text:
    left.truncate(max(width - right.cell_len - 2, 0), overflow="ellipsis")
    return left.append(" " * max(width - left.cell_len - right.cell_len, 1)).append_text(right)
