"""The objects that the services of all actors share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from storage.log import LogStore
from supervisor.artifacts import Artifacts
from supervisor.audit import Audit
from supervisor.connections.linking import Linking
from supervisor.connections.store import Connections
from supervisor.contract.followers import Followers
from supervisor.contract.views import Channels
from supervisor.core.events import Actor
from supervisor.core.messages import Json
from supervisor.core.persona import Approvers
from supervisor.core.state import Session
from supervisor.delegations import Delegations
from supervisor.notifications import Notifications
from supervisor.place_settings import PlaceSettings
from supervisor.resume_tokens import ResumeTokens
from supervisor.running import RunningCalls
from supervisor.schedules import Schedules
from supervisor.service import Supervisor
from supervisor.session_log.export import Documents
from supervisor.session_log.restore import Restorer
from supervisor.signals import SignalRouter


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


async def _nowhere(_: Session) -> str:
    return ""


class AccessParts(Protocol):
    """The shared objects by which the rights of an actor are found out."""

    @property
    def supervisor(self) -> Supervisor: ...
    @property
    def schedules(self) -> Schedules: ...
    @property
    def channels(self) -> Channels: ...
    @property
    def delegations(self) -> Delegations: ...
    @property
    def directory(self) -> Directory: ...


@dataclass(frozen=True)
class ServiceParts:
    """The shared objects, made once in a process. `clock` returns the time in UTC.

    `hook_problem` says why no webhook of a name can come; empty where it can. `settings_changed` has the changed
    settings of a place announced there. `link_of` gives the address where people see a session, if there is one.
    """

    supervisor: Supervisor
    log: LogStore
    signals: SignalRouter
    schedules: Schedules
    audit: Audit
    delegations: Delegations
    artifacts: Artifacts
    documents: Documents
    tokens: ResumeTokens
    restorer: Restorer
    followers: Followers
    channels: Channels
    directory: Directory
    places: PlaceSettings
    notifications: Notifications
    connections: Connections
    linking: Linking
    running: RunningCalls
    clock: Callable[[], datetime]
    hook_problem: Callable[[str], str] = lambda _: ""
    settings_changed: Callable[[str], None] = lambda _: None
    link_of: Callable[[Session], Awaitable[str]] = _nowhere
