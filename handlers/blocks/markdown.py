"""Converts a model's Markdown to Slack's rich text with styled text only, without links, mentions and emoji."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock, table
from markdown_it.token import Token

from handlers.blocks.rich_text import (
    DEEPEST_INDENT,
    MOST_CHARACTERS,
    PLAIN,
    Piece,
    Runs,
    Series,
    Style,
    blocks,
)
from handlers.blocks.text import Block
from supervisor.core.text.visible import visible

WIDEST_COLUMN = 40
MOST_CELLS = 5000
# The parser drops content below its own limit of depth, so `_too_deep` has a lower limit.
NESTED, PARSER_NESTED = 18, 24
_STYLES = {"strong": "bold", "em": "italic", "s": "strike"}
_BLANK_LINES = re.compile(r"(?:[ \t]*\n)+")
_LANGUAGE = re.compile(r"[\w.+#-]{1,30}")
_PIPE = re.compile(r"(?<!\\)\|")


def rich_text(markdown: str, *, limit: int = 6000) -> list[Block]:
    """Return at most five `rich_text` blocks of about `limit` characters; none if there is no visible text."""
    limit = min(max(limit, 0), MOST_CHARACTERS)
    source = markdown.replace("\r\n", "\n").replace("\r", "\n").rstrip(" \t\n")
    if blank := _BLANK_LINES.match(source):
        source = source[blank.end() :]
    # Only what will be shown is parsed, since the time for some inputs grows with the square of their length.
    pieces = _Walk(visible(source[:limit])).pieces
    return blocks(pieces, limit, max(len(source) - limit, 0))


def in_words(markdown: str, *, limit: int) -> str:
    """Return the visible text without its styles, for where one line is shown; code stays between backticks."""
    return " ".join(filter(None, map(_text_of, rich_text(markdown, limit=limit))))


def _text_of(element: Block) -> str:
    if element["type"] == "text":
        code = element.get("style", {}).get("code")
        return f"`{element['text']}`" if code else str(element["text"])
    between = " " if element["type"] in ("rich_text", "rich_text_list") else ""
    return between.join(map(_text_of, element.get("elements", ())))


class _Parser(MarkdownIt):
    """A parser that keeps all addresses as written: none becomes a link, and readers should see the real address."""

    def __init__(self) -> None:
        super().__init__("commonmark", {"maxNesting": PARSER_NESTED})
        self.enable(["table", "strikethrough"])
        # Definitions of references would not be shown, so they are not parsed.
        self.disable("reference")
        self.block.ruler.before("table", "too_deep", _too_deep)
        self.block.ruler.at("table", _small_table, {"alt": ["paragraph"]})

    def validateLink(self, url: str) -> bool:
        return True

    def normalizeLink(self, url: str) -> str:
        return url

    def normalizeLinkText(self, link: str) -> str:
        return link


def _too_deep(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """Return a rule of the parser that keeps content nested too deeply as plain text."""
    if silent or state.level < NESTED:
        return False
    line = start + 1
    while line < end and not state.isEmpty(line) and state.sCount[line] >= state.blkIndent:
        line += 1
    state.line = line
    state.push("paragraph_open", "p", 1)
    token = state.push("inline", "", 0)
    token.content = state.getLines(start, line, state.blkIndent, False).strip()
    token.children = []
    state.push("paragraph_close", "p", -1)
    return True


def _small_table(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """Return the rule for tables, limited in size: the parser fills short rows up, to tens of thousands of cells."""
    columns = state.src.count("|", state.bMarks[start], state.eMarks[start])
    return columns * (end - start) <= MOST_CELLS and table(state, start, end, silent)


_PARSER = _Parser()


@dataclass
class _List:
    series: Series
    number: int
    item: Piece | None = None


@dataclass
class _Table:
    lines: list[str]
    aligns: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)


class _Walk:
    """Visits the tokens once, without recursion, and collects the pieces."""

    def __init__(self, source: str) -> None:
        self.pieces: list[Piece] = []
        self._lines = source.split("\n")
        self._lists: list[_List] = []
        self._quotes: list[int] = []
        self._table: _Table | None = None
        self._heading = False
        self._serial = 0
        for token in _PARSER.parse(source):
            if visit := getattr(self, f"_on_{token.type}", None):
                visit(token)

    @property
    def _quote(self) -> int:
        return self._quotes[0] if self._quotes else 0

    def _next(self) -> int:
        self._serial += 1
        return self._serial

    def _on_blockquote_open(self, _: Token) -> None:
        self._quotes.append(self._next())

    def _on_blockquote_close(self, _: Token) -> None:
        self._quotes.pop()

    def _on_bullet_list_open(self, token: Token) -> None:
        start = token.attrGet("start")
        series = Series(self._next(), token.tag == "ol", min(len(self._lists), DEEPEST_INDENT))
        self._lists.append(_List(series, 1 if start is None else int(start)))

    _on_ordered_list_open = _on_bullet_list_open

    def _on_bullet_list_close(self, _: Token) -> None:
        self._lists.pop()

    _on_ordered_list_close = _on_bullet_list_close

    def _on_list_item_open(self, _: Token) -> None:
        inner = self._lists[-1]
        inner.item = Piece("item", quote=self._quote, series=inner.series, number=inner.number)
        inner.number += 1
        self.pieces.append(inner.item)

    def _on_heading_open(self, _: Token) -> None:
        self._heading = True

    def _on_heading_close(self, _: Token) -> None:
        self._heading = False

    def _on_inline(self, token: Token) -> None:
        runs = _inline(token.children or [], frozenset({"bold"}) if self._heading else PLAIN)
        if self._table:
            self._table.rows[-1].append(" ".join(runs.text.split()))
        elif runs:
            self._paragraph(runs)

    def _paragraph(self, runs: Runs) -> None:
        last = self.pieces[-1] if self.pieces else Piece("rule")
        inside = last.quote == self._quote
        if inside and self._lists and last is self._lists[-1].item:
            last.runs.add("\n" if last.runs else "")
        elif inside and self._quote and last.kind in ("section", "heading"):
            last.runs.add("\n\n")
        else:
            # Slack shows sections without space between them, so a paragraph begins with a blank line.
            spaced = not self._quote and not last.quote and last.kind in ("section", "item")
            last = Piece("heading" if self._heading else "section", quote=self._quote)
            last.runs.add("\n" if spaced else "")
            self.pieces.append(last)
        last.runs.add_all(runs)

    def _on_hr(self, _: Token) -> None:
        self.pieces.append(Piece("rule", Runs([("\n", PLAIN)])))

    def _on_code_block(self, token: Token) -> None:
        self._preformatted(token.content)

    _on_html_block = _on_code_block

    def _on_fence(self, token: Token) -> None:
        # The name of a language is left out; any other text beside the fence is shown.
        info = token.info.strip()
        named = token.content.strip() and _LANGUAGE.fullmatch(info)
        self._preformatted(token.content if named else f"{info}\n{token.content}")

    def _preformatted(self, text: str) -> None:
        if text := text.strip("\n"):
            self.pieces.append(Piece("preformatted", quote=self._quote))
            self.pieces[-1].runs.add(text)

    def _on_table_open(self, token: Token) -> None:
        first, end = token.map or (0, 0)
        self._table = _Table(self._lines[first:end])

    def _on_tr_open(self, _: Token) -> None:
        if self._table:
            self._table.rows.append([])

    def _on_th_open(self, token: Token) -> None:
        if self._table:
            self._table.aligns.append(str(token.attrGet("style") or "").removeprefix("text-align:"))

    def _on_table_close(self, _: Token) -> None:
        if self._table:
            self._preformatted(_table_text(self._table))
        self._table = None


def _inline(tokens: Iterable[Token], style: Style) -> Runs:
    """Return the text with its styles; the address of a link follows its label in brackets."""
    runs = Runs()
    styles = [style]
    links: list[tuple[str, int]] = []
    for token in tokens:
        kind, _, edge = token.type.rpartition("_")
        if token.type == "link_open":
            # The label of a link in angle brackets is its address.
            links.append(("" if token.info == "auto" else _address(token, "href"), len(runs.text)))
        elif token.type == "link_close":
            address, start = links.pop()
            runs.add(_after(runs.text[start:], address), styles[-1])
        elif kind in _STYLES:
            styles = [*styles, styles[-1] | {_STYLES[kind]}] if edge == "open" else styles[:-1]
        elif token.type == "image":
            alt = _inline(token.children or [], PLAIN).text
            runs.add(alt + _after(alt, _address(token, "src")), styles[-1])
        elif token.type in ("softbreak", "hardbreak"):
            runs.add("\n", styles[-1])
        else:
            runs.add(token.content, styles[-1] | {"code"} if token.type == "code_inline" else styles[-1])
    return runs


def _address(token: Token, name: str) -> str:
    url, title = str(token.attrGet(name) or ""), token.attrGet("title")
    return f'{url} "{title}"' if title else url


def _after(label: str, address: str) -> str:
    address = visible(address)
    if not address or label == address:
        return ""
    return f" ({address})" if label else address


def _table_text(grid: _Table) -> str:
    """Return the table in columns, or as written if a row has more cells than the heading, which would be lost."""
    if any(_cells(line) > len(grid.aligns) for line in grid.lines[2:]):
        return "\n".join(grid.lines)
    widths = [min(max(map(_width, column)), WIDEST_COLUMN) for column in zip(*grid.rows, strict=True)]
    rows = [grid.rows[0], ["─" * max(width, 1) for width in widths], *grid.rows[1:]]
    return "\n".join("  ".join(map(_pad, row, widths, grid.aligns)).rstrip() for row in rows)


def _cells(line: str) -> int:
    cells = _PIPE.split(line.lstrip(" \t>").rstrip(" \t"))
    return len(cells) - (cells[0] == "") - (len(cells) > 1 and cells[-1] == "")


def _pad(text: str, width: int, align: str) -> str:
    space = max(width - _width(text), 0)
    before = {"right": space, "center": space // 2}.get(align, 0)
    return " " * before + text + " " * (space - before)


def _width(text: str) -> int:
    """Return the width of a text in columns of a fixed-width font."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text
    )
