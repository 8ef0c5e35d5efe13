"""The loaded personas, and the versions that stored sessions were launched with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Protocol

from pydantic import ValidationError

from storage.keys import partition_of
from storage.log import LogStore
from supervisor.core.errors import LogUnreadable, PersonaNotFound, PersonaUnusable
from supervisor.core.persona import Granted, Grants, Persona
from supervisor.core.policy import may_launch
from supervisor.core.state import Session
from supervisor.personas.folder import PersonaProblem

Check = Callable[[str], Awaitable[None]]
# Sentences about what a persona grants to its commands and these do not get.
Missing = Callable[[Persona], Iterable[str]]


async def no_check(persona: str) -> None:
    """The default of `PersonaLibrary`: every persona can be launched."""


def nothing_missing(persona: Persona) -> Iterable[str]:
    """Where no commands run, it is not known what they would not get."""
    return ()


class PersonaSource(Protocol):
    """Where the personas in use come from, by name; they can be other ones each time."""

    def personas(self) -> Mapping[str, Persona]: ...
    def problems(self) -> Sequence[PersonaProblem]: ...


class PersonaLibrary:
    """Finds the personas in use by name, and the versions that sessions were launched with in the store by digest.

    `check` raises PersonaUnusable for the name of a persona that is not to be launched. `missing` is set by a process
    that runs commands.
    """

    def __init__(self, source: PersonaSource, log: LogStore, check: Check = no_check) -> None:
        self._source, self._log, self._check = source, log, check
        self._pinned = {persona.digest: persona for persona in source.personas().values()}
        self.missing: Missing = nothing_missing

    def all(self) -> list[Persona]:
        return sorted(self._source.personas().values(), key=lambda persona: persona.name)

    def get(self, name: str) -> Persona:
        """The persona of this name. Raises PersonaNotFound, which lists the known names."""
        personas = self._source.personas()
        try:
            return personas[name]
        except KeyError:
            raise PersonaNotFound(name, sorted(personas)) from None

    def notes(self, persona: Persona) -> list[str]:
        """Sentences about a persona that can be launched: a mistake in its file, what its commands do not get."""
        mistakes = [problem.said for problem in self._source.problems() if problem.persona == persona.name]
        return [*mistakes, *self.missing(persona)]

    def unread(self) -> dict[str, str]:
        """What is wrong with the files and the folder of which no persona is in use, by their names."""
        return {problem.file: problem.said for problem in self._source.problems() if not problem.persona}

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

    async def load_granted(self, session: Session) -> Granted:
        """As `load_grants`, with sentences about what its commands do not get here."""
        try:
            persona = await self.load_pinned(session)
        except LogUnreadable:
            return Granted()
        return Granted(**persona.grants.model_dump(), missing=tuple(self.missing(persona)))

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
