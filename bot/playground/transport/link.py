"""Interface of the transports to the app."""

from dataclasses import dataclass
from typing import Literal, Protocol

from bot.playground.store import Json

Kind = Literal["events_api", "slash_commands", "interactive"]


@dataclass(frozen=True)
class Ack:
    """Result of a delivery: the app's response if it acknowledged, else the error; `ms` is the duration."""

    ok: bool
    payload: Json | None = None
    error: str = ""
    ms: float = 0.0
    no_retry: bool = False


@dataclass(frozen=True)
class Retry:
    """Number and reason of a repeated delivery."""

    number: int
    reason: str


NOT_CONNECTED = Ack(ok=False, error="not_connected")


class Link(Protocol):
    """A transport to the app."""

    @property
    def connected(self) -> bool:
        """Whether a receiver is connected, as far as that is known."""
        ...

    async def send(self, kind: Kind, payload: Json, timeout: float, retry: Retry | None = None) -> Ack:
        """Deliver once and wait up to `timeout` seconds for the acknowledgement."""
        ...
