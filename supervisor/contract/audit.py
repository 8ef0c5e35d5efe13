"""The audit on behalf of one actor: who decided what, by which right, and who was refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import Field

from supervisor.audit import Key
from supervisor.contract.access import Access
from supervisor.contract.models import ResponseModel, UnreadableView
from supervisor.contract.parts import ServiceParts
from supervisor.contract.requests import RequestModel, Short
from supervisor.core.audit.rows import AuditFilter, AuditRow, Kind
from supervisor.core.audit.summary import RUBBER_SECONDS, AuditTotals
from supervisor.core.errors import FlagmanError, InvalidInput, LogUnreadable, NotAllowed
from supervisor.core.events import Actor
from supervisor.core.rights import is_beside
from supervisor.core.times import parse_duration, zone_named

# The most rows of a page, and the days of a summary where no beginning is given.
MOST_ROWS, SUMMARY_DAYS = 1000, 7
CURSOR = r"^[0-9]{1,18}\.[A-Za-z0-9-]{0,60}\.[0-9]{1,16}$"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class AuditQuery(RequestModel):
    """Which decisions: of a time, a session, a persona, a tool, an actor (id or name), a kind."""

    since: Short | None = Field(
        None, description="From then on: `today`, `7d` (so long ago), `2026-12-01` or a time of ISO 8601."
    )
    until: Short | None = Field(None, description="Before then, written likewise.")
    session: Short | None = None
    persona: Short | None = None
    tool: Short | None = None
    actor: Short | None = Field(None, description="The id or name of who acted.")
    kind: Kind | None = None
    zone: Short = Field("UTC", description="The time zone of days and of times without an offset.")
    cursor: Annotated[str, Field(pattern=CURSOR)] | None = Field(
        None, description="`next` of the page before."
    )
    limit: Annotated[int, Field(ge=1, le=MOST_ROWS)] = 100


class AuditPage(ResponseModel):
    """A page, the newest first. `unreadable` are logs whose decisions are missing here, of which there are `lost`."""

    rows: list[AuditRow]
    next: str | None
    unreadable: tuple[UnreadableView, ...] = ()
    lost: int = 0


class AuditSummary(ResponseModel):
    """The totals of a time; by `rubber_seconds` it is told what counts as a rubber stamp."""

    totals: AuditTotals
    rubber_seconds: float = RUBBER_SECONDS
    unreadable: tuple[UnreadableView, ...] = ()
    lost: int = 0


class AuditService:
    """Reads the decisions that the actor may see. Methods raise FlagmanError or StorageError."""

    def __init__(self, parts: ServiceParts, actor: Actor) -> None:
        self._parts, self._actor = parts, actor
        self._access = Access(parts, actor)

    async def page(self, query: AuditQuery) -> AuditPage:
        """A page of decisions: of all sessions for who reads all of them, else of those that the actor sees."""
        wanted, sees_all = self._filter(query), await self._sees_all()
        after = _parse(query.cursor) if query.cursor else None
        found = await self._parts.audit.page(
            wanted,
            lambda session_id, by: self._may_read(session_id, by, sees_all),
            after=after,
            limit=query.limit,
        )
        return AuditPage(
            rows=found.rows,
            next=_cursor(found.following) if found.following else None,
            unreadable=_views(found.unreadable),
            lost=found.lost,
        )

    async def summary(self, query: AuditQuery) -> AuditSummary:
        """The totals of the last week, or of the time that is given."""
        wanted, sees_all = self._filter(query), await self._sees_all()
        if wanted.since is None:
            week = (wanted.until or self._parts.clock()) - timedelta(days=SUMMARY_DAYS)
            wanted = wanted.model_copy(update={"since": week})
        totals, unreadable, lost = await self._parts.audit.summary(
            wanted, lambda session_id, by: self._may_read(session_id, by, sees_all)
        )
        return AuditSummary(totals=totals, unreadable=_views(unreadable), lost=lost)

    async def summary_for_admin(self, query: AuditQuery) -> AuditSummary:
        """As `summary`. Raises NotAllowed for who does not read all sessions."""
        if not await self._sees_all():
            raise NotAllowed("The summary of all decisions is for admins, whom `FLAGMAN_ADMINS` names.")
        return await self.summary(query)

    async def _sees_all(self) -> bool:
        actor = await self._access.identified()
        return actor.admin or actor.reads_all

    async def _may_read(self, session_id: str, by: str, sees_all: bool) -> bool:
        """Whether the actor may read rows of a session or, without one, what `by` was refused."""
        if sees_all and self._actor.workspace is None:
            return True
        if not session_id:
            return sees_all and is_beside(self._actor, by)
        try:
            return await self._access.sees(await self._parts.supervisor.get(session_id))
        except LogUnreadable:
            return await self._access.sees_unreadable(session_id)
        except FlagmanError:
            return False

    def _filter(self, query: AuditQuery) -> AuditFilter:
        now = self._parts.clock()
        return AuditFilter(
            since=parse_time(query.since, now, query.zone) if query.since else None,
            until=parse_time(query.until, now, query.zone) if query.until else None,
            session_id=query.session,
            persona=query.persona,
            tool=query.tool,
            actor=query.actor,
            kind=query.kind,
        )


def parse_time(text: str, now: datetime, zone: str) -> datetime:
    """Return the time of `today`, `7d` (so long before `now`), a day or a moment. Raises InvalidInput."""
    text, place = text.strip(), zone_named(zone)
    if text.lower() == "today":
        return datetime.combine(now.astimezone(place).date(), datetime.min.time(), tzinfo=place)
    try:
        found = datetime.fromisoformat(text)
        return found.replace(tzinfo=found.tzinfo or place).astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    try:
        return now - parse_duration(text)
    except (FlagmanError, OverflowError):
        raise InvalidInput(
            f"“{text[:40]}” is no time; write `today`, `7d`, `24h`, `2026-12-01` or `2026-12-01T09:00+01:00`."
        ) from None


def _views(unreadable: list[LogUnreadable]) -> tuple[UnreadableView, ...]:
    return tuple(UnreadableView(id=error.session_id, problem=str(error)) for error in unreadable)


def _cursor(key: Key) -> str:
    at, session_id, version = key
    return f"{(at - _EPOCH) // timedelta(microseconds=1)}.{session_id}.{version}"


def _parse(cursor: str) -> Key:
    at, session_id, version = cursor.split(".")
    try:
        return _EPOCH + timedelta(microseconds=int(at)), session_id, int(version)
    except OverflowError:
        raise InvalidInput("The cursor is not one of a page.") from None
