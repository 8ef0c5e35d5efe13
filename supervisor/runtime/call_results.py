"""Records the end of calls that ran in this worker."""

from __future__ import annotations

import logging

from supervisor.core.errors import IllegalEvent
from supervisor.core.events import InputRequested, Paused, ToolFinished, ToolNotBegun
from supervisor.runtime.tool_runner import Result
from supervisor.runtime.unit_of_work import UnitOfWork

_log = logging.getLogger("flagman.runner")
TOO_LATE = "Its server asked for input, and the session had ended: it was not continued."


def record_result(
    unit: UnitOfWork, call_id: str, attempt: int, result: Result, *, held: bool = False
) -> None:
    """Add what became of an attempt to the log; with `held`, one that did not begin is looked at anew."""
    about = {**unit.now(), "call_id": call_id, "attempt": attempt}
    event: ToolFinished | ToolNotBegun | InputRequested = ToolNotBegun(**about, held=held)
    needs = result.needs
    if needs and not unit.session.ended:
        event = InputRequested(**about, requests=needs.requests, state=needs.state)
    elif result.begun:
        result_of = {"ok": result.ok, "content": TOO_LATE if needs else result.content}
        result_of |= {"artifacts": result.artifacts, "removed": result.removed}
        event = ToolFinished(**about, **result_of, duration_ms=result.duration_ms)
    try:
        unit.add(event)
        if not result.begun and result.content and not (unit.session.pause or unit.session.ended):
            # The call runs when a person resumes the session: its approval still counts.
            detail = result.content
            unit.add(Paused(**unit.now(), reason="error_threshold_exceeded", detail=detail))
    except IllegalEvent as error:
        # Another worker took this call over and recorded its end first.
        _log.warning("session %s: the result of %s came too late: %s", unit.session.id, call_id, error)
