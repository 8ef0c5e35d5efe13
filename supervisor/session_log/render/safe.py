"""Words of people, models and tools in Markdown: readable, and without power over the document.

No line of theirs begins at the margin: it stands in a table, a quotation or an indented block.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

# What format 1 marked, and format 2 marks here; the rest of the table of `core/text` follows at the end of `render`.
HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u115f\u1160\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164"
    "\ud800-\udfff\ufeff\uffa0\ufff9-\uffff\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_SPAN = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)")
_LIVE = re.compile(r"[\\`<\[\]]|&(?=#?\w+;)")
_INLINE = re.compile(r"[\\`*<\[\]|~]|&(?=#?\w+;)|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
_PIPE = re.compile(r"(\\*)\|")
_HEADING = re.compile(r"(?<![^\s>])(?=#{1,6}(?:\s|$))")
_RULE = re.compile(r"[\s>]*(?:=+|(?:-\s*)+|(?:\*\s*)+|(?:_\s*)+)\s*")
_WIDEST = 400
# An empty line of a content, which stays, unlike those that separate the parts of the document.
BLANK = "\0"


@dataclass(frozen=True)
class Shown:
    """A text as far as it is shown, and a word on what is not (empty: it is all there)."""

    text: str
    left_out: str = ""


def visible(text: str) -> str:
    """Characters that show nothing, or turn the direction of others, become `\\u202e`; newline and tab stay."""
    return HIDDEN.sub(_code_of, text.replace("\r\n", "\n"))


def _code_of(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def one_line(text: str, limit: int) -> str:
    """For tables and headings; the whole stands elsewhere."""
    flat = " ".join(visible(text).split())
    return flat if len(flat) <= limit else f"{flat[: limit - 1].rstrip()}…"


def inline(text: str, limit: int = 200) -> str:
    """One line in which nothing but code is formatted, and nothing is a link."""
    return _outside_code(_INLINE, one_line(text, limit))


def code(text: str, limit: int = 200) -> str:
    """One line as a code span."""
    flat = one_line(text, limit) or " "
    ticks = "`" * (_longest_run(flat) + 1)
    room = " " if flat[0] == "`" or flat[-1] == "`" else ""
    return f"{ticks}{room}{flat}{room}{ticks}"


def cell(text: str) -> str:
    """For a table: no `|` of the text separates columns, within code neither."""
    return _PIPE.sub(lambda found: found[0] if len(found[1]) % 2 else f"{found[1]}\\|", text)


def fence(text: str, kind: str = "text") -> list[str]:
    """The lines of a fenced block that its content cannot end."""
    shown = visible(text).rstrip("\n")
    marks = "`" * max(_longest_run(shown) + 1, 3)
    return [f"{marks}{kind}", *(line or BLANK for line in shown.split("\n")), marks]


def quote(text: str) -> list[str]:
    """The lines of a quotation: lists and emphasis stay, headings, links, images and HTML become plain text."""
    shown = visible(text).strip("\n")
    if "```" in shown or "~~~" in shown:
        # Within a block of code nothing can be escaped, so the whole becomes one.
        return [">" if line == BLANK else f"> {line}" for line in fence(shown, "markdown")]
    return [f"> {_tame(line)}".rstrip() for line in shown.split("\n")]


def _tame(line: str) -> str:
    if _RULE.fullmatch(line):
        return re.sub(r"[^\s>]", lambda found: f"\\{found[0]}", line, count=1)
    return _HEADING.sub(r"\\", _outside_code(_LIVE, line))


def _outside_code(live: re.Pattern[str], line: str) -> str:
    """A backslash before whatever is `live`; spans of code stay, since nothing is live in them."""
    parts, end = [], 0
    for span in _SPAN.finditer(line):
        parts += [live.sub(r"\\\g<0>", line[end : span.start()]), span[0]]
        end = span.end()
    return "".join([*parts, live.sub(r"\\\g<0>", line[end:])])


def shorten(text: str, *, lines: int, characters: int) -> Shown:
    """The beginning and the end of a long text, with a word on how much is between them."""
    rows = text.strip("\n").split("\n")
    narrow = [_narrow(row) for row in rows]
    if len(rows) <= lines and sum(map(len, narrow)) <= characters:
        cut = sum(len(row) - len(short) for row, short in zip(rows, narrow, strict=True))
        return Shown("\n".join(narrow), f"{cut:,} characters of long lines" if cut > 0 else "")
    head = _fit(narrow, lines * 3 // 4, characters * 3 // 4)
    tail = _fit(narrow[len(head) :][::-1], lines - lines * 3 // 4, characters // 4)[::-1]
    between = rows[len(head) : len(rows) - len(tail)]
    gone = f"{len(between):,} {'line' if len(between) == 1 else 'lines'}"
    left_out = f"{gone} with {sum(map(len, between)):,} characters"
    return Shown("\n".join([*head, f"[… {left_out} …]", *tail]), left_out)


def _narrow(row: str) -> str:
    if len(row) <= _WIDEST:
        return row
    return f"{row[: _WIDEST - 60]} [… {len(row) - _WIDEST + 60:,} more characters in this line …]"


def _fit(rows: list[str], most: int, characters: int) -> list[str]:
    """As many of the first rows as there is room for."""
    kept: list[str] = []
    for row in rows[:most]:
        characters -= len(row)
        if characters < 0:
            break
        kept.append(row)
    return kept


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall("`+", text)), default=0)
