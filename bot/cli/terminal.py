"""Output of the command line: colours and tables on a terminal, plain lines in a pipe, times in the reader's zone."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from supervisor.core.text import format
from supervisor.core.text.visible import json_text, one_line, visible

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.text import Text

STATUS_STYLES = {
    "running": "cyan",
    "paused": "yellow",
    "completed": "green",
    "failed": "red",
    "cancelled": "bright_black",
}
WIDEST, NARROWEST, GAP = 36, 8, 3
DIM, BOLD = "bright_black", "bold"


def is_terminal(stream: Any = None) -> bool:
    return bool((stream or sys.stdout).isatty())


def console(*, err: bool = False) -> Console:
    """Return a console of Rich, which uses no colours in a pipe and reads no text as markup."""
    from rich.console import Console

    return Console(stderr=err, highlight=False, markup=False, emoji=False)


def show(*parts: RenderableType, err: bool = False) -> None:
    """Print; lines are wrapped on a terminal only."""
    screen = console(err=err)
    screen.print(*parts, soft_wrap=not screen.is_terminal)


def chop(line: str, room: int) -> list[str]:
    """Return the line in pieces that leave `room` columns of the terminal free; in one piece in a pipe."""
    from rich.cells import chop_cells

    width = console().width - room
    return (chop_cells(line, width) if is_terminal() and width > 10 else [line]) or [""]


def text(*parts: str | tuple[str, str]) -> Text:
    """Return text with styles; hidden and control characters are replaced by visible markers."""
    from rich.text import Text

    return Text.assemble(*((visible(p), "") if isinstance(p, str) else (visible(p[0]), p[1]) for p in parts))


def beside(*cells: Text) -> RenderableType:
    """Return a row of cells, of which the last one wraps within its own column."""
    from rich.table import Table

    made = Table.grid(padding=(0, 1, 0, 0))
    for cell in cells[:-1]:
        made.add_column(no_wrap=True, width=max(cell.cell_len, 1))
    made.add_column(ratio=1, overflow="fold")
    made.add_row(*cells)
    return made


def done(sentence: str) -> None:
    """Print a sentence that says what was done, on a terminal and in a pipe."""
    show(text(("✓ ", "green"), sentence) if is_terminal() else visible(sentence))


def hint(sentence: str) -> None:
    """Print a hint on what to do next, on a terminal only."""
    if is_terminal(sys.stderr):
        show(text((sentence, DIM)), err=True)


def as_json(value: Any) -> None:
    """Print a JSON document: indented on a terminal, on one line in a pipe."""
    from pydantic import BaseModel

    if isinstance(value, BaseModel):
        value = value.model_dump(mode="json")
    indent = 2 if is_terminal() else None
    sys.stdout.write(json_text(value, indent) + "\n")
    sys.stdout.flush()


def table(
    headings: Sequence[str], rows: Iterable[Sequence[str | tuple[str, str]]], *, wide: int = -1
) -> None:
    """Print a table; in a pipe, tab-separated lines without headings. The column `wide` is cut where room is short."""
    if not is_terminal():
        for row in rows:
            cells = (cell if isinstance(cell, str) else cell[0] for cell in row)
            sys.stdout.write("\t".join(one_line(cell, 10_000) for cell in cells) + "\n")
        return
    from rich import box
    from rich.table import Table

    made_of = [[_cell(cell) for cell in row] for row in rows]
    made = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style=DIM, expand=False)
    widths = [
        max([len(heading), *(line[number].cell_len for line in made_of)])
        for number, heading in enumerate(headings)
    ]
    wide %= len(headings)
    others = sum(min(width, WIDEST) + GAP for number, width in enumerate(widths) if number != wide)
    for number, heading in enumerate(headings):
        # Otherwise Rich would narrow all columns, some of them to nothing.
        most = max(console().width - others, NARROWEST) if number == wide else WIDEST
        made.add_column(heading, no_wrap=True, overflow="ellipsis", width=min(widths[number], most))
    for line in made_of:
        made.add_row(*line)
    show(made)


def _cell(cell: str | tuple[str, str]) -> Text:
    words, style = (cell, "") if isinstance(cell, str) else cell
    return text((one_line(words, 400), style))


def clock(at: datetime) -> str:
    """Return a time in the reader's own zone, with the date where that is not today."""
    return format.clock(at, datetime.now(UTC).astimezone())


def ago(at: datetime) -> str:
    return format.ago(at, datetime.now(UTC))


def local_zone() -> str:
    """Return the name of the reader's time zone: TZ, else that of this machine, else UTC."""
    from zoneinfo import ZoneInfo

    for name in (os.environ.get("TZ", "").lstrip(":"), _machine_zone()):
        try:
            if name:
                ZoneInfo(name)
                return name
        except (ValueError, OSError, KeyError):
            continue
    return "UTC"


def _machine_zone() -> str:
    try:
        found = os.path.realpath("/etc/localtime")
    except OSError:
        return ""
    if "zoneinfo/" in found:
        return found.partition("zoneinfo/")[2]
    named = Path("/etc/timezone")
    return named.read_text(encoding="utf-8").strip() if named.is_file() else ""
