"""Holds a reader of text to linear time: by the ratio of two lengths, so that no machine is too slow or too fast."""

from __future__ import annotations

import time
from collections.abc import Callable

# Linear time takes as many times longer as the text is; twice that is allowed, and quadratic time takes that squared.
ALLOWED = 2
TIMES, TRIES = 4, 5
# What takes less than so many seconds is quick enough, however short the shorter text took.
MOMENT = 0.02


def assert_linear(read: Callable[[str], object], text: str, short: str | None = None) -> None:
    """The text takes at most `ALLOWED` times as long, by its length, as `short`, else as its first quarter."""
    less = text[: len(text) // TIMES] if short is None else short
    most = ALLOWED * len(text) / max(len(less), 1)
    for _ in range(TRIES):
        took = seconds(read, text)
        if took <= max(most * seconds(read, less), MOMENT):
            return
    raise AssertionError(f"{took:.2f} s for {len(text):,} characters that begin with {text[:60]!r}")


def seconds(read: Callable[[str], object], text: str) -> float:
    """How much of the processor's time it took."""
    begun = time.process_time()
    read(text)
    return time.process_time() - begun
