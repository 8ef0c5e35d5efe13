"""Turns pieces of styled text into `rich_text` blocks within Slack's limits; they contain only text elements."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Literal

from handlers.blocks.text import Block
from supervisor.core.text.format import count
from supervisor.core.text.visible import visible

# A message has at most 13,200 characters and 250 kB of JSON; these limits leave room for other blocks.
MOST_CHARACTERS = 12_000
MOST_RUNS = 600
ELEMENTS_A_BLOCK = 40
MOST_PIECES = 5 * ELEMENTS_A_BLOCK
DEEPEST_INDENT = 8

Style = frozenset[str]
PLAIN: Style = frozenset()


class Runs(list[tuple[str, Style]]):
    """Texts with one style each; none is empty, and hidden characters are made visible."""

    def add(self, text: str, style: Style = PLAIN) -> None:
        """Add a text; it is joined with the last one where the style is the same."""
        if text and self and self[-1][1] == style:
            self[-1] = (self[-1][0] + visible(text), style)
        elif text:
            self.append((visible(text), style))

    def add_all(self, runs: Iterable[tuple[str, Style]]) -> None:
        for text, style in runs:
            self.add(text, style)

    @property
    def text(self) -> str:
        return "".join(text for text, _ in self)


@dataclass(frozen=True)
class Series:
    """One list at one depth, to which items belong."""

    serial: int
    ordered: bool
    indent: int


@dataclass
class Piece:
    """The content of one element; `quote` is the number of the quote that it is in, or 0."""

    kind: Literal["section", "heading", "rule", "item", "preformatted"]
    runs: Runs = field(default_factory=Runs)
    quote: int = 0
    series: Series | None = None
    number: int = 0

    @property
    def as_text(self) -> str:
        """The text with its bullet, for a piece that does not become an element of its own."""
        if not self.series:
            return self.runs.text
        mark = f"{self.number}." if self.series.ordered else "•"
        return f"{'  ' * self.series.indent}{mark} {self.runs.text}"


def blocks(pieces: list[Piece], limit: int, unread: int) -> list[Block]:
    """Return the blocks with at most `limit` characters and a note that counts those cut and `unread` ones."""
    pieces, left = short(_few(pieces), limit)
    left += unread
    if not left and not any(piece.runs.text.strip() for piece in pieces):
        return []
    _spare_styles(pieces)
    if left:
        note = f"… {count(left, 'more character')}"
        pieces.append(Piece("section", Runs([(note, frozenset({"italic"}))])))
    elements = list(_elements(pieces))
    starts = range(0, len(elements), ELEMENTS_A_BLOCK)
    return [{"type": "rich_text", "elements": elements[n : n + ELEMENTS_A_BLOCK]} for n in starts]


def _few(pieces: list[Piece]) -> list[Piece]:
    """Return the pieces, with surplus ones joined to one of plain text; one more is left for the count."""
    most = MOST_PIECES - 2
    if len(pieces) <= most:
        return pieces
    rest = Piece("section")
    rest.runs.add("\n".join(piece.as_text for piece in pieces[most:]))
    return [*pieces[:most], rest]


def short(pieces: list[Piece], limit: int) -> tuple[list[Piece], int]:
    """Return the pieces within the limit, and the number of characters beyond it."""
    shown: list[Piece] = []
    room = limit
    for piece in pieces:
        runs = Runs()
        for text, style in piece.runs:
            runs.add(text[:room], style)
            room = max(room - len(text), 0)
        # An item that was empty is kept; one that was cut to nothing is not.
        if runs or (room and not piece.runs):
            shown.append(replace(piece, runs=runs))
    whole = sum(len(piece.runs.text) for piece in pieces)
    return shown, whole - sum(len(piece.runs.text) for piece in shown)


def _spare_styles(pieces: list[Piece]) -> None:
    """Remove the styles of the pieces beyond `MOST_RUNS` runs; their text stays."""
    count = 0
    for piece in pieces:
        count += len(piece.runs)
        if count > MOST_RUNS:
            piece.runs = Runs([(piece.runs.text, PLAIN)] if piece.runs else [])


def _elements(pieces: list[Piece]) -> Iterator[Block]:
    for (series, quote), group in groupby(pieces, key=lambda piece: (piece.series, piece.quote)):
        if series:
            yield _list(series, quote, list(group))
        else:
            yield from map(_element, group)


def _list(series: Series, quote: int, items: list[Piece]) -> Block:
    element: Block = {
        "type": "rich_text_list",
        "style": "ordered" if series.ordered else "bullet",
        "indent": series.indent,
        "elements": [{"type": "rich_text_section", "elements": _texts(item)} for item in items],
    }
    # A list that was interrupted continues with its own numbers.
    if series.ordered and items[0].number > 1:
        element["offset"] = items[0].number - 1
    return {**element, "border": 1} if quote else element


def _element(piece: Piece) -> Block:
    if piece.kind == "preformatted":
        element: Block = {"type": "rich_text_preformatted", "elements": _texts(piece)}
        return {**element, "border": 1} if piece.quote else element
    return {"type": "rich_text_quote" if piece.quote else "rich_text_section", "elements": _texts(piece)}


def _texts(piece: Piece) -> list[Block]:
    return [_text(text, style) for text, style in piece.runs] or [_text(" ", PLAIN)]


def _text(text: str, style: Style) -> Block:
    element: Block = {"type": "text", "text": text}
    return {**element, "style": dict.fromkeys(sorted(style), True)} if style else element
