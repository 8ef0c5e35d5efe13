"""The README as its readers find it: blocks of code, lines to type, words in code, rows of tables."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
# What stands for something of the reader's own.
ADDRESS, SESSION, CALL = "http://127.0.0.1:8080", "ab12-cd34", "2.1"


@dataclass(frozen=True)
class Block:
    """A fenced block."""

    language: str
    text: str


@cache
def _tokens() -> tuple[Token, ...]:
    return tuple(MarkdownIt("commonmark").enable("table").parse(README.read_text(encoding="utf-8")))


def blocks(language: str = "") -> list[Block]:
    """All of them, or those in one language."""
    found = [Block(t.info.strip(), t.content) for t in _tokens() if t.type == "fence"]
    return [block for block in found if language in ("", block.language)]


def shell_lines() -> list[str]:
    """What a reader types into a shell, comments included; a line that goes on in the next is one."""
    text = "".join(block.text for block in blocks("sh"))
    return [line for line in text.replace("\\\n", "").splitlines() if line.strip()]


def program(line: str) -> str:
    return shlex.split(line, comments=True)[0]


def lines_of(name: str) -> list[str]:
    """The shell lines that call this program."""
    return [line for line in shell_lines() if program(line) == name]


def paragraphs() -> list[list[str]]:
    """The words in code of each paragraph, cell or item."""
    return [_code(token) for token in _tokens() if token.type == "inline"]


def spans(begin: str = "") -> list[str]:
    """All words in code that begin so."""
    return [span for found in paragraphs() for span in found if span.startswith(begin)]


def conditions() -> list[str]:
    """What a session may wait for, as the README lists it."""
    (found,) = [spans for spans in paragraphs() if {"approval", "manual"} <= set(spans)]
    return found


def rows(heading: str) -> list[list[list[str]]]:
    """The words in code, for each cell of each row, of the table whose first column has this heading."""
    return [
        [_code(cell) for cell in row]
        for head, *body in _tables()
        if head[0].content == heading
        for row in body
    ]


def links() -> list[str]:
    """Where the README leads to inside the repository."""
    found = [c for t in _tokens() for c in t.children or () if c.type in ("link_open", "image")]
    targets = [str(child.attrs.get("href") or child.attrs.get("src")) for child in found]
    return [target for target in targets if not re.match(r"https?:", target)]


def _tables() -> Iterator[list[list[Token]]]:
    table: list[list[Token]] = []
    inside = False
    for token in _tokens():
        if token.type == "table_open":
            table, inside = [], True
        elif token.type == "tr_open":
            table.append([])
        elif token.type == "inline" and inside:
            table[-1].append(token)
        elif token.type == "table_close":
            inside = False
            yield table


def _code(token: Token) -> list[str]:
    return [child.content for child in token.children or () if child.type == "code_inline"]
