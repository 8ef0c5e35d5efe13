"""The summary of the audit, as an answer to a command and as the daily digest."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from handlers.blocks.text import Block, context, escape, moment, mrkdwn
from supervisor.core.audit.summary import RUBBER_SECONDS, AuditShare, AuditTotals
from supervisor.core.text.format import count, span
from supervisor.core.text.visible import one_line

# The most tools and people that a message names.
SHOWN = 8
# The most characters of a section that may be filled with lines.
_ROOM = 2700


def audit_blocks(totals: AuditTotals, lost: int) -> list[Block]:
    """Return the totals, and those of the tools and people with the most decisions."""
    blocks = [mrkdwn(headline(totals))]
    tools = [_line(f"`{escape(one_line(share.id, 60))}`", share) for share in totals.tools[:SHOWN]]
    people = [_line(escape(one_line(share.name or share.id, 60)), share) for share in totals.people[:SHOWN]]
    for title, lines in (("Tools", tools), ("People", people)):
        if lines:
            blocks.append(mrkdwn(f"*{title}*\n" + "\n".join(_fitting(lines))))
    told = f"A rubber stamp is an approval within {RUBBER_SECONDS:g} s by a person who had not opened the full call."
    if lost:
        told += f" {count(lost, 'log')} cannot be read, so what was decided there is missing."
    return [*blocks, context(f"{told} `flagman audit` lists every decision.")]


def headline(totals: AuditTotals) -> str:
    """Return the totals as one text."""
    since = f" since {moment(totals.since, date=True)}" if totals.since else ""
    middle = "" if totals.median_seconds is None else f", decided in {_span(totals.median_seconds)} (median)"
    parts = [f":bar_chart: *{count(totals.decisions, 'decision')}*{since}{middle}"]
    if totals.rubber_stamps:
        parts.append(
            f"{count(totals.rubber_stamps, 'rubber stamp')} ({totals.rubber_stamp_rate:.0%} of approvals)"
        )
    if totals.overrides:
        parts.append(count(totals.overrides, "override by an admin", "overrides by admins"))
    parts.append(count(totals.refused, "refused attempt"))
    return " · ".join(parts)


def _line(what: str, share: AuditShare) -> str:
    parts = [f"{share.approvals} approved, {share.denials} denied"]
    if share.median_seconds is not None:
        parts.append(f"median {_span(share.median_seconds)}")
    if share.rubber_stamps:
        parts.append(f"{count(share.rubber_stamps, 'rubber stamp')} ({share.rubber_stamp_rate:.0%})")
    return f"• {what}: {' · '.join(parts)}"


def _fitting(lines: list[str]) -> Iterator[str]:
    room = _ROOM
    for line in lines:
        room -= len(line)
        if room > 0:
            yield line


def _span(seconds: float) -> str:
    return span(timedelta(seconds=seconds))
