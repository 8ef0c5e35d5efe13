"""The personas at hand, and the exact versions that running sessions were launched with."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import ValidationError

from storage.keys import partition_of
from storage.log import LogStore
from supervisor.core.errors import LogUnreadable, PersonaNotFound
from supervisor.core.persona import Persona
from supervisor.core.policy import may_launch
from supervisor.core.state import Session


class PersonaLibrary:
    """Today's files by name; older versions from the store by digest."""

    def __init__(self, personas: Mapping[str, Persona], log: LogStore) -> None:
        self._personas, self._log = dict(personas), log
        self._pinned = {persona.digest: persona for persona in personas.values()}

    def all(self) -> list[Persona]:
        return sorted(self._personas.values(), key=lambda persona: persona.name)

    def get(self, name: str) -> Persona:
        """Raises PersonaNotFound, which names those there are."""
        try:
            return self._personas[name]
        except KeyError:
            raise PersonaNotFound(name, sorted(self._personas)) from None

    def roster(self, persona: Persona) -> list[Persona]:
        """Those that it may launch."""
        return [other for other in self.all() if may_launch(persona, other.name)]

    async def load_pinned(self, session: Session) -> Persona:
        """The version the session was launched with. Raises LogUnreadable if the store lost it."""
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
