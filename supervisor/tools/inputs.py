"""What a running tool asks people for, and how long it may take them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from supervisor.core.elicitation.request import InputAction, InputRequest, Inputs
from supervisor.core.messages import Json


@dataclass(frozen=True)
class InputAnswer:
    """What people gave to a request: `content` has its fields where they accepted. `late`: nobody answered in time."""

    action: InputAction
    content: Json | None = None
    late: bool = False


# Asks people, and waits for at most so many seconds while the call is held open.
Ask = Callable[[InputRequest, float], Awaitable[InputAnswer]]


async def nobody(request: InputRequest, within: float) -> InputAnswer:
    """Return that nobody answers; the default of `ToolContext.ask`."""
    return InputAnswer("decline")


class InputNeeded(Exception):
    """A call that is to be continued with the answers to these requests and with the server's `state`."""

    def __init__(self, requests: tuple[InputRequest, ...], state: str | None) -> None:
        super().__init__("The call needs input.")
        self.requests, self.state = requests, state


@dataclass(frozen=True)
class Continued:
    """What an earlier attempt asked for and was given, by the keys of its requests; `asked` counts all so far."""

    answers: dict[str, InputAnswer]
    state: str | None
    asked: int

    @classmethod
    def of(cls, inputs: Inputs) -> Continued | None:
        """Return what an attempt continues; None where it begins the call."""
        if not inputs.continues:
            return None
        given = {one.request.key: InputAnswer(one.action, one.content) for one in inputs.last if one.action}
        return cls(given, inputs.state, len(inputs.asked))


@contextmanager
def standing(limit: asyncio.Timeout) -> Iterator[None]:
    """Let the time of a limit stand still, while people are asked."""
    clock, until = asyncio.get_running_loop().time, limit.when()
    begun = clock()
    limit.reschedule(None)
    try:
        yield
    finally:
        if until is not None and not limit.expired():
            limit.reschedule(until + clock() - begun)
