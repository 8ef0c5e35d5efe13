"""Puts to people what servers ask for while their calls are held open in this worker, and hands them the answers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from supervisor.core.elicitation.request import InputRequest
from supervisor.core.errors import IllegalEvent
from supervisor.core.events import InputGiven, InputRequested
from supervisor.core.text.format import span
from supervisor.runtime.unit_of_work import UnitOfWork
from supervisor.tools.inputs import InputAnswer

_log = logging.getLogger("flagman.runner")
STOPPED = "Flagman was stopped before anybody answered, so the server was told `cancel`."


@dataclass
class _Held:
    """A request that a call waits for; `at` is its position among those of its call, once it is in the log."""

    call_id: str
    attempt: int
    request: InputRequest
    until: datetime
    answer: asyncio.Future[InputAnswer]
    at: int = -1
    given_up: str = ""


class HeldInputs:
    """The requests that calls of one job wait for; `news` is set when there is something to record."""

    def __init__(self, unit: UnitOfWork, clock: Callable[[], datetime]) -> None:
        self._unit, self._clock = unit, clock
        self._held: list[_Held] = []
        self.news = asyncio.Event()

    async def ask(self, call_id: str, attempt: int, request: InputRequest, within: float) -> InputAnswer:
        """Ask people, and return what they give within so many seconds; called by the tool of the call."""
        until = self._clock() + timedelta(seconds=within)
        one = _Held(call_id, attempt, request, until, asyncio.get_running_loop().create_future())
        self._held.append(one)
        self.news.set()
        try:
            try:
                async with asyncio.timeout(within):
                    return await asyncio.shield(one.answer)
            except TimeoutError:
                waited = span(timedelta(seconds=within))
                one.given_up = f"Nobody answered within {waited}, so the server was told `cancel`."
                self.news.set()
            # Who answers at the last moment is heard: the log says which came first.
            return await one.answer
        finally:
            self._held.remove(one)

    def record(self, *, stopping: bool) -> None:
        """Add to the log what is asked, and what nobody answered in time."""
        self.news.clear()
        for one in self._held:
            if one.answer.done():
                continue
            if self._unit.lost:
                # Another worker has the session, and asks about this call.
                one.answer.set_result(InputAnswer("cancel", late=True))
                continue
            if stopping:
                one.given_up = one.given_up or STOPPED
            try:
                self._record(one)
            except IllegalEvent as error:
                _log.info("session %s: the server of %s: %s", self._unit.session.id, one.call_id, error)
                one.answer.set_result(InputAnswer("cancel", late=True))

    def _record(self, one: _Held) -> None:
        about = {**self._unit.now(), "call_id": one.call_id}
        inputs = self._unit.session.call(one.call_id).inputs
        if one.at < 0:
            asked = {"attempt": one.attempt, "requests": (one.request,), "until": one.until}
            self._unit.add(InputRequested(**about, **asked))
            one.at = len(inputs.asked)
        elif one.given_up and inputs.asked[one.at :] and inputs.asked[one.at].action is None:
            given = {"key": one.request.key, "action": "cancel", "answer": one.given_up}
            self._unit.add(InputGiven(**about, **given))

    def settle(self) -> None:
        """Hand over the answers that are in the log."""
        if self._unit.pending:
            return
        for one in self._held:
            asked = self._unit.session.call(one.call_id).inputs.asked[one.at :] if one.at >= 0 else ()
            if one.at >= 0 and not asked and not one.answer.done():
                # Its record was given up in a conflict.
                one.at = -1
                self.news.set()
            if asked and asked[0].action and not one.answer.done():
                late = asked[0].by == self._unit.now()["by"]
                one.answer.set_result(InputAnswer(asked[0].action, asked[0].content, late=late))
