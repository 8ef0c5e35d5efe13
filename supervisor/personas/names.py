"""Checks that the people, groups and teams that personas name exist; a persona that names another is not launched."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field

from supervisor.core.errors import FlagmanError, PersonaInvalid, PersonaUnusable
from supervisor.core.persona import NameFound, NameKind
from supervisor.personas.loader import NameInFile, PersonaFile

# A name that was found counts for five minutes; one that was not is looked for again each time.
FRESH_SECONDS = 300.0
Look = Callable[[NameKind, str], Awaitable[NameFound]]


@dataclass
class NameReport:
    """What is wrong with the names of one persona: each is an error, is only told, or could not be looked for."""

    errors: list[PersonaInvalid] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)


class PersonaNames:
    """Looks for names by `look`, which raises FlagmanError where it cannot tell: then nothing is refused.

    `files` returns the persona files in use.
    """

    def __init__(self, files: Callable[[], Iterable[PersonaFile]], look: Look) -> None:
        self._files, self._look = files, look
        self._found: dict[tuple[NameKind, str], float] = {}

    @property
    def personas(self) -> list[str]:
        """The personas that name anybody."""
        return sorted(file.persona.name for file in self._files() if next(file.names, None))

    def _named(self, persona: str) -> list[NameInFile]:
        return [one for file in self._files() if file.persona.name == persona for one in file.names]

    async def report(self, persona: str) -> NameReport:
        """Look for all names of the persona."""
        report = NameReport()
        for one in self._named(persona):
            where = f"{one.path}:{one.line}"
            try:
                found = await self._look(one.kind, one.name)
            except FlagmanError as error:
                report.unknown.append(
                    f"{where}: it is not known whether the {one.kind} `{one.name}` exists: {error}"
                )
                continue
            if not found.exists:
                report.errors.append(PersonaInvalid(str(one.path), one.line, found.said))
            elif found.said:
                report.notes.append(f"{where}: {found.said}")
        return report

    async def check(self, persona: str) -> None:
        """Raises PersonaUnusable where the persona names a person, group or team that does not exist."""
        for one in self._named(persona):
            if problem := await self._problem(one):
                raise PersonaUnusable(
                    persona, f"line {one.line} of {one.path.name} names what is not there, since {problem}"
                )

    async def _problem(self, one: NameInFile) -> str:
        key = (one.kind, one.name)
        if (at := self._found.get(key)) and time.monotonic() - at < FRESH_SECONDS:
            return ""
        try:
            found = await self._look(*key)
        except FlagmanError:
            # Who decides is read again at each decision, and nobody counts as a member of what cannot be read.
            return ""
        if found.exists:
            self._found[key] = time.monotonic()
        return "" if found.exists else found.said
