"""Replaces secrets by `MASK` in text that leaves Flagman.

There are two masks. A person approves exactly what a call shows, so in the arguments of a call only what is known to be
a secret is replaced. Everywhere else (output, errors, notes) the mask replaces all that looks like a secret.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from supervisor.core.text.secret_shapes import mask_shapes, mask_tokens
from supervisor.core.text.spellings import spellings

MASK = "[masked]"
_SHORTEST = 8
# A secret below this length that is one plain word or number can also be part of a command.
_NO_WORD = 16
# A line break inside a secret: with the blanks around it, or escaped in JSON.
_BREAK = r"(?:[ \t]{0,4}\\?[\r\n]\s{0,64}|(?:\\r\\n|\\[rn])[ \t]{0,64})"
_BREAKS = re.compile(_BREAK)
_CODED = "[A-Za-z0-9+/_-]"
Value = TypeVar("Value")


class Masker:
    """Masks `secrets`, whose values are known, and tokens and other secrets of well-known shapes.

    The time of both masks grows linearly with the text.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        known = sorted({s for s in secrets if len(s) >= _SHORTEST}, key=len, reverse=True)
        self._spellings = [spelling for secret in known for spelling in spellings(secret)]
        self._sure = [s.text for secret in known if not _is_word(secret) for s in spellings(secret)]

    def __call__(self, text: str) -> str:
        """Mask output, an error, a note or any other text that does not run.

        Known secrets are found in all their spellings, also with line breaks inside them.
        """
        return text if len(text) < _SHORTEST else mask_shapes(self._without_known(text), MASK)

    def arguments(self, value: Value) -> Value:
        """Mask the arguments of a call, or a part of them (JSON), as they are shown to people and programs.

        Only known secrets, and tokens of a fixed prefix, alphabet and length that are a word of their own, are
        replaced: everything else shows, since it is what runs.
        """
        masked: Value = masked_json(value, self._in_call)
        return masked

    def _in_call(self, text: str) -> str:
        found = [re.escape(spelling) for spelling in self._sure if spelling in text]
        return mask_tokens(re.sub("|".join(found), MASK, text) if found else text, MASK)

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
    """The JSON value with `mask` applied to its texts and names."""
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


def _is_word(secret: str) -> bool:
    return len(secret) < _NO_WORD and (secret.isalpha() or secret.isdigit())
