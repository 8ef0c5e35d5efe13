"""Waiting until replicas have what was written, since the answer to a write says only that the primary has it."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import Any

import hiredis
from redis.exceptions import ConnectionError as RedisConnectionError

LONGEST_MS = 5000
_FORM = re.compile(r"(\d)(?:/(\d{1,4}))?")


@dataclass(frozen=True)
class Replicas:
    """How many replicas must have a write, and after how many milliseconds without that it is given up."""

    count: int
    milliseconds: int = 1000

    @classmethod
    def parse(cls, text: str) -> Replicas | None:
        """Return what `1` or `1/500` says; None for 0 and for an empty text. Raises ValueError."""
        found = _FORM.fullmatch(text or "0")
        milliseconds = int(found[2] or 1000) if found else 0
        if not found or not 1 <= milliseconds <= LONGEST_MS:
            raise ValueError(
                "must look like 1 (replicas that have each append before it counts) or 1/500 (given up after 500 ms, "
                f"at most {LONGEST_MS})"
            )
        return cls(int(found[1]), milliseconds) if int(found[1]) else None


class TooFewReplicas(RedisConnectionError):
    """The primary has carried the command out, and too few replicas have confirmed that they have it."""

    def __init__(self, wanted: Replicas, confirmed: int) -> None:
        super().__init__(
            f"{confirmed} of {wanted.count} replicas confirmed the write within {wanted.milliseconds} ms"
        )


class Confirmation:
    """Holds the answers of a connection until the WAIT that is sent after them is answered.

    It is `idle` while none is sent. The server answers nothing else meanwhile, so what comes then is sent together.
    """

    def __init__(self, replicas: Replicas) -> None:
        self._replicas = replicas
        words: tuple[Any, ...] = ("WAIT", replicas.count, replicas.milliseconds)
        self._packed = hiredis.pack_command(words)
        self._wait: asyncio.Future[Any] | None = None
        self.idle = asyncio.Event()
        self.idle.set()
        self._held: list[tuple[asyncio.Future[Any], Any, Exception | None]] = []

    def call(self, loop: asyncio.AbstractEventLoop) -> tuple[bytes, asyncio.Future[Any]]:
        """Return the WAIT to be sent after the commands of one turn."""
        self._wait = loop.create_future()
        self.idle.clear()
        return self._packed, self._wait

    def hear(self, answer: asyncio.Future[Any], value: Any, refusal: Exception | None) -> None:
        """Hold an answer, or give those that are held to their callers where it is that of a WAIT."""
        if answer is not self._wait:
            self._held.append((answer, value, refusal))
            return
        self._wait = None
        self.idle.set()
        short = refusal
        if short is None and int(value) < self._replicas.count:
            short = TooFewReplicas(self._replicas, int(value))
        for held, its_value, its_refusal in self._held:
            settle(held, its_value, its_refusal or short)
        self._held.clear()
        answer.cancel()

    @property
    def unconfirmed(self) -> list[asyncio.Future[Any]]:
        return [answer for answer, *_ in self._held]


def settle(answer: asyncio.Future[Any], value: Any, error: Exception | None) -> None:
    """Set an answer or an error, unless the caller no longer waits."""
    if answer.done():
        return
    if error is None:
        answer.set_result(value)
    else:
        answer.set_exception(error)
