"""Reads single keys from the terminal."""

from __future__ import annotations

import os
import select
import sys
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager

NEXT, BACK, FIRST, LAST, GO, QUIT, ENTER, ERASE, ESCAPE = (
    "next", "back", "first", "last", "go", "quit", "enter", "erase", "escape",
)  # fmt: skip
_NAMES = {
    " ": NEXT, "n": NEXT, "j": NEXT, "\x1b[C": NEXT, "\x1b[B": NEXT, "\x1b[6~": NEXT,
    "p": BACK, "k": BACK, "\x1b[D": BACK, "\x1b[A": BACK, "\x1b[5~": BACK,
    "\x1b[H": FIRST, "\x1b[1~": FIRST, "e": LAST, "\x1b[F": LAST, "\x1b[4~": LAST,
    "g": GO, "q": QUIT, "\r": ENTER, "\n": ENTER, "\x7f": ERASE, "\x08": ERASE, "\x1b": ESCAPE,
}  # fmt: skip
# The characters that a terminal sends for one key follow each other within this time.
_TOGETHER_SECONDS = 0.05


@contextmanager
def keyboard() -> Iterator[None]:
    """Have the terminal send keys without Enter and without echo; its settings are restored afterwards."""
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    try:
        tty.setcbreak(descriptor)
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def read_key(seconds: float) -> str | None:
    """Return the name or the character of the next key; None if there is none in `seconds`. Raises EOFError."""
    character = _read(seconds)
    if character == "\x1b":
        while (more := _read(_TOGETHER_SECONDS)) is not None:
            character += more
            if more.isalpha() or more == "~":
                break
    return None if character is None else _NAMES.get(character, character)


def _read(seconds: float) -> str | None:
    descriptor = sys.stdin.fileno()
    if not select.select([descriptor], [], [], seconds)[0]:
        return None
    data = os.read(descriptor, 1)
    if not data:
        raise EOFError
    return data.decode("latin-1")
