"""The service of notifications, on behalf of one actor: how the person is told of what waits for them."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from supervisor.contract.access import Access
from supervisor.contract.models import ResponseModel
from supervisor.contract.parts import ServiceParts
from supervisor.contract.requests import RequestModel, Short
from supervisor.core.errors import InvalidInput, NotAllowed
from supervisor.core.events import Actor
from supervisor.notifications import Preference, QuietHours, Way, parse_quiet


class NotificationsRequest(RequestModel):
    """What is left out stays as it is."""

    way: Way | None = Field(
        None, description="Where a request stands (`place`), by a message of their own (`direct`), or both."
    )
    quiet: Short | None = Field(
        None, description="Hours in which nothing comes directly, as `22:00-07:00`, or `off`."
    )


class NotificationsView(ResponseModel):
    """How a person is told; `quiet` is empty where they are told at any time."""

    way: Way
    quiet: str

    @classmethod
    def of(cls, chosen: Preference) -> NotificationsView:
        return cls(way=chosen.way, quiet=str(chosen.quiet or ""))


class NotificationService:
    """Reads and changes what a person chose. Methods raise FlagmanError or StorageError."""

    def __init__(self, parts: ServiceParts, actor: Actor) -> None:
        self._parts, self._access = parts, Access(parts, actor)

    async def get(self) -> NotificationsView:
        return NotificationsView.of(await self._parts.notifications.get(await self._person()))

    async def change(self, request: NotificationsRequest) -> NotificationsView:
        """Store what the person chose. Raises InvalidInput for hours that cannot be read or a request of nothing."""
        if request.way is None and request.quiet is None:
            raise InvalidInput(
                "Say how you want to be told (where it stands, directly or both), or your quiet hours."
            )
        quiet: QuietHours | Literal["same"] | None = (
            "same" if request.quiet is None else parse_quiet(request.quiet)
        )
        return NotificationsView.of(
            await self._parts.notifications.choose(await self._person(), request.way, quiet)
        )

    async def _person(self) -> str:
        """The id of the person who acts, or whose key does. Raises NotAllowed for a program."""
        actor = await self._access.identified()
        if actor.kind == "program" and not actor.owner:
            raise NotAllowed(
                "This key belongs to no person, so there is nobody to be told; use a key with an owner."
            )
        return actor.person
