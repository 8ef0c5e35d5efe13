"""The service of delegations, on behalf of one actor: who decides for whom."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field

from supervisor.contract.access import Access
from supervisor.contract.models import ResponseModel
from supervisor.contract.parts import ServiceParts
from supervisor.contract.requests import Optional, RequestModel, Short, Zone
from supervisor.core import rights
from supervisor.core.errors import InvalidInput, NotAllowed
from supervisor.core.events import Actor
from supervisor.core.persona import in_workspace, person_id
from supervisor.delegations import Delegation, parse_until


class DelegationRequest(RequestModel):
    to: Annotated[
        str,
        Field(
            pattern=r"^([a-z]+:)?([TE][A-Z0-9]{2,20}/)?[UW][A-Z0-9]{2,20}$", description="The id of a person."
        ),
    ]
    until: Short = Field(description="`friday` (its end), `2026-12-04`, `in 2d` or `tomorrow 09:00`.")
    reason: Optional = ""
    zone: Zone = "UTC"


class DelegationView(ResponseModel):
    """The person `to` decides for the person `by`, until that time or until it is dropped."""

    id: str
    by: str
    by_name: str
    to: str
    to_name: str
    until: datetime
    reason: str
    created_at: datetime


class DelegationList(ResponseModel):
    delegations: list[DelegationView]


class DelegationService:
    """Adds, lists and ends delegations. Methods raise FlagmanError or StorageError."""

    def __init__(self, parts: ServiceParts, actor: Actor) -> None:
        self._parts, self._access = parts, Access(parts, actor)

    async def add(self, request: DelegationRequest) -> DelegationView:
        """Have another person decide for the actor. Raises NotAllowed, or as `Delegations.add` and `parse_until`."""
        actor = await self._access.identified()
        if actor.kind == "program" and not actor.owner:
            raise NotAllowed(
                "This key belongs to no person, so nobody can decide for it; use a key with an owner."
            )
        rights.check_standing(actor, guests=False, teams=())
        to = person_id(in_workspace(request.to, actor.workspace or ""))
        if to in actor.ids:
            raise InvalidInput("You decide for yourself already; name another person.")
        delegate = await self._access.delegate(to)
        until = parse_until(request.until, self._parts.clock(), request.zone)
        person = await self._access.person(actor)
        return _view(await self._parts.delegations.add(person, delegate, until, request.reason))

    async def list(self) -> list[DelegationView]:
        """Those that last and are by the actor or to it; all of them for an admin."""
        actor = await self._access.identified()
        found = await self._parts.delegations.lasting()
        return [_view(one) for one in found if _sees(actor, one)]

    async def drop(self, delegation_id: str) -> None:
        """End one, which only those two, or an admin, may. Raises InvalidInput where the actor sees none."""
        actor = await self._access.identified()
        found = await self._parts.delegations.get(delegation_id)
        if not _sees(actor, found):
            raise InvalidInput(f"There is no delegation `{delegation_id}`, or it has ended.")
        await self._parts.delegations.drop(delegation_id, actor)


def _sees(actor: Actor, one: Delegation) -> bool:
    return bool({one.by, one.to} & actor.ids) or (actor.admin and rights.is_beside(actor, one.by))


def _view(delegation: Delegation) -> DelegationView:
    return DelegationView(**delegation.model_dump(exclude={"ended_at", "ended_by"}))
