"""The order and the rates in which a workspace's messages are sent: what people wait for goes first.

A rate is a bucket of slots, which fills by one an interval. Each rank leaves a part of the bucket to those before it,
so it gets no slot as long as these use all that come. What waits has a turn, and is sent as it is then.
"""

from __future__ import annotations

from datetime import timedelta
from enum import IntEnum
from typing import NamedTuple

from handlers.messages.message import Message
from handlers.projection.message_rows import Row
from supervisor.core.state import Session


class Rank(IntEnum):
    """What goes before what: open requests, ends, changes of cards, what running calls print."""

    REQUEST, END, CARD, PROGRESS = range(4)


class Rate(NamedTuple):
    """One call an interval, after a burst; each rank leaves `left` slots of it more than the one before."""

    interval: timedelta
    burst: int
    left: int

    def most(self, rank: Rank) -> int:
        """Return how many of the slots of the burst a rank may use."""
        return self.burst - rank * self.left


# See https://docs.slack.dev/apis/web-api/rate-limits: chat.update is of tier 3, 50 calls a minute in a workspace, and
# so is agents.sessions.setStatus; posts are one a second in a channel, with short bursts.
UPDATES = Rate(timedelta(seconds=2), burst=20, left=5)
STATUSES = Rate(timedelta(seconds=2), burst=20, left=5)
POSTS = Rate(timedelta(seconds=1), burst=5, left=1)


def rank_of_post(session: Session, *, urgent: bool) -> Rank:
    """Return the rank of the first post of a message; `urgent` where people are asked something in it."""
    if session.ended:
        return Rank.END
    return Rank.REQUEST if urgent else Rank.CARD


def rank_of_update(session: Session, message: Message, row: Row, *, is_new: bool) -> Rank:
    """Return the rank of an update; not `is_new` where the message likely shows the same already."""
    if row.differs_in_passing(message):
        return Rank.PROGRESS
    if not (message.urgent and is_new):
        return Rank.CARD
    return Rank.REQUEST if message.asks and not session.ended else Rank.END
