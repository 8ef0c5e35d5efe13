"""Blocks of the document for longer texts, which are shortened, and tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from supervisor.session_log.render.safe import fence, quote, shorten

PROSE_LINES, PROSE_CHARACTERS = 60, 6000
OUTPUT_LINES, OUTPUT_CHARACTERS = 40, 4000
Lines = list[str]


def where(n: int) -> str:
    return f"event {n} in the appendix"


def prose(text: str, n: int) -> Lines:
    """Return a text of a person or a model as a quotation; where it is shortened, a note refers to event `n`."""
    shown = shorten(text, lines=PROSE_LINES, characters=PROSE_CHARACTERS)
    return [*quote(shown.text), *_left(shown.left_out, n)]


def output(text: str, n: int, kind: str = "text") -> Lines:
    """Return the output of a tool, or data from outside, as a fenced block; shortened as by `prose`."""
    shown = shorten(text, lines=OUTPUT_LINES, characters=OUTPUT_CHARACTERS)
    return [*fence(shown.text, kind), *_left(shown.left_out, n)]


def _left(left_out: str, n: int) -> Lines:
    return ["", f"{left_out} are left out here; {where(n)} has them."] if left_out else []


def indent(lines: Iterable[str]) -> Lines:
    """Return the lines indented as part of a list item."""
    return [f"  {line}" if line else "" for line in lines]


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, right: Iterable[int] = ()) -> Lines:
    """Return the lines of a table. Cells must be escaped already; the columns `right` are aligned to the right."""
    numbers = set(right)
    rule = ["---:" if column in numbers else "---" for column in range(len(head))]
    return [_row(head), _row(rule), *(_row(row) for row in rows)]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
