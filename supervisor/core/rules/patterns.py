"""Patterns of a call's arguments, by which calls are allowed in advance: what a person sees is all that they match."""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Mapping
from functools import lru_cache
from itertools import takewhile
from typing import Any, Literal, NamedTuple

from supervisor.core.digest import canonical_json
from supervisor.core.errors import InvalidInput
from supervisor.core.messages import Json
from supervisor.core.persona import COMMANDS
from supervisor.core.rules.programs import names_program, program
from supervisor.core.text.masking import MASK

MOST_CHARACTERS = 2000
ANYTHING = "*"
Kind = Literal["command", "url", "text"]
# What a star stands for: nothing that a shell, or a reader of an address, takes for more than a letter.
_LETTERS = string.ascii_letters + string.digits
_STARS: dict[Kind, frozenset[str]] = {
    "command": frozenset(_LETTERS + " _./:=,@+-"),
    "text": frozenset(_LETTERS + " _./:=,@+-"),
    "url": frozenset(_LETTERS + "_./:=,+?&~-"),
}
# What is before the first star of a pattern, and what to say of one where that is missing.
_ADDRESS = re.compile(r"https?://[^/*?#@\\\s]+/")
_BEFORE: dict[Kind, tuple[Callable[[str], object], str]] = {
    "command": (
        names_program,
        "the program is named before its first *, and is none that runs others, such as sudo",
    ),
    "url": (_ADDRESS.match, "there are the scheme and the host before its first *"),
}


class _Pattern(NamedTuple):
    """The parts of a pattern: characters, and None for a star."""

    parts: tuple[str | None, ...]

    @property
    def has_star(self) -> bool:
        return None in self.parts

    @property
    def before(self) -> str:
        """The text before the first star."""
        return "".join(takewhile(lambda part: part is not None, self.parts))  # type: ignore[arg-type]

    def matches(self, text: str, star: frozenset[str]) -> bool:
        """Whether it matches the whole text; a star takes characters of `star`. The time grows with the text alone."""
        stars = sum(1 << n for n, part in enumerate(self.parts) if part is None)
        letters: dict[str, int] = {}
        for n, part in enumerate(self.parts):
            if part is not None:
                letters[part] = letters.get(part, 0) | 1 << n
        # Bit n is set where the first n parts match what was read.
        state = 1 | (1 & stars) << 1
        for character in text:
            state = (state & letters.get(character, 0)) << 1 | (state & stars if character in star else 0)
            state |= (state & stars) << 1
            if not state:
                return False
        return bool(state >> len(self.parts) & 1)


def kind_of(tool: str, argument: str) -> Kind:
    """Return what an argument holds, which decides what a star in its pattern stands for."""
    if tool in COMMANDS and argument == "command":
        return "command"
    return "url" if argument == "url" else "text"


def check_patterns(tool: str, patterns: Mapping[str, str]) -> dict[str, str]:
    """Return the patterns if they can be used for calls of the tool. Raises InvalidInput with what to change."""
    for argument, pattern in patterns.items():
        if len(pattern) > MOST_CHARACTERS:
            raise InvalidInput(f"The pattern of `{argument}` has over {MOST_CHARACTERS:,} characters.")
        if MASK in pattern:
            raise InvalidInput(
                f"The pattern of `{argument}` has {MASK} in place of a secret, which no call has."
            )
        names, what = _BEFORE.get(kind_of(tool, argument), (None, ""))
        if names and _parsed(pattern).has_star and not names(_parsed(pattern).before):
            raise InvalidInput(f"The pattern of `{argument}` allows too much; write it so that {what}.")
    return dict(patterns)


def matches(tool: str, patterns: Mapping[str, str], arguments: Json) -> bool:
    r"""Whether there is a pattern for each argument of a call, each of which matches the whole argument.

    `*` stands for letters, digits, spaces and `_./:=,@+-` of ASCII, `\*` for a star. In an address it stands for `?&~`,
    too, but neither for a space nor for `@`. Nothing with `..` matches a pattern with a star. One that is nothing but
    `*` matches any value of an argument that is no command and no address. What is no text is compared as canonical
    JSON.
    """
    return patterns.keys() == arguments.keys() and all(
        _matches(kind_of(tool, argument), pattern, arguments[argument])
        for argument, pattern in patterns.items()
    )


def _matches(kind: Kind, pattern: str, value: Any) -> bool:
    if pattern == ANYTHING:
        return kind == "text"
    text, parsed = value if isinstance(value, str) else canonical_json(value), _parsed(pattern)
    return not (parsed.has_star and ".." in text) and parsed.matches(text, _STARS[kind])


@lru_cache(maxsize=1000)
def _parsed(pattern: str) -> _Pattern:
    parts: list[str | None] = []
    characters = iter(pattern)
    for character in characters:
        if character == "\\":
            parts.append(next(characters, character))
        elif character != "*":
            parts.append(character)
        elif not parts or parts[-1] is not None:
            parts.append(None)
    return _Pattern(tuple(parts))


def escape(text: str) -> str:
    """Return the pattern that matches this text alone."""
    return text.replace("\\", "\\\\").replace("*", "\\*")


def exactly(arguments: Json) -> dict[str, str]:
    """Return the patterns that match these arguments alone."""
    return {
        name: escape(value if isinstance(value, str) else canonical_json(value))
        for name, value in arguments.items()
    }


def suggest(tool: str, arguments: Json) -> dict[str, str]:
    """Return patterns for calls like this one: the same program, place or folder, and any content of a written file."""
    return {name: _suggested(tool, name, value, arguments) for name, value in arguments.items()}


def _suggested(tool: str, name: str, value: Any, arguments: Json) -> str:
    kind = kind_of(tool, name)
    exact = escape(value if isinstance(value, str) else canonical_json(value))
    if name == "content" and "path" in arguments:
        return ANYTHING
    if not isinstance(value, str) or not _STARS[kind].issuperset(value) or ".." in value:
        return exact
    if kind == "command":
        words = value.split(" ")
        kept = words.index(program(words)) + 1 if program(words) else 0
        kept += len(words) > kept + 1 and words[kept].isalpha()
        wider = " ".join((*words[:kept], ANYTHING))
        return wider if len(words) > kept and names_program(wider[:-1]) else exact
    if kind == "url" or name == "path":
        wider = f"{value.rpartition('/')[0]}/*"
        return wider if "/" in value and (kind != "url" or _ADDRESS.match(wider)) else exact
    return exact
