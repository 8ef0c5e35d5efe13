"""What is known of actors and of the places where sessions are shown; handed in by the interface that knows."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from supervisor.core.events import Actor
from supervisor.core.messages import Json
from supervisor.core.persona import Approvers


class Directory(Protocol):
    """Reads people, groups and places. Methods raise FlagmanError where the answer cannot be had."""

    async def identify(self, actor: Actor) -> Actor:
        """The actor with its kind, teams and whether it is an admin; for a key with an owner, those of the owner."""
        ...

    async def in_groups(self, actor: Actor, groups: Collection[str], *, recent: bool = False) -> Actor:
        """The actor with those of the groups of which it, or its owner, is a member at this moment.

        With `recent`, or was within the last minute: for lists, which must not use up the readings of decisions.
        """
        ...

    async def sees(self, actor: Actor, origin: Json) -> bool | None:
        """Whether the actor sees the place of an origin; None for a direct conversation or none at all."""
        ...

    async def may_post(self, actor: Actor, origin: Json) -> bool | None:
        """Whether the actor, or the owner of its key, sees the place of an origin; None where that cannot be known."""
        ...

    async def owns(self, actor: Actor, origin: Json) -> bool:
        """Whether the place of an origin is the direct conversation of the actor alone."""
        ...

    async def reach(self, rule: Approvers, without: Collection[str], workspace: str = "") -> int:
        """How many people of a workspace could approve by a rule that names some, leaving out those in `without`."""
        ...
