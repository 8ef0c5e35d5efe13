"""The service of grants, on behalf of one actor: calls that it allows in advance, for some time."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from supervisor.contract.access import Access
from supervisor.contract.models import ResponseModel, SessionView
from supervisor.contract.parts import AccessParts, ServiceParts
from supervisor.contract.reader import SessionReader
from supervisor.contract.requests import Digest, Number, RequestModel, Short, Zone
from supervisor.contract.views import only_calls
from supervisor.core.commands.approvals import Seen
from supervisor.core.commands.grants import Terms, lasting_grants
from supervisor.core.errors import FlagmanError, InvalidInput, NotAllowed
from supervisor.core.events import Actor
from supervisor.core.records import Grant
from supervisor.core.rules.patterns import exactly
from supervisor.core.state import Session
from supervisor.delegations import parse_until
from supervisor.effects import GRANTING

# The most sessions whose grants are listed, those that changed last first.
MOST_SESSIONS = 500
_NO_PERSON = "This key belongs to no person, so it allows nothing in advance; use a key with an owner."


Scope = Literal["session", "channel"]
Patterns = dict[str, str] | None


class GrantRequest(RequestModel):
    r"""Approve a call as it was shown, and allow calls like it in advance.

    `digest` and `request` say what was shown, as for a decision. `arguments` has a pattern for each argument of the
    call: `*` stands for letters, digits, spaces and `_./:=,@+-`, and `\*` for a star; without it, the same call alone.
    `until` is a time within 24 hours, such as `in 30m`, `18:00` or `today`, which is the end of the day in `zone`.
    """

    scope: Scope = "session"
    until: Short
    arguments: Annotated[Patterns, Field(max_length=100)] = None
    digest: Digest = ""
    request: Number | None = None
    zone: Zone = "UTC"


class GrantView(ResponseModel):
    """Calls of `tool` by sessions of the persona, whose arguments match, are allowed by `by` until a time.

    They are those of the session `session_id` or, with the scope `channel`, of all sessions that are shown there.
    """

    id: str
    scope: Scope
    session_id: str
    channel: str | None
    persona: str
    tool: str
    arguments: dict[str, str]
    by: str
    by_name: str
    since: datetime
    until: datetime


class GrantList(ResponseModel):
    grants: list[GrantView]


class GrantResult(ResponseModel):
    """The grant, and the session in which the call is approved."""

    grant: GrantView
    session: SessionView


async def granter(parts: AccessParts, session: Session, grant: Grant) -> Actor:
    """The person who made a grant, as known now, with its rights on the session. Raises as the directory."""
    who = Actor(id=grant.by_owner or grant.by, name=grant.by_name)
    return (await Access(parts, who).about(session)).actor


class GrantService:
    """Makes, lists and revokes grants. Methods raise FlagmanError or StorageError."""

    def __init__(self, parts: ServiceParts, actor: Actor) -> None:
        self._parts, self._access, self._reader = parts, Access(parts, actor), SessionReader(parts, actor)
        self._supervisor = parts.supervisor

    async def allow(self, session_id: str, call_id: str, request: GrantRequest) -> GrantResult:
        """Approve a call and allow calls like it. Raises NotAllowed, and as `commands.grants.allow`."""
        found = await self._access.decider(session_id, [call_id], "allow")
        async with self._access.recorded(found, "allow", call_id):
            if found.actor.kind == "program" and not found.actor.owner:
                raise NotAllowed(_NO_PERSON)
            session = await self._supervisor.allow(
                session_id,
                call_id,
                self._terms(found.session, call_id, request),
                found.actor,
                seen=Seen(request.digest, request.request),
            )
        view = await self._reader.view(session)
        shown = view if found.reads else only_calls(view, (call_id,))
        return GrantResult(grant=self._view(session.grants[-1]), session=shown)

    def _terms(self, session: Session, call_id: str, request: GrantRequest) -> Terms:
        given = request.arguments
        if given is None:
            arguments = session.call(call_id).call.arguments
            given = exactly(arguments) if isinstance(arguments, dict) else {}
        until = parse_until(request.until, self._parts.clock(), request.zone)
        if request.scope == "session":
            return Terms(given, until)
        place = self._parts.channels.channel_of(session.origin)
        if not place:
            raise InvalidInput("This session is shown in no channel; allow the calls in the session alone.")
        return Terms(given, until, place)

    async def list(self, session_id: str | None = None) -> list[GrantView]:
        """Those that last, of one session or of all that the actor sees; the first to end first."""
        if session_id is not None:
            sessions = [await self._reader.load(session_id)]
        else:
            sessions = []
            for found_id, _ in await self._parts.log.index(GRANTING, limit=MOST_SESSIONS):
                session = await self._seen(found_id)
                sessions += [session] if session else []
        now = self._parts.clock()
        lasting = [grant for session in sessions for grant in lasting_grants(session, now)]
        return [self._view(grant) for grant in sorted(lasting, key=lambda one: (one.until, one.full_id))]

    async def revoke(self, grant_id: str) -> None:
        """End a grant at once: who made it, who steers its session, or an admin may. Raises InvalidInput."""
        session_id, _, number = grant_id.rpartition(".")
        session = await self._seen(session_id)
        lasting = lasting_grants(session, self._parts.clock()) if session else []
        grant = next((one for one in lasting if one.id == number), None)
        if grant is None:
            raise InvalidInput(f"There is no grant `{grant_id[:60]}`, or it has ended.")
        actor = await self._access.identified()
        if not actor.ids & grant.people:
            actor = (await self._access.operator(session_id, "revoke a grant")).actor
        await self._supervisor.revoke(session_id, number, actor)

    async def _seen(self, session_id: str) -> Session | None:
        try:
            session = await self._supervisor.get(session_id)
        except FlagmanError:
            return None
        own = (await self._access.identified()).ids
        made = any(own & grant.people for grant in session.grants)
        return session if made or await self._access.sees(session) else None

    def _view(self, grant: Grant) -> GrantView:
        return GrantView(
            id=grant.full_id,
            scope="channel" if grant.place else "session",
            session_id=grant.session_id,
            channel=grant.place or None,
            persona=grant.persona,
            tool=grant.tool,
            arguments=grant.patterns,
            by=grant.by,
            by_name=grant.by_name,
            since=grant.since,
            until=grant.until,
        )
