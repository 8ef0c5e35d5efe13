"""A filter takes the rows that have all that it names; a time begins with `since` and ends before `until`."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from supervisor.core.audit.rows import AuditFilter, AuditRow
from tests.core.build import AT

ROW = AuditRow(
    at=AT,
    kind="approve",
    by="api:deploy:prod",
    by_name="Deploy",
    by_owner="slack:U2",
    session_id="ab12-cd34",
    version=4,
    persona="sre",
    tool="shell",
)
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("wanted", "taken"),
    [
        ({}, True),
        ({"session_id": "ab12-cd34", "persona": "sre", "tool": "shell", "kind": "approve"}, True),
        ({"session_id": "ab12-cd35"}, False),
        ({"persona": "writer"}, False),
        ({"tool": "write_file"}, False),
        ({"tool": ""}, False),
        ({"kind": "deny"}, False),
        ({"persona": "sre", "kind": "deny"}, False),
        ({"since": AT}, True),
        ({"since": AT + SECOND}, False),
        ({"until": AT}, False),
        ({"until": AT + SECOND}, True),
        ({"since": AT - SECOND, "until": AT + SECOND}, True),
        # Who acted: an id with or without its prefix, a name, or the person whose key it was.
        ({"actor": "api:deploy:prod"}, True),
        ({"actor": "deploy:prod"}, True),
        ({"actor": "prod"}, False),
        ({"actor": "Deploy"}, True),
        ({"actor": "slack:U2"}, True),
        ({"actor": "U2"}, True),
        ({"actor": "U1"}, False),
        ({"actor": "U2", "tool": "write_file"}, False),
    ],
)
def test_a_row_is_taken_where_all_that_is_named_holds(wanted: dict[str, Any], taken: bool) -> None:
    assert AuditFilter(**wanted).takes(ROW) is taken


def test_what_a_row_has_not_is_no_actor() -> None:
    system = ROW.model_copy(update={"by": "system", "by_name": "", "by_owner": ""})
    assert not AuditFilter(actor="").takes(system)
    assert AuditFilter(actor="system").takes(system)
    assert [AuditFilter(persona="", tool=tool).takes(system) for tool in ("", "shell")] == [False, False]
