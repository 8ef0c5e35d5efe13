"""A key that decides is shown as a key, with the person whose it is, and never passes for a person by its name."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from handlers.blocks.text import doer
from supervisor.core.records import Decision


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
