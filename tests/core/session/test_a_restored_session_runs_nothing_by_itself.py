"""A restored log may lack its last events: what was about to run may have run, and a person says what became of it."""

from __future__ import annotations

from typing import Any

import pytest

from supervisor.core.control import Wait, next_action
from supervisor.core.errors import IllegalEvent
from supervisor.core.events import (
    ApprovalDecided,
    ApprovalRequested,
    Event,
    OutcomeDecided,
    OutcomeLost,
    SessionRestored,
    ToolCall,
    ToolStarted,
)
from supervisor.core.reducer import fold
from supervisor.core.reducer.session import LOST_ARGUMENTS, LOST_OUTCOME
from supervisor.core.state import Call
from tests.core.build import AT, BOB, SID, by, launched, responded, tool_call


def begun(phase: str, **fields: Any) -> list[Event]:
    """The events after which a call is in this phase."""
    call: ToolCall = tool_call(mode="ask" if phase in ("awaiting", "approved") else "allow", **fields)
    asked = ApprovalRequested(**by(), request_id="r1", call_ids=("1.1",))
    approved = ApprovalDecided(**by(BOB), call_id="1.1", digest=call.digest, verdict="approve", via="anyone")
    started = ToolStarted(**by(), call_id="1.1", attempt=1, idempotency_key="k", digest=call.digest)
    lost = OutcomeLost(**by(), call_id="1.1", attempt=1)
    more: dict[str, list[Event]] = {
        "ready": [],
        "awaiting": [asked],
        "approved": [asked, approved],
        "started": [started],
        "unknown": [started, lost],
    }
    return [launched(), responded(call), *more[phase]]


def restored(phase: str, *lost: str, **fields: Any) -> Call:
    events = begun(phase, **fields)
    assert fold(SID, events).call("1.1").phase == phase
    return fold(SID, [*events, SessionRestored(**by(BOB), chain="c" * 64, lost=lost)]).call("1.1")


@pytest.mark.parametrize("idempotent", [True, False])
@pytest.mark.parametrize("phase", ["ready", "awaiting", "approved", "started", "unknown"])
def test_only_what_may_run_twice_runs_by_itself(phase: str, idempotent: bool) -> None:
    before = fold(SID, begun(phase, idempotent=idempotent)).call("1.1")
    found = restored(phase, idempotent=idempotent)
    if phase in ("ready", "approved") and not idempotent:
        # A decision on an earlier request does not count for this one.
        assert (found.phase, found.request) == ("unknown", before.request + 1)
    else:
        assert found == before


@pytest.mark.parametrize(
    ("phase", "then", "content"),
    [
        *((phase, "refused", LOST_ARGUMENTS) for phase in ("ready", "awaiting", "approved")),
        *((phase, "finished", LOST_OUTCOME) for phase in ("started", "unknown")),
    ],
)
def test_a_call_whose_arguments_were_a_secret_has_a_result_that_says_so(
    phase: str, then: str, content: str
) -> None:
    found = restored(phase, "1.1")
    assert (found.phase, found.ok, found.content, found.settled) == (then, False, content, True)


def test_a_person_decides_on_what_may_have_run() -> None:
    session = fold(SID, [*begun("approved"), SessionRestored(**by(BOB), chain="c" * 64)])
    assert next_action(session, AT) == Wait()
    assert session.waiting_for == "outcome_unknown"
    again = fold(SID, [OutcomeDecided(**by(BOB), call_id="1.1", verdict="done", result="It ran")], session)
    assert again.call("1.1").phase == "finished"
    with pytest.raises(IllegalEvent, match="Only an open call can have lost its arguments"):
        fold(SID, [SessionRestored(**by(BOB), chain="c" * 64, lost=("1.1",))], again)
