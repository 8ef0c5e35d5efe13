"""The SESSION_LOG of a session that has ended, as a file in its thread, once."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime, timedelta

from handlers.origin import Place
from handlers.projection.message_rows import Row
from handlers.projection.refusals import ChannelUnavailable, MessageDeleted, RetryLater, SlackRejected
from handlers.projection.slack_client import SlackSender
from storage.projections import ProjectionStore
from supervisor.core.errors import LogUnreadable
from supervisor.core.state import Session

KEY = "session_log"
DONE, REFUSED = "uploaded", "refused"
# Calls that still ran at the end have this long to be recorded before the file is made.
LATE = timedelta(seconds=10)
# A file may still appear this long after its upload began.
SHARED = timedelta(seconds=20)
_log = logging.getLogger("flagman.projector")


class LogUploads:
    """Uploads of SESSION_LOGs; `document` returns the text of that of a session.

    The intent is recorded before the file is sent, as with messages.
    """

    def __init__(
        self,
        sender: SlackSender,
        rows: ProjectionStore,
        document: Callable[[str], Awaitable[str]],
        clock: Callable[[], datetime],
    ) -> None:
        self._sender, self._rows = sender, rows
        self._document, self._clock = document, clock
        self._told = False

    async def share(self, session: Session, thread: Place, row: Row | None) -> datetime | None:
        """Share the document once, some time after the end. Returns when to call again, if later. Raises RetryLater."""
        if not session.ended or not thread.thread_ts or (row and row.shows):
            return None
        due = session.changed_at + LATE
        if _still_running(session) and self._clock() < due:
            return due
        if row and (left := self._in_flight(row)):
            return self._clock() + left
        maybe_there = row is not None or session.restored_at is not None
        row = row or await self._intend(session, thread)
        file = ""
        try:
            file, shows = await self._once(session, row, thread.user, maybe_there=maybe_there), DONE
        except (MessageDeleted, SlackRejected) as refused:
            shows = REFUSED
            self._tell(session, str(refused))
        except LogUnreadable as error:
            shows = REFUSED
            _log.error("no SESSION_LOG is uploaded: %s", error)
        done = row.model_copy(update={"shows": shows})
        standing = await self._rows.record_first(session.id, KEY, row.data, done.data)
        if standing is not None and file:
            # The worker that took the job over has already shared the document.
            with suppress(SlackRejected):
                await self._sender.delete_file(file)
        return None

    def _in_flight(self, row: Row) -> timedelta:
        """Return how long the file of a stopped worker may still appear; Slack shows files after it has answered."""
        left = datetime.fromtimestamp(row.intended_at, self._clock().tzinfo) + SHARED - self._clock()
        # The clock of that worker may be ahead.
        return left if timedelta(0) < left <= SHARED else timedelta(0)

    async def _once(self, session: Session, row: Row, user: str, *, maybe_there: bool) -> str:
        """Return the id of the uploaded file; empty if the file is there already.

        If the channel takes no files any more, it goes to `user`, the person whose session it is.
        """
        name, document = f"SESSION_LOG-{session.id}.md", await self._document(session.id)
        try:
            if maybe_there and await self._sender.files(
                row.channel, row.thread_ts, name, since=row.intended_at
            ):
                return ""
            return await self._sender.upload(row.channel, row.thread_ts, name, document)
        except ChannelUnavailable:
            if not user:
                raise
        direct = await self._sender.direct(user)
        if maybe_there and await self._sender.files(direct, "", name, since=row.intended_at):
            return ""
        comment = "The channel of this session takes no files now, so its SESSION_LOG is here."
        return await self._sender.upload(direct, "", name, document, comment=comment)

    async def _intend(self, session: Session, thread: Place) -> Row:
        since = session.began_at if session.restored_at else self._clock()
        row = Row(channel=thread.channel, thread_ts=thread.thread_ts, intended_at=since.timestamp())
        if not await self._rows.reserve(session.id, KEY, row.data):
            raise RetryLater(1, "another worker is about to upload the SESSION_LOG")
        return row

    def _tell(self, session: Session, why: str) -> None:
        """Log that Slack took no file, as a warning only once, since a missing scope affects all sessions."""
        level = logging.INFO if self._told else logging.WARNING
        hint = (
            "; give the app the scope files:write to have it in the thread" if why == "missing_scope" else ""
        )
        _log.log(level, "%s: Slack takes no file of the SESSION_LOG (%s)%s", session.id, why, hint)
        self._told = True


def _still_running(session: Session) -> bool:
    return bool(session.calls_in("started") or session.running_children)
