"""Permalinks of cards, requested from Slack once each and cached, and those that are made without asking."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Sequence

from handlers.projection.message_rows import Row
from handlers.projection.slack_client import SlackSender
from storage.projections import ProjectionStore
from supervisor.core.state import Session

KEPT = 4096
# Seconds before the next request for a permalink that Slack did not give.
RETRY_SECONDS = 60.0


def address_of(row: Row, workspace: str) -> str:
    """Return the address of the message of a row in the form of Slack's permalinks; empty where it stands nowhere.

    `workspace` is the address of the workspace, which `auth.test` gives; many addresses at once need no question.
    """
    if not workspace or not row.ts or row.gone:
        return ""
    thread = f"?thread_ts={row.thread_ts}&cid={row.channel}" if row.thread_ts not in ("", row.ts) else ""
    return f"{workspace.rstrip('/')}/archives/{row.channel}/p{row.ts.replace('.', '')}{thread}"


async def card_addresses(
    rows: ProjectionStore, sessions: Sequence[Session], workspace: str
) -> dict[str, str]:
    """Return the addresses of the cards of sessions, by session; of a sub-agent without one, that of its root's."""
    wanted = list(dict.fromkeys(key for one in sessions for key in (one.id, one.root)))
    found = {
        key: address_of(Row.model_validate_json(row), workspace)
        for key, row in (await rows.column(wanted, "card")).items()
    }
    return {one.id: found.get(one.id) or found.get(one.root, "") for one in sessions}


class Permalinks:
    """The addresses of messages that do not move; the least recently used are forgotten."""

    def __init__(self, sender: SlackSender) -> None:
        self._sender = sender
        self._known: OrderedDict[tuple[str, str], tuple[float, str]] = OrderedDict()
        self._asking = asyncio.Lock()

    async def of(self, row: Row) -> str:
        """Return the address of the message of a row; empty where Slack does not give one."""
        place = (row.channel, row.ts)
        async with self._asking:
            asked_at, address = self._known.get(place, (0.0, ""))
            if not address and (not asked_at or time.monotonic() - asked_at > RETRY_SECONDS):
                address = await self._sender.permalink(*place)
                self._known[place] = (time.monotonic(), address)
            self._known.move_to_end(place)
            while len(self._known) > KEPT:
                self._known.popitem(last=False)
        return address
