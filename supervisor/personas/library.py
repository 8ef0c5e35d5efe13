"""The loaded personas, and the versions that stored sessions were launched with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from pydantic import ValidationError

from storage.keys import partition_of
from storage.log import LogStore
from supervisor.core.errors import LogUnreadable, PersonaNotFound, PersonaUnusable
from supervisor.core.persona import Grants, Persona
from supervisor.core.policy import may_launch
from supervisor.core.state import Session

Check = Callable[[str], Awaitable[None]]


async def no_check(persona: str) -> None:
    """The default of `PersonaLibrary`: every persona can be launched."""


class PersonaLibrary:
    """Finds the loaded personas by name, and earlier versions in the store by digest.

    `check` raises PersonaUnusable for the name of a persona that is not to be launched.
    """

    def __init__(self, personas: Mapping[str, Persona], log: LogStore, check: Check = no_check) -> None:
        self._personas, self._log, self._check = dict(personas), log, check
        self._pinned = {persona.digest: persona for persona in personas.values()}

    def all(self) -> list[Persona]:
        return sorted(self._personas.values(), key=lambda persona: persona.name)

    def get(self, name: str) -> Persona:
        """The persona of this name. Raises PersonaNotFound, which lists the known names."""
        try:
            return self._personas[name]
        except KeyError:
            raise PersonaNotFound(name, sorted(self._personas)) from None

    async def launchable(self, name: str) -> Persona:
        """As `get`. Raises PersonaUnusable, too, where it names a person or a group that does not exist."""
        persona = self.get(name)
        await self._check(name)
        return persona

    async def problem(self, name: str) -> str:
        """Why the persona of this name cannot be launched, in one sentence; empty where it can."""
        try:
            await self.launchable(name)
        except (PersonaNotFound, PersonaUnusable) as error:
            return str(error)
        return ""

    def roster(self, persona: Persona) -> list[Persona]:
        """The personas that this one may launch."""
        return [other for other in self.all() if may_launch(persona, other.name)]

    async def load_grants(self, session: Session) -> Grants:
        """What the session's commands are granted: nothing where the store does not have its persona."""
        try:
            return (await self.load_pinned(session)).grants
        except LogUnreadable:
            return Grants()

    async def load_pinned(self, session: Session) -> Persona:
        """The version that the session was launched with. Raises LogUnreadable if the store does not have it."""
        digest = session.persona_digest
        if digest not in self._pinned:
            data = await self._log.blob(partition_of(session.id), digest)
            try:
                self._pinned[digest] = Persona.model_validate_json(data or b"")
            except ValidationError as error:
                raise LogUnreadable(
                    session.id, f"its persona {session.persona} is not in the store."
                ) from error
        return self._pinned[digest]
