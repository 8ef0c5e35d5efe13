"""Finds known secrets in a text as it reads without its escapes, colours, line breaks and columns of numbers.

A reading is the text with some parts replaced by their meaning. A match in a reading is reported as a range of the text
itself. The time of a search grows linearly with the text.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator

_NAMED = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'", "nbsp": " "}
# One escape, or one thing that a terminal does not show; the groups have its meaning. It begins with one of a few
# fixed characters, which is faster to search for than a larger class.
_ESCAPE = re.compile(
    r"[\x08\x1b\r\n\\%=&'](?:(?<=\x1b)\[[0-9;:?]{0,24}[A-Za-z]|(?<=\x08)."
    # A line break with the blanks behind it, also of quoted-printable, of a shell and as JSON writes it.
    r"|(?<=[=\\])(?:\r\n|[\r\n])[ \t]{0,64}|(?<=\r)\n[ \t]{0,64}|(?<=[\r\n])[ \t]{0,64}"
    r"|(?<=\\)(?:r\\n|[rn])[ \t]{0,64}"
    r"""|(?<=')(?P<quote>["\\])'"?'"""
    r"|(?<=\\)u(?P<unit>[0-9A-Fa-f]{4})|(?:(?<=\\)x|(?<=[%=]))(?P<hex>[0-9A-Fa-f]{2})"
    r"|(?<=\\)(?P<oct>[0-3][0-7]{2})|(?<=\\)(?P<any>.)"
    r"|(?<=&)(?:\#[xX](?P<hexref>[0-9A-Fa-f]{1,5})|\#(?P<ref>[0-9]{1,6})|(?P<name>amp|lt|gt|quot|apos|nbsp));)"
)
# In dumps: the offset at the beginning of a line, the characters at its end, and separators between the numbers.
_BETWEEN = re.compile(
    r"(?m)^[ \t]{0,8}[0-9A-Fa-f]{6,16}:?[ \t]{1,4}(?=[0-9A-Fa-f]{2})| {2,64}(?:\|.{0,17}\||(?! ).{1,16})$|[\s:,]|\\x|0x"
)
_NO_DIGIT = bytes(set(range(256)) - set(b"0123456789abcdef"))
# The number of hexadecimal digits of a secret that are always on one line of a dump.
_WINDOW = 8
# Two bytes as one number, the second one first.
_WORDS_OF_TWO = re.compile(r"([0-9a-f]{2})([0-9a-f]{2})")
_WORDS = re.compile(rf"\b{_WORDS_OF_TWO.pattern}\b")


class Reading:
    """A text read from a source, `text`, with the position in the source for each position in it."""

    def __init__(self, source: str, pattern: re.Pattern[str], meant: Callable[[re.Match[str]], str]) -> None:
        pieces: list[str] = []
        self._here, self._there, length, last = [0], [0], 0, 0
        for found in pattern.finditer(source):
            plain, instead = source[last : found.start()], meant(found)
            pieces += (plain, instead)
            # The replacement of an escape is at the position of the escape; the text after it follows.
            self._mark(length + len(plain), found.start())
            length += len(plain) + len(instead)
            last = found.end()
            self._mark(length, last)
        self.text = "".join((*pieces, source[last:]))

    def _mark(self, here: int, there: int) -> None:
        if here == self._here[-1]:
            self._there[-1] = there
        else:
            self._here.append(here)
            self._there.append(there)

    def place(self, here: int) -> int:
        at = bisect_right(self._here, here) - 1
        return self._there[at] + here - self._here[at]

    def span(self, begin: int, end: int) -> tuple[int, int]:
        return self.place(begin), self.place(end - 1) + 1


def read_escapes(text: str) -> Reading:
    return Reading(text, _ESCAPE, _meant)


def _meant(found: re.Match[str]) -> str:
    kind, value = found.lastgroup, found[found.lastgroup] if found.lastgroup else ""
    if kind == "quote":
        return "'"
    if kind in ("unit", "hex", "hexref"):
        return chr(int(value, 16))
    if kind == "oct":
        return chr(int(value, 8))
    if kind == "ref":
        return chr(min(int(value), 0xFFFF))
    return _NAMED[value] if kind == "name" else value


class Needles:
    """Known secrets, as they are to be found in each kind of reading."""

    def __init__(self, secrets: Iterable[str], shortest: int) -> None:
        plain: set[str] = set()
        for secret in secrets:
            flat = re.sub(r"[\r\n]+", "", secret)
            once = read_escapes(secret).text
            for text in (flat, once, read_escapes(once).text):
                plain |= {text, text.encode("utf-8", "surrogatepass").decode("latin-1")}
        self._plain = sorted((text for text in plain if len(text) >= shortest), key=len, reverse=True)
        self._windows: set[bytes] = set()
        self._hex = [secret.encode("utf-8", "surrogatepass").hex() for secret in secrets]
        for digits in self._hex:
            for at in range(0, len(digits) - _WINDOW + 1, 2):
                window = digits[at : at + _WINDOW]
                self._windows |= {window.encode(), _WORDS_OF_TWO.sub(r"\2\1", window).encode()}

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Return the ranges of the text that hold a secret in one of its readings, in order and apart."""
        found = list(self._in_escapes(text))
        digits = text.lower().replace("0x", "").encode("latin-1", "replace").translate(None, _NO_DIGIT)
        if any(window in digits for window in self._windows):
            found += self._in_dumps(text, text)
            found += self._in_dumps(text, _WORDS.sub(r"\2\1", text))
        return _apart(found)

    def _in_escapes(self, text: str) -> Iterator[tuple[int, int]]:
        if not self._plain or not _ESCAPE.search(text):
            return
        once = read_escapes(text)
        yield from (once.span(*span) for span in _places(once.text, self._plain))
        if _ESCAPE.search(once.text):
            twice = read_escapes(once.text)
            for begin, end in _places(twice.text, self._plain):
                yield once.span(*twice.span(begin, end))

    def _in_dumps(self, text: str, source: str) -> Iterator[tuple[int, int]]:
        flat = _BETWEEN.sub("", source).lower()
        if not any(needle in flat for needle in self._hex):
            return
        reading = Reading(source, _BETWEEN, lambda found: "")
        for span in _places(reading.text.lower(), self._hex):
            begin, end = reading.span(*span)
            if re.search(r"\s", text[begin:end]):
                # The characters at the end of the line show the same bytes, so they are part of the secret, too.
                begin, end = text.rfind("\n", 0, begin) + 1, text.find("\n", end)
            yield begin, end if end >= 0 else len(text)


def _places(text: str, needles: Iterable[str]) -> Iterator[tuple[int, int]]:
    for needle in needles:
        at = text.find(needle)
        while at >= 0:
            yield at, at + len(needle)
            at = text.find(needle, at + len(needle))


def _apart(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for begin, end in sorted(spans):
        if found and begin <= found[-1][1]:
            found[-1] = found[-1][0], max(end, found[-1][1])
        else:
            found.append((begin, end))
    return found
