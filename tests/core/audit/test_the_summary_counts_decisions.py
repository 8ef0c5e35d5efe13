"""The summary counts decisions by tool and by person, and the approvals that were given without a look at the call."""

from __future__ import annotations

from datetime import timedelta
from statistics import median
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.core.audit.rows import KINDS, AuditRow
from supervisor.core.audit.summary import MOST, AuditShare, Summary, may_be_stamp
from tests.core.build import AT

# Of these nobody has decided on a call.
NO_DECISIONS = {"refused", "delegate", "undelegate", "escalate", "expire"}


def row(kind: Any = "approve", by: str = "slack:U1", **fields: Any) -> AuditRow:
    given_ = {"by_name": f"name of {by}", "session_id": "s", "version": 1, "tool": "shell", **fields}
    return AuditRow(at=AT, kind=kind, by=by, **given_)


@pytest.mark.parametrize(
    ("changes", "stamp"),
    [
        ({}, True),
        ({"latency_seconds": 9.999}, True),
        ({"latency_seconds": 10.0}, False),
        ({"latency_seconds": 0.0}, True),
        ({"latency_seconds": None}, False),
        ({"kind": "deny"}, False),
        ({"by": "api:deploy"}, False),
        ({"by": "slack:api:"}, True),
    ],
)
def test_only_a_quick_approval_by_a_person_can_be_a_rubber_stamp(
    changes: dict[str, Any], stamp: bool
) -> None:
    assert may_be_stamp(row(**{"latency_seconds": 3.0, **changes})) is stamp


ROWS = st.lists(
    st.tuples(
        st.builds(
            row,
            kind=st.sampled_from(KINDS),
            by=st.sampled_from(["slack:U1", "slack:U2", "api:k"]),
            by_owner=st.sampled_from(["", "slack:U3"]),
            tool=st.sampled_from(["", "shell", "deploy"]),
            override=st.booleans(),
            latency_seconds=st.none() | st.floats(0, 30),
        ),
        st.booleans(),
    ),
    max_size=30,
)


@given(ROWS)
def test_what_it_says_is_what_the_rows_say(rows: list[tuple[AuditRow, bool]]) -> None:
    summary = Summary()
    for one, opened in rows:
        summary.add(one, opened=opened)
    found = summary.totals(AT, AT + timedelta(days=1))
    decided = [(one, opened) for one, opened in rows if one.kind not in NO_DECISIONS]
    assert (found.since, found.until) == (AT, AT + timedelta(days=1))
    assert found.kinds == {kind: n for kind in KINDS if (n := sum(one.kind == kind for one, _ in rows))}
    assert list(found.kinds) == sorted(found.kinds)
    assert found.refused == sum(one.kind == "refused" for one, _ in rows)
    assert found.overrides == sum(one.override for one, _ in decided)
    every = share("", "", decided)
    assert (found.decisions, found.median_seconds) == (every.decisions, every.median_seconds)
    assert (found.rubber_stamps, found.rubber_stamp_rate) == (every.rubber_stamps, every.rubber_stamp_rate)
    tools = {one.tool for one, _ in decided} - {""}
    assert found.tools == ordered([share(t, "", [r for r in decided if r[0].tool == t]) for t in tools])
    people = {one.person for one, _ in decided}
    by_person = {who: [r for r in decided if r[0].person == who] for who in people}
    assert found.people == ordered([share(w, rs[-1][0].by_name, rs) for w, rs in by_person.items()])


def share(ident: str, name: str, rows: list[tuple[AuditRow, bool]]) -> AuditShare:
    """What the rows say of one tool or person, counted anew."""
    approvals = [(one, opened) for one, opened in rows if one.kind == "approve"]
    stamps = sum(may_be_stamp(one) and not opened for one, opened in approvals)
    waits = [r.latency_seconds for r, _ in rows if r.kind in ("approve", "deny")]
    seconds = [wait for wait in waits if wait is not None]
    return AuditShare(
        id=ident,
        name=name,
        decisions=len(rows),
        approvals=len(approvals),
        denials=sum(one.kind == "deny" for one, _ in rows),
        median_seconds=round(median(seconds), 3) if seconds else None,
        rubber_stamps=stamps,
        rubber_stamp_rate=round(stamps / len(approvals), 4) if approvals else 0.0,
    )


def ordered(shares: list[AuditShare]) -> tuple[AuditShare, ...]:
    return tuple(sorted(shares, key=lambda one: (-one.decisions, one.id)))


def test_a_name_is_the_last_one_known_and_the_busiest_come_first() -> None:
    summary = Summary()
    for number in range(MOST + 2):
        summary.add(row(by=f"slack:U{number:04}", tool=f"t{number:04}"), opened=True)
    summary.add(row(by="slack:U0501", by_name=""), opened=True)
    found = summary.totals(None, None)
    assert (len(found.people), len(found.tools), found.decisions) == (MOST, MOST, MOST + 3)
    assert (found.people[0].id, found.people[0].name) == ("slack:U0501", "name of slack:U0501")
    assert found.people[-1].id == f"slack:U{MOST - 2:04}"
