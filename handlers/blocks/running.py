"""What runs in a session now, as blocks of its card: since when, and what was printed last."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from handlers.blocks.text import Block, context, escape, since
from supervisor.core.records import RunningCall
from supervisor.core.text.format import count, span
from supervisor.core.text.masking import Masker
from supervisor.core.text.visible import one_line, visible

MOST = 3
_ID = "running:"
# What is shown of a time that passes, so that it is true until the next of them and the message need not change.
_PASSED = [
    *(timedelta(seconds=seconds) for seconds in (5, 10, 20, 30)),
    *(timedelta(minutes=minutes) for minutes in (1, 2, 3, 5, 10, 15, 20, 30, 45)),
    *(timedelta(hours=hours) for hours in (1, 2, 3, 6, 12, 24)),
]


class Running(NamedTuple):
    """A call that runs, and in which sub-agent; `within` is empty for the session itself."""

    call: RunningCall
    within: str = ""


def running_blocks(found: Sequence[Running], now: datetime, mask: Masker) -> list[Block]:
    """Return the blocks of what runs; of many calls the last ones, and a count of the others."""
    blocks = [block for number, one in enumerate(found[-MOST:]) for block in _call(one, number, now, mask)]
    if (others := len(found) - MOST) > 0:
        blocks.append({**context(f"{count(others, 'other call')} running"), "block_id": f"{_ID}others"})
    return blocks


def is_passing(block: Block) -> bool:
    """Return whether a block is one of `running_blocks`, which nobody misses where it is out of date."""
    return str(block.get("block_id", "")).startswith(_ID)


def passed(time: timedelta) -> str:
    """Return `over 30 s`, which stays true for some time; empty for a time that has just begun."""
    found = [step for step in _PASSED if step <= time]
    # `span` gives tenths to what is below ten seconds.
    return f"over {span(found[-1]).replace('.0', '')}" if found else ""


def _call(running: Running, number: int, now: datetime, mask: Masker) -> Iterator[Block]:
    call, within = running.call, escape(one_line(running.within, 90))
    name = one_line(mask.arguments(call.tool), 40).replace("`", "'")
    what = f"`{escape(name)}` running" if name else "Thinking"
    what += f" in *{within}*" if within else ""
    long = passed(now - call.since)
    words = f":hourglass_flowing_sand: {what} {f'for {long}, ' if long else ''}since {since(call.since)}"
    yield {**context(words), "block_id": f"{_ID}{number}"}
    if call.lines:
        text = {"type": "text", "text": visible(call.lines)}
        lines = {"type": "rich_text_preformatted", "elements": [text]}
        yield {"type": "rich_text", "block_id": f"{_ID}{number}:lines", "elements": [lines]}
