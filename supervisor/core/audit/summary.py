"""The summary of the audit: how fast people decide, and how often without having looked."""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict
from datetime import datetime
from statistics import median

from supervisor.core.audit.rows import AuditRow
from supervisor.core.messages import Frozen

# An approval within so many seconds of its request, by a person who had not opened the full call, is a rubber stamp.
RUBBER_SECONDS = 10.0
# What is counted by its kind alone: nobody has decided on a call.
_NO_DECISIONS = ("refused", "delegate", "undelegate", "escalate", "expire")
# The most tools and people in a summary; further ones are counted in the totals alone.
MOST = 500


class AuditShare(Frozen):
    """What was decided about one tool, or by one person. `rubber_stamp_rate` is the share of the approvals."""

    id: str
    name: str = ""
    decisions: int
    approvals: int
    denials: int
    median_seconds: float | None
    rubber_stamps: int
    rubber_stamp_rate: float


class AuditTotals(Frozen):
    """The totals of a time, and those of each tool and person, the most decisions first."""

    since: datetime | None = None
    until: datetime | None = None
    decisions: int
    refused: int
    overrides: int
    kinds: dict[str, int]
    median_seconds: float | None
    rubber_stamps: int
    rubber_stamp_rate: float
    tools: tuple[AuditShare, ...]
    people: tuple[AuditShare, ...]


class _Share:
    def __init__(self) -> None:
        self.name, self.decisions, self.approvals, self.denials, self.stamps = "", 0, 0, 0, 0
        self.seconds = array("d")

    def add(self, row: AuditRow, *, stamp: bool) -> None:
        self.name = row.by_name or self.name
        self.decisions += 1
        self.approvals += row.kind == "approve"
        self.denials += row.kind == "deny"
        self.stamps += stamp
        if row.kind in ("approve", "deny") and row.latency_seconds is not None:
            self.seconds.append(row.latency_seconds)

    @property
    def median(self) -> float | None:
        return round(median(self.seconds), 3) if self.seconds else None

    @property
    def rate(self) -> float:
        return round(self.stamps / self.approvals, 4) if self.approvals else 0.0


class Summary:
    """Counts rows as they come."""

    def __init__(self) -> None:
        self._all, self._kinds, self._overrides = _Share(), Counter[str](), 0
        self._tools: defaultdict[str, _Share] = defaultdict(_Share)
        self._people: defaultdict[str, _Share] = defaultdict(_Share)

    def add(self, row: AuditRow, *, opened: bool) -> None:
        """Count a row; `opened`: who decided had opened the call in full before."""
        self._kinds[row.kind] += 1
        if row.kind in _NO_DECISIONS:
            return
        self._overrides += row.override
        stamp = may_be_stamp(row) and not opened
        shares = [self._all, self._people[row.person], *([self._tools[row.tool]] if row.tool else [])]
        for share in shares:
            share.add(row, stamp=stamp)

    def totals(self, since: datetime | None, until: datetime | None) -> AuditTotals:
        """Return the totals so far."""
        return AuditTotals(
            since=since,
            until=until,
            decisions=self._all.decisions,
            refused=self._kinds["refused"],
            overrides=self._overrides,
            kinds=dict(sorted(self._kinds.items())),
            median_seconds=self._all.median,
            rubber_stamps=self._all.stamps,
            rubber_stamp_rate=self._all.rate,
            tools=_shares(self._tools, named=False),
            people=_shares(self._people, named=True),
        )


def may_be_stamp(row: AuditRow) -> bool:
    """Whether it is an approval by a person, without a key, so soon that it matters whether the call was opened.

    Who changed a call has looked at it: such an approval has the time of the request before.
    """
    soon = row.latency_seconds is not None and row.latency_seconds < RUBBER_SECONDS
    return row.kind == "approve" and soon and not row.by.startswith("api:")


def _shares(found: dict[str, _Share], *, named: bool) -> tuple[AuditShare, ...]:
    first = sorted(found.items(), key=lambda one: (-one[1].decisions, one[0]))[:MOST]
    return tuple(
        AuditShare(
            id=ident,
            name=share.name if named else "",
            decisions=share.decisions,
            approvals=share.approvals,
            denials=share.denials,
            median_seconds=share.median,
            rubber_stamps=share.stamps,
            rubber_stamp_rate=share.rate,
        )
        for ident, share in first
    )
