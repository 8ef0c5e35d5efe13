"""Tells the log, and admins, of mistakes in persona files that were changed while Flagman runs."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Collection

from bot.compose import Core
from handlers.announcements import Announcements
from storage.marks import MarkStore
from supervisor.personas.folder import PersonaProblem

# A mistake counts after so many seconds, since a file may be in the middle of being written.
STOOD_SECONDS = 3.0
_log = logging.getLogger("flagman.personas")


class PersonaReports:
    """Looks at the persona files of this process. Several processes tell each admin of a mistake once together."""

    def __init__(self, parts: Core) -> None:
        self._parts, self._marks = parts, MarkStore(parts.redis)
        self._announcements = Announcements(parts.directory, parts.mask, parts.settings.command)
        self._known = self._versions()
        self._logged: set[tuple[str, int]] = set()

    async def report(self) -> None:
        """Tell of what is wrong now and was not told before. Raises StoreUnavailable."""
        known, self._known = self._known, self._versions()
        changed = {name for name, digest in self._known.items() if known.get(name) != digest}
        if changed and self._parts.directory.connected:
            await tell_of_names(self._parts, changed)
        for problem in self._parts.folder.problems():
            if time.monotonic() - problem.since >= STOOD_SECONDS:
                await self._tell(problem)

    def _versions(self) -> dict[str, str]:
        return {persona.name: persona.digest for persona in self._parts.personas.all()}

    async def _tell(self, problem: PersonaProblem) -> None:
        # The time of the file tells a mistake from the same one that was made again.
        what = problem.said, problem.written[0]
        if what not in self._logged:
            self._logged.add(what)
            _log.error("%s (%s)", problem.said, problem.error.path)
        if self._parts.directory.client is None:
            return
        for admin in self._parts.settings.admin_ids:
            if admin.startswith("api:"):
                continue
            mark = hashlib.sha256("\0".join((admin, *map(str, what))).encode()).hexdigest()
            if await self._marks.set(mark) and not await self._announcements.persona_broken(
                admin, problem.said
            ):
                await self._marks.remove(mark)


async def tell_of_names(parts: Core, personas: Collection[str] | None = None) -> None:
    """Log which of these personas, or of all, name people, groups or workspaces that do not exist."""
    for persona in parts.names.personas:
        if personas is not None and persona not in personas:
            continue
        report = await parts.names.report(persona)
        for error in report.errors:
            _log.error("the persona %s cannot be launched: %s", persona, error)
        for said in report.notes:
            _log.warning("the persona %s: %s", persona, said)
        for said in report.unknown:
            _log.warning("the persona %s: %s It is looked for again at each launch.", persona, said)
