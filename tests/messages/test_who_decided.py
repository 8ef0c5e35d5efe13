"""A key that decides is shown as a key, with the person whose it is, and never passes for a person by its name."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from handlers.blocks.text import doer
from handlers.messages.thread import thread
from supervisor.core.conditions import Connected
from supervisor.core.events import ApprovalRequested, Paused
from supervisor.core.records import Decision
from supervisor.core.reducer import fold
from tests.core.build import BOB, SID, by, decided, launched, responded, tool_call
from tests.support.slack import texts


@pytest.mark.parametrize(
    ("deed", "shown"),
    [
        ({"by": "slack:U0GRACE01", "by_name": "Grace"}, "<@U0GRACE01>"),
        (
            {"by": "api:margaret", "by_name": "margaret", "by_owner": "slack:U0GRACE01"},
            "the key margaret of <@U0GRACE01>",
        ),
        ({"by": "api:ci", "by_name": "ci"}, "the key ci"),
    ],
)
def test_a_decision_says_whose_it_is(deed: dict[str, Any], shown: str) -> None:
    assert doer(Decision(at=datetime(2026, 11, 3, tzinfo=UTC), verdict="approve", **deed)) == shown


def test_an_approved_call_says_what_it_waits_for() -> None:
    request = ApprovalRequested(**by(), request_id="r2", call_ids=("1.1",))
    awaiting = fold(SID, [launched(), responded(tool_call()), request])
    approved = fold(SID, [decided(awaiting, BOB)], awaiting)
    connection = Connected(type="connection", server="notes", person="slack:U0ADA0001")
    pauses = {
        "starts next": None,
        "starts once this session goes on": Paused(**by(BOB), reason="manual"),
        "starts once <@U0ADA0001> has connected `notes`": Paused(
            **by(), reason="connection_required", conditions=(connection,)
        ),
    }
    for said, pause in pauses.items():
        session = fold(SID, [pause], approved) if pause else approved
        assert said in " ".join(texts({"blocks": list(m.blocks)}) for m in thread(session))
