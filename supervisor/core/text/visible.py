r"""Makes invisible characters visible: each character of `HIDDEN` becomes a marker such as `\u200b`.

Messages, forms, the command line and the SESSION_LOG call it. `visible` is for prose and may be applied twice.
`call_text` and `call_json` are for the arguments of calls; they are applied once, to the raw value, and give different
values different texts: text that looks like a marker is escaped, long blanks are replaced by their count, and a host
with other than ASCII letters is followed by its punycode.
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

# The most blanks in a row, line breaks in a row, and combining marks on one letter that are shown unchanged.
MOST_BLANKS, MOST_BREAKS, MOST_MARKS = 40, 4, 3
_LONGEST_LABEL, _LONGEST_HOST = 63, 253
_BLANKS = {" ": "space", "\t": "tab", "\n": "line break"}
# Scripts with letters that look like Latin ones.
_LOOKALIKE = {"CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "COPTIC", "LISU"}


def characters(ranges: str) -> str:
    """Return the ranges as the content of a character class of a regular expression."""
    ends = (part.split("-") for part in ranges.split())
    return "".join("-".join(f"\\U{int(end, 16):08x}" for end in pair) for pair in ends)


def _planes(ranges: str) -> tuple[str, str]:
    """The ranges of the first plane, and those beyond it, each as the content of a character class."""
    near = " ".join(part for part in ranges.split() if len(part.partition("-")[0]) <= 4)
    far = " ".join(part for part in ranges.split() if len(part.partition("-")[0]) > 4)
    return characters(near), characters(far)


_FAR = "\\U00010000-\\U0010ffff"


def _one_of(ranges: str) -> str:
    """The pattern of one character. Ranges beyond the first plane are compared one by one, so with such only."""
    near, far = _planes(ranges)
    return f"(?:[{near}]|(?=[{_FAR}])[{far}])"


_H, _M, _E = map(_one_of, (HIDDEN, MARKS, EMOJI))
_NEAR = _planes(f"{HIDDEN} {MARKS}")[0]
_KEYCAP = r"[0-9#*]\ufe0f\u20e3"
_REST = rf"(?P<hidden>{_H})|(?P<marks>{_M}+)"
_HOST = r"""(?P<host>(?<=://)[^\s/?\#\\"'<>|]+|(?<![\w.-])[\w-]+(?:\.[\w-]+)+)"""
_RUN = r"(?P<run>[ \t\n]{5,})"
_LITERAL = r"(?P<literal>⟨|\\(?=u[0-9a-f]{4}|U[0-9a-f]{8}))"
_ONE, _MARKS = re.compile(_H), re.compile(_M)
# Texts without a match of these are returned unchanged; all characters beyond the first plane count as suspect.
_SUSPECT = re.compile(f"[{_NEAR}{_FAR}]")
_SUSPECT_CALL = re.compile(r"[^\t\n -~]|⟨|\\[uU]|[ \t\n]{5}")
# Where the next two can match at all; other characters are not compared with each alternative.
_BEGIN = f"(?=[0-9#*{_NEAR}{_planes(EMOJI)[0]}{_FAR}])"
_PROSE = re.compile(rf"{_BEGIN}(?:{_KEYCAP}|{_E}\ufe0f?(?:\u200d{_E}\ufe0f?)*|{_REST})")
_STRICT = re.compile(rf"{_BEGIN}(?:{_KEYCAP}|{_E}\ufe0f|{_REST})")
_CALL = re.compile(rf"{_KEYCAP}|{_E}\ufe0f|{_HOST}|{_RUN}|{_LITERAL}|{_REST}")
_CALL_JSON = re.compile(rf"{_KEYCAP}|{_E}\ufe0f|{_HOST}|{_RUN}|(?P<literal>⟨)|{_REST}")
_LONG = re.compile(rf"(?<=\S) {{{MOST_BLANKS + 1},}}")
Escape = Callable[[str], str]


def visible(text: str) -> str:
    """Return prose with markers for its hidden characters; line feed, tab and the joiners inside an emoji stay."""
    return _PROSE.sub(_piece(marker), text) if _SUSPECT.search(text) else text


def is_blank(text: str) -> bool:
    """Return whether a text shows nothing: it is empty, or has blanks, hidden characters and combining marks only."""
    return not _ONE.sub("", _MARKS.sub("", text)).strip()


def one_line(text: str, limit: int) -> str:
    """Return prose on one line, cut to `limit` characters; for headings and lists."""
    # A short line does not need the whole of a long text; where it is cut, the markers of two characters may differ.
    flat = _flat(text[: 4 * limit])
    if len(text) > 4 * limit and len(flat) <= limit + 20:
        flat = _flat(text)
    return flat if len(flat) <= limit else f"{flat[: limit - 1]}…"


def _flat(text: str) -> str:
    return " ".join(visible(text).split())


def call_text(text: str) -> str:
    """Return a text of a call, such as a command, with markers; its line breaks stay."""
    return _CALL.sub(_piece(marker), text) if _SUSPECT_CALL.search(text) else text


def call_name(name: str) -> str:
    """Return a text of a call on one line, as `call_text`, with markers for line breaks and tabs, too."""
    return call_text(name).replace("\n", marker("\n")).replace("\t", marker("\t"))


def call_json(value: Any, indent: int | None = 2) -> str:
    """Return a JSON value of a call, as `call_text`; the markers are JSON's own escapes."""
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    return _CALL_JSON.sub(_piece(_json_escape), text)


def call_value(value: Any) -> str:
    """Return an argument of a call: a text by `call_text`, any other value by `call_json`."""
    return call_text(value) if isinstance(value, str) else call_json(value)


def json_text(value: Any, indent: int | None = None) -> str:
    """Return the value as JSON, with its hidden characters written as escapes; parsing it gives the same value."""
    return escaped_json(json.dumps(value, ensure_ascii=False, indent=indent))


def escaped_json(text: str) -> str:
    """Return the JSON document with its hidden characters written as escapes; parsing it gives the same value."""
    return _STRICT.sub(_piece(_json_escape), text) if _SUSPECT.search(text) else text


def fold_blanks(text: str) -> str:
    """Return a line of a document: as `visible`, with long blanks inside it replaced by their count."""
    shown = visible(text).replace("⟨", marker("⟨"))
    return _LONG.sub(lambda found: _blanks(found[0]), shown)


def marker(character: str) -> str:
    r"""Return the marker of a character: `\u200b`, or `\U000e0100` beyond the first plane."""
    code = ord(character)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def _json_escape(character: str) -> str:
    # `json.dumps` escapes all hidden characters except U+007F.
    return json.dumps(character)[1:-1] if character != "\x7f" else "\\u007f"


def _piece(escape: Escape) -> Callable[[re.Match[str]], str]:
    """Return the function that replaces a match of one of the patterns above."""

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
    """Return a letter with its first `MOST_MARKS` marks; further marks, and those without a letter, are escaped."""
    before = found.string[max(found.start() - 1, 0) : found.start()]
    alone = not before or before.isspace() or _ONE.match(before)
    kept = 0 if alone else MOST_MARKS
    return found[0][:kept] + "".join(map(escape, found[0][kept:]))


def _run(run: str) -> str:
    """Return a run of blanks and line breaks, with a count in place of those above the limits; the last break stays."""
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


# As `_CALL` for the inside of a host, in which there are no blanks.
_CALL_WORD = re.compile(rf"{_KEYCAP}|{_E}\ufe0f|{_LITERAL}|{_REST}")


def _is_mixed(label: str) -> bool:
    """Return whether a label mixes Latin letters with those of a script that looks like Latin."""
    scripts = {unicodedata.name(c, "").partition(" ")[0] for c in label if c.isalpha()}
    return "LATIN" in scripts and bool(scripts & _LOOKALIKE)


def _punycode(authority: str) -> str:
    """Return the host of an authority in the form that name servers receive."""
    host = _ONE.sub("", authority.rpartition("@")[2])
    host = re.sub(r":\d*$", "", unicodedata.normalize("NFKC", host[:_LONGEST_HOST])).lower()
    labels = re.split("[.。]", host)
    if len(authority) > _LONGEST_HOST or any(len(label) > _LONGEST_LABEL for label in labels):
        return "too long for a host"
    return ".".join(
        label if label.isascii() else f"xn--{label.encode('punycode').decode()}" for label in labels
    )
