r"""Text as people see it: every character of the table in `characters.py` becomes a marker such as `\u200b`.

Messages, windows, the command line and the SESSION_LOG call it. `visible` is for prose; it may be applied twice
without harm. `call_text` and `call_json` are for what will run, are applied once to the raw value, and give two
different values two different texts: what only looks like a marker is escaped, long blanks are folded with their
count, and a host in other letters than ASCII has its punycode beside it.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable
from itertools import groupby
from typing import Any

from supervisor.core.text.characters import EMOJI, HIDDEN, MARKS
from supervisor.core.text.format import count

# More blanks in a row, line breaks in a row, and combining marks on one letter are not shown as they are.
MOST_BLANKS, MOST_BREAKS, MOST_MARKS = 40, 4, 3
_LONGEST_LABEL, _LONGEST_HOST = 63, 253
_BLANKS = {" ": "space", "\t": "tab", "\n": "line break"}
# Scripts with letters that look like Latin ones.
_LOOKALIKE = {"CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "COPTIC", "LISU"}


def characters(ranges: str) -> str:
    """The inside of a character class of a regular expression."""
    ends = (part.split("-") for part in ranges.split())
    return "".join("-".join(f"\\U{int(end, 16):08x}" for end in pair) for pair in ends)


_H, _M, _E = (f"[{characters(ranges)}]" for ranges in (HIDDEN, MARKS, EMOJI))
_NEAR = characters(" ".join(r for r in f"{HIDDEN} {MARKS}".split() if len(r.partition("-")[0]) <= 4))
_KEYCAP = r"[0-9#*]\ufe0f\u20e3"
_REST = rf"(?P<hidden>{_H})|(?P<marks>{_M}+)"
_HOST = r"""(?P<host>(?<=://)[^\s/?\#\\"'<>|]+|(?<![\w.-])[\w-]+(?:\.[\w-]+)+)"""
_RUN = r"(?P<run>[ \t\n]{5,})"
_LITERAL = r"(?P<literal>⟨|\\(?=u[0-9a-f]{4}|U[0-9a-f]{8}))"
_ONE = re.compile(_H)
# Texts that match neither come out as they are; every character beyond the first plane is looked at.
_FAR = "\\U00010000-\\U0010ffff"
_SUSPECT = re.compile(f"[{_NEAR}{_FAR}]")
_SUSPECT_CALL = re.compile(r"[^\t\n -~]|⟨|\\[uU]|[ \t\n]{5}")
_PROSE = re.compile(rf"{_KEYCAP}|{_E}\ufe0f?(?:\u200d{_E}\ufe0f?)*|{_REST}")
_STRICT = re.compile(rf"{_KEYCAP}|{_E}\ufe0f|{_REST}")
_CALL = re.compile(rf"{_KEYCAP}|{_E}\ufe0f|{_HOST}|{_RUN}|{_LITERAL}|{_REST}")
_CALL_JSON = re.compile(rf"{_KEYCAP}|{_E}\ufe0f|{_HOST}|{_RUN}|(?P<literal>⟨)|{_REST}")
_LONG = re.compile(rf"(?<=\S) {{{MOST_BLANKS + 1},}}")
Escape = Callable[[str], str]


def visible(text: str) -> str:
    """Prose: hidden characters become markers; newline, tab and the joiners inside of an emoji stay."""
    return _PROSE.sub(_piece(marker), text) if _SUSPECT.search(text) else text


def one_line(text: str, limit: int) -> str:
    """At most `limit` characters on one line, for headings and lists, where the whole stands elsewhere."""
    flat = " ".join(visible(text).split())
    return flat if len(flat) <= limit else f"{flat[: limit - 1]}…"


def call_text(text: str) -> str:
    """A text that will run, over as many lines as it has."""
    return _CALL.sub(_piece(marker), text) if _SUSPECT_CALL.search(text) else text


def call_name(name: str) -> str:
    """As `call_text`, on one line: line breaks and tabs are markers too."""
    return call_text(name).replace("\n", marker("\n")).replace("\t", marker("\t"))


def call_json(value: Any, indent: int | None = 2) -> str:
    """As `call_text`, of a JSON value; the markers are JSON's own escapes."""
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    return _CALL_JSON.sub(_piece(_json_escape), text)


def call_value(value: Any) -> str:
    """An argument as it will run: a text as it is, anything else as JSON."""
    return call_text(value) if isinstance(value, str) else call_json(value)


def json_text(value: Any, indent: int | None = None) -> str:
    """JSON of this very value in which every hidden character is written as an escape."""
    return escaped_json(json.dumps(value, ensure_ascii=False, indent=indent))


def escaped_json(text: str) -> str:
    """A JSON document with its hidden characters written as escapes; it still means the same."""
    return _STRICT.sub(_piece(_json_escape), text) if _SUSPECT.search(text) else text


def fold_blanks(text: str) -> str:
    """A line of a document: as `visible`, and long blanks within it are folded with their count."""
    shown = visible(text).replace("⟨", marker("⟨"))
    return _LONG.sub(lambda found: _blanks(found[0]), shown)


def marker(character: str) -> str:
    r"""`\u200b`, or `\U000e0100` beyond the first plane."""
    code = ord(character)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def _json_escape(character: str) -> str:
    # JSON writes no escape for a character that is ASCII and printable, and needs none.
    return json.dumps(character)[1:-1] if character != "\x7f" else "\\u007f"


def _piece(escape: Escape) -> Callable[[re.Match[str]], str]:
    """What a match of one of the patterns above becomes."""

    def shown(found: re.Match[str]) -> str:
        match found.lastgroup:
            case "hidden" | "literal":
                return escape(found[0])
            case "marks":
                return _marks(found, escape)
            case "run":
                return _run(found[0])
            case "host":
                return _host(found, escape)
            case _:
                return found[0]

    return shown


def _marks(found: re.Match[str], escape: Escape) -> str:
    """A letter keeps its first marks; where there is no letter, they would change what is not theirs."""
    before = found.string[max(found.start() - 1, 0) : found.start()]
    alone = not before or before.isspace() or _ONE.match(before)
    kept = 0 if alone else MOST_MARKS
    return found[0][:kept] + "".join(map(escape, found[0][kept:]))


def _run(run: str) -> str:
    """Blanks and line breaks; where there are too many of them, the last line break stays one."""
    head, _, tail = run.rpartition("\n")
    if run.count("\n") > MOST_BREAKS:
        return f"⟨{_counted(f'{head}{chr(10)}')}⟩\n{_blanks(tail)}"
    return "\n".join(map(_blanks, run.split("\n")))


def _blanks(run: str) -> str:
    return run if len(run) <= MOST_BLANKS else f"⟨{_counted(run)}⟩"


def _counted(run: str) -> str:
    return ", ".join(count(len(list(group)), _BLANKS[kind]) for kind, group in groupby(run))


def _host(found: re.Match[str], escape: Escape) -> str:
    name = found[0]
    shown = (_STRICT if escape is _json_escape else _CALL_WORD).sub(_piece(escape), name)
    of_url = found.string[max(found.start() - 3, 0) : found.start()] == "://"
    if name.isascii() or not (of_url or any(map(_is_mixed, name.split(".")))):
        return shown
    return f"{shown}⟨punycode: {_punycode(name)}⟩"


# What may occur within a host: no blanks.
_CALL_WORD = re.compile(rf"{_KEYCAP}|{_E}\ufe0f|{_LITERAL}|{_REST}")


def _is_mixed(label: str) -> bool:
    """Latin letters beside those of a script that looks like it."""
    scripts = {unicodedata.name(c, "").partition(" ")[0] for c in label if c.isalpha()}
    return "LATIN" in scripts and bool(scripts & _LOOKALIKE)


def _punycode(authority: str) -> str:
    """The host of an authority as the name service is asked for it."""
    host = _ONE.sub("", authority.rpartition("@")[2])
    host = re.sub(r":\d*$", "", unicodedata.normalize("NFKC", host[:_LONGEST_HOST])).lower()
    labels = re.split("[.。]", host)
    if len(authority) > _LONGEST_HOST or any(len(label) > _LONGEST_LABEL for label in labels):
        return "too long for a host"
    return ".".join(
        label if label.isascii() else f"xn--{label.encode('punycode').decode()}" for label in labels
    )
