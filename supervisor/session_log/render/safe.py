"""Makes texts of people, models and tools safe in Markdown, so that they cannot change the document's structure.

None of their lines begins at the margin: they are in a table, a quotation or a block.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

# The characters that format 1 marks. In format 2, `render` marks the others of `core/text` at its end.
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
# A placeholder for an empty line of a content, which is kept, unlike repeated ones between parts of the document.
BLANK = "\0"


@dataclass(frozen=True)
class Shown:
    """The part of a text that is shown, and a description of what is left out (empty where nothing is)."""

    text: str
    left_out: str = ""


def visible(text: str) -> str:
    """Return the text with invisible and bidirectional characters escaped, as `\\u202e`; line feed and tab stay."""
    return HIDDEN.sub(_code_of, text.replace("\r\n", "\n"))


def _code_of(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def one_line(text: str, limit: int) -> str:
    """Return the text on one line, cut to `limit` characters; for tables and headings."""
    flat = " ".join(visible(text).split())
    return flat if len(flat) <= limit else f"{flat[: limit - 1].rstrip()}…"


def inline(text: str, limit: int = 200) -> str:
    """Return the text on one line, with code spans as the only formatting and without links."""
    return _outside_code(_INLINE, one_line(text, limit))


def code(text: str, limit: int = 200) -> str:
    """Return the text on one line as a code span."""
    flat = one_line(text, limit) or " "
    ticks = "`" * (_longest_run(flat) + 1)
    room = " " if flat[0] == "`" or flat[-1] == "`" else ""
    return f"{ticks}{room}{flat}{room}{ticks}"


def cell(text: str) -> str:
    """Return the text with each `|` escaped, also in code spans, for the cell of a table."""
    return _PIPE.sub(lambda found: found[0] if len(found[1]) % 2 else f"{found[1]}\\|", text)


def fence(text: str, kind: str = "text") -> list[str]:
    """Return the lines of a fenced block that its content cannot end."""
    shown = visible(text).rstrip("\n")
    marks = "`" * max(_longest_run(shown) + 1, 3)
    return [f"{marks}{kind}", *(line or BLANK for line in shown.split("\n")), marks]


def quote(text: str) -> list[str]:
    """Return the lines of a quotation: lists and emphasis stay, other markup becomes plain text."""
    shown = visible(text).strip("\n")
    if "```" in shown or "~~~" in shown:
        # Nothing can be escaped inside a block of code, so the whole text becomes one.
        return [">" if line == BLANK else f"> {line}" for line in fence(shown, "markdown")]
    return [f"> {_tame(line)}".rstrip() for line in shown.split("\n")]


def _tame(line: str) -> str:
    if _RULE.fullmatch(line):
        return re.sub(r"[^\s>]", lambda found: f"\\{found[0]}", line, count=1)
    return _HEADING.sub(r"\\", _outside_code(_LIVE, line))


def _outside_code(live: re.Pattern[str], line: str) -> str:
    """Return the line with a backslash before each match of `live` that is not inside a code span."""
    parts, end = [], 0
    for span in _SPAN.finditer(line):
        parts += [live.sub(r"\\\g<0>", line[end : span.start()]), span[0]]
        end = span.end()
    return "".join([*parts, live.sub(r"\\\g<0>", line[end:])])


def shorten(text: str, *, lines: int, characters: int) -> Shown:
    """Return the text, or the beginning and the end of a longer one with the amount that is left out between them."""
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
    """Return the first rows, up to `most` and up to `characters` in total."""
    kept: list[str] = []
    for row in rows[:most]:
        characters -= len(row)
        if characters < 0:
            break
        kept.append(row)
    return kept


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall("`+", text)), default=0)
