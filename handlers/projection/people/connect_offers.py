"""Offers a person privately to connect the server for which a session waits, once for each pause."""

from __future__ import annotations

from datetime import timedelta

from slack_sdk.web.async_client import AsyncWebClient

from handlers.messages.requests.connection import offer
from handlers.origin import Place
from handlers.private_answers import answer_privately
from handlers.team_ids import bare
from storage.marks import MarkStore
from supervisor.core.rights import awaited_connection
from supervisor.core.state import Session

KEPT = timedelta(days=30)


class ConnectOffers:
    """Shows the offer where the session is, to this person alone; directly where that does not reach them.

    What only one person sees is gone when Slack is loaded anew, so the button stands in the thread, too.
    """

    def __init__(self, client: AsyncWebClient, marks: MarkStore) -> None:
        self._client, self._marks = client, marks

    async def show(self, session: Session, place: Place) -> None:
        awaited = awaited_connection(session)
        if not awaited or not awaited.person.startswith("slack:"):
            return
        if await self._marks.set(f"connect:{session.id}:{session.halts[-1].number}", KEPT):
            text, blocks = offer(session, awaited.server)
            message = {"thread_ts": place.thread_ts} if place.thread_ts else {}
            body = {
                "channel": {"id": place.channel},
                "message": message,
                "user": {"id": bare(awaited.person)},
            }
            await answer_privately(body, self._client, text, blocks)
