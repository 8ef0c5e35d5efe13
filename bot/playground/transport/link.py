"""What a way to the app has to offer, whichever it is."""

from dataclasses import dataclass
from typing import Literal, Protocol

from bot.playground.store import Json

Kind = Literal["events_api", "slash_commands", "interactive"]


@dataclass(frozen=True)
class Ack:
    """What came back: the app's body if it acknowledged, or why it did not."""

    ok: bool
    payload: Json | None = None
    error: str = ""
    ms: float = 0.0
    no_retry: bool = False


@dataclass(frozen=True)
class Retry:
    """That this is a repetition, and why."""

    number: int
    reason: str


NOT_CONNECTED = Ack(ok=False, error="not_connected")


class Link(Protocol):
    """A way to the app."""

    @property
    def connected(self) -> bool:
        """Whether a receiver is connected, as far as is known."""
        ...

    async def send(self, kind: Kind, payload: Json, timeout: float, retry: Retry | None = None) -> Ack:
        """Deliver once and wait for the acknowledgement."""
        ...
