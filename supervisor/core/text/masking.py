"""Replaces secrets by `MASK` in text that leaves Flagman.

There are two masks. A person approves exactly what a call shows, so in the arguments of a call only values that are
known to be secrets are replaced, whatever else looks like one. Everywhere else (output, errors, notes) the mask
replaces all that looks like a secret.
"""

from __future__ import annotations

import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from supervisor.core.text.readings import Needles
from supervisor.core.text.secret_shapes import mask_shapes
from supervisor.core.text.spellings import spellings

MASK = "[masked]"
_SHORTEST = 8
# A secret below this length can also be a name that a command means, where it has only characters of names.
_NO_NAME = 16
# Characters of a secret by which its beginning is known at the end of a text.
_LONGEST_BEGINNING = 16_384
_NAME = re.compile(r"[A-Za-z0-9._-]*")
_OF_WORDS = re.compile(r"[A-Za-z0-9_-]")
# The text `MASK` itself in a call, which shows with one more backslash.
_LITERAL, _WRITTEN = re.compile(r"\[(\\*)masked\]"), re.compile(r"\[\\(\\*)masked\]")
# A line break inside a secret: with the blanks around it, or escaped in JSON.
_BREAK = r"(?:[ \t]{0,4}\\?[\r\n]\s{0,64}|(?:\\r\\n|\\[rn])[ \t]{0,64})"
_BREAKS = re.compile(_BREAK)
_CODED = "[A-Za-z0-9+/_-]"
Value = TypeVar("Value")


class Masker:
    """Masks `secrets`, whose values are known, and tokens and other secrets of well-known shapes.

    `granted` are values that can be secrets and are masked everywhere but in calls.
    The time of both masks grows linearly with the text.
    """

    def __init__(self, secrets: Iterable[str] = (), granted: Iterable[str] = ()) -> None:
        self._secrets, self._granted = frozenset(secrets), frozenset(granted)
        self._prepare()

    def learn(self, granted: Iterable[str]) -> None:
        """Mask these values, too, from now on."""
        if not self._granted.issuperset(new := frozenset(granted)):
            self._granted |= new
            self._prepare()

    def forget(self, granted: Iterable[str]) -> None:
        """Mask these values no longer, which were learned before and are of no use to anybody any more."""
        if gone := self._granted & frozenset(granted):
            self._granted -= gone
            self._prepare()

    def _prepare(self) -> None:
        sure = {s for s in self._secrets if len(s) >= _SHORTEST}
        known = sorted(sure | {s for s in self._granted if len(s) >= _SHORTEST}, key=len, reverse=True)
        self._spellings = [spelling for secret in known for spelling in spellings(secret)]
        self._needles = Needles(known, _SHORTEST)
        self._sure = [
            text for secret in known if secret in sure and not _is_name(secret) for text in _whole(secret)
        ]

    @property
    def longest(self) -> int:
        """The characters of the longest known secret."""
        return max(map(len, (*self._secrets, *self._granted)), default=0)

    def __call__(self, text: str) -> str:
        """Mask output, an error, a note or any other text that does not run.

        Known secrets are found in all their spellings, also with line breaks, colours and escapes inside them, and in
        dumps of bytes.
        """
        return text if len(text) < _SHORTEST else mask_shapes(self._unread(self._without_known(text)), MASK)

    def without_beginning(self, text: str) -> str:
        """Return the text without its last lines, where these may be the beginning of a known secret of several."""
        kept = text
        while kept.strip() and self._begins(_BREAKS.sub("", kept)):
            kept = kept.rstrip("\r\n")
            kept = kept[: max(kept.rfind("\n"), kept.rfind("\r")) + 1]
        return kept

    def _begins(self, flat: str) -> bool:
        """Return whether a text without line breaks ends with some of the first characters of a known secret."""
        end = flat[-_LONGEST_BEGINNING:]
        return any(
            len(end) - at < len(known.flat) and known.flat.startswith(end[at:])
            for known in self._spellings
            for at in _places(known.flat[:_SHORTEST], end)
        )

    def arguments(self, value: Value) -> Value:
        """Mask the arguments of a call, or a part of them (JSON), as they are shown to people and programs.

        Only known secrets that are a word of their own are replaced; one of less than 16 characters also shows where
        it can be a name (`production1`). Everything else shows, since it is what runs, the text `[masked]` as
        `[\\masked]`; see `as_written`.
        """
        masked: Value = masked_json(value, self._in_call)
        return masked

    def _in_call(self, text: str) -> str:
        text = _LITERAL.sub(r"[\\\1masked]", text)
        found = [_alone(spelling) for spelling in self._sure if spelling in text]
        return re.sub("|".join(found), MASK, text) if found else text

    def _unread(self, text: str) -> str:
        """Return the text without what is a known secret in one of its readings."""
        parts, last = [], 0
        for begin, end in self._needles.spans(text):
            parts += [text[last:begin], MASK]
            last = end
        return "".join((*parts, text[last:]))

    def _without_known(self, text: str) -> str:
        # Looking for all literals first is far quicker than one regular expression for all of them.
        flat = _BREAKS.sub("", text)
        broken = len(flat) < len(text)
        found = [s for s in self._spellings if s.text in text or (broken and s.flat in flat)]
        if not found:
            return text
        patterns = []
        for spelling in found:
            split = f"{_BREAK}?".join(map(re.escape, spelling.flat))
            either = f"(?:{re.escape(spelling.text)}|{split})"
            if spelling.part:
                # The characters beside it, perhaps on other lines, hold bits of the secret.
                either = f"(?:{_CODED}{_BREAK}?)?{either}(?:{_BREAK}?{_CODED})?(?:{_BREAK}?=){{0,2}}"
            patterns.append(either)
        return re.sub("|".join(patterns), MASK, text)


def masked_json(value: Any, mask: Callable[[str], str]) -> Any:
    """Return the JSON value with `mask` applied to its texts and names."""
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, list | tuple):
        return type(value)(masked_json(item, mask) for item in value)
    if not isinstance(value, dict):
        return value
    found: dict[str, Any] = {}
    for name, item in value.items():
        hidden = mask(name)
        # Two names that became equal by masking are kept apart.
        while hidden in found:
            hidden += "'"
        found[hidden] = masked_json(item, mask)
    return found


def as_written(value: Any) -> Any:
    """Return the arguments that a person made of those which a mask showed, of which none was a secret."""
    return masked_json(value, lambda text: _WRITTEN.sub(r"[\1masked]", text))


def _places(part: str, text: str) -> Iterator[int]:
    at = text.find(part)
    while at >= 0:
        yield at
        at = text.find(part, at + 1)


def _is_name(secret: str) -> bool:
    return len(secret) < _NO_NAME and _NAME.fullmatch(secret) is not None


def _whole(secret: str) -> Iterator[str]:
    """Yield the forms in which all of a secret, and nothing else, is one word."""
    yield from (spelling.text for spelling in spellings(secret) if not spelling.part)
    data = secret.encode("utf-8", "surrogatepass")
    for encoded in (b64encode(data).decode(), urlsafe_b64encode(data).decode()):
        yield from dict.fromkeys((encoded, encoded.rstrip("=")))


def _alone(spelling: str) -> str:
    """Return a pattern that matches the spelling where it is not part of a longer word."""
    begin = r"(?<![A-Za-z0-9_-])" if _OF_WORDS.match(spelling[0]) else ""
    end = r"(?![A-Za-z0-9_-])" if _OF_WORDS.match(spelling[-1]) else ""
    return begin + re.escape(spelling) + end
