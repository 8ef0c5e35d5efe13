"""The status of a session in Slack's own view of agents, with which Slack shows that it works, and a Stop button."""

from __future__ import annotations

import logging
import time

from handlers.projection.message_rows import Row
from handlers.projection.refusals import ChannelUnavailable, MessageDeleted, SlackRejected, TurnLater
from handlers.projection.slack_client import SlackSender
from handlers.projection.turns import Rank
from storage.projections import ProjectionStore
from supervisor.core.state import Session
from supervisor.core.text.masking import Masker
from supervisor.core.text.visible import one_line

_FEATURE = "agent sessions"
# Turns that are remembered; those that are not are asked for again.
MOST_TURNS = 1_000
_log = logging.getLogger("flagman.projector")


class AgentStatuses:
    """Shows the status of sessions that have a card, in workspaces that have agent sessions."""

    def __init__(self, sender: SlackSender, rows: ProjectionStore, mask: Masker) -> None:
        self._sender, self._rows, self._mask = sender, rows, mask
        # By session, the rank and the monotonic time of its turn.
        self._turns: dict[str, tuple[Rank, float]] = {}

    async def show(self, session: Session, card: Row) -> float:
        """Show the status of a session if it changed; returns 0. Raises RetryLater."""
        wanted = status_of(session)
        nothing_to_close = wanted == "closed" and not card.status
        if card.status == wanted or nothing_to_close or not card.ts or card.gone:
            return 0
        if await self._sender.lacks(_FEATURE):
            return 0
        await self._take_turn(session.id, Rank.CARD if wanted == "processing" else Rank.END)
        title = one_line(self._mask(session.task), 200)
        try:
            await self._sender.set_status(card, wanted, title)
        except (ChannelUnavailable, MessageDeleted) as refused:
            _log.info("%s: its status is not shown: %s", session.id, refused)
            return 0
        except SlackRejected as refused:
            _log.info("Slack shows no status of agents here (%s); it is asked again tomorrow", refused)
            await self._sender.note_lack(_FEATURE)
            return 0
        card.status = wanted
        await self._rows.record(session.id, "card", card.data)
        return 0

    async def _take_turn(self, session_id: str, rank: Rank) -> None:
        """Raises TurnLater until the turn of a session; a busy one, which is shown often, asks for it only once."""
        rank_before, turn = self._turns.get(session_id, (rank, 0.0))
        if rank_before is rank and (left := turn - time.monotonic()) > 0:
            raise TurnLater(left, "its status waits for its turn")
        self._turns.pop(session_id, None)
        try:
            await self._sender.reserve_status(session_id, rank)
        except TurnLater as wait:
            if len(self._turns) > MOST_TURNS:
                self._turns.clear()
            self._turns[session_id] = rank, time.monotonic() + wait.seconds
            raise


def status_of(session: Session) -> str:
    """Return Slack's word for what a session does: it works, waits for somebody or something, or has ended."""
    if session.ended:
        return "closed"
    works = session.waiting_for is None or (session.waiting_for == "children_running" and not session.pause)
    return "processing" if works else "suspended"
