"""What must move with an append: indexes, blobs and queues, as a pure function of before and after."""

from __future__ import annotations

from datetime import datetime

from storage.keys import QueueName
from storage.log import Claim, Effects, Lease
from supervisor.core.control import Wait, next_action
from supervisor.core.session import Session


def effects_of(
    before: Session | None,
    after: Session,
    *,
    blobs: dict[str, bytes] | None = None,
    claim: Claim | None = None,
    lease: Lease | None = None,
    release: bool = False,
) -> Effects:
    """Everything that follows from the step `before` to `after`; `before` is None at the launch."""
    return Effects(
        indexes=_indexes(before, after),
        blobs=blobs or {},
        enqueue=_queues(before, after),
        claim=claim,
        lease=lease,
        release=release,
    )


def _indexes(before: Session | None, after: Session) -> dict[str, float | None]:
    rows: dict[str, float | None] = {}
    if before is None:
        rows["all"] = _ms(after.launched_at)
    old = _bucket(before) if before else None
    new = _bucket(after)
    if old != new:
        if old:
            rows[old] = None
        rows[new] = _ms(after.changed_at)
    return rows


def _bucket(session: Session) -> str:
    return "ended" if session.ended else session.status


def _queues(before: Session | None, after: Session) -> list[QueueName]:
    queues: list[QueueName] = ["outbox"]
    # A pause or an end must also reach the worker that is at it right now.
    stopped = before is not None and (after.lifecycle != before.lifecycle)
    if stopped or not isinstance(next_action(after, after.changed_at), Wait):
        queues.append("ready")
    return queues


def _ms(at: datetime) -> float:
    return int(at.timestamp() * 1000)
