"""Tells the log, and admins, of mistakes in persona files that were changed while Flagman runs."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Collection

from bot.compose import Core
from handlers.announcements import Announcements
from storage.marks import MarkStore

# A mistake counts after so many seconds, since a file may be in the middle of being written.
STOOD_SECONDS = 3.0
_log = logging.getLogger("flagman.personas")


class PersonaReports:
    """Looks at the persona files of this process. Several processes tell each admin of a mistake once together."""

    def __init__(self, parts: Core) -> None:
        self._parts, self._marks = parts, MarkStore(parts.redis)
        self._announcements = Announcements(parts.directory, parts.mask, parts.settings.command)
        self._known = self._versions()
        # The mistakes that stand, and who is still to be told of each.
        self._untold: dict[str, list[str]] = {}

    async def report(self) -> None:
        """Tell of what is wrong now and was not told before. Raises StoreUnavailable."""
        known, self._known = self._known, self._versions()
        changed = {name for name, digest in self._known.items() if known.get(name) != digest}
        if changed and self._parts.directory.connected:
            await tell_of_names(self._parts, changed)
        problems = {problem.said: problem for problem in self._parts.folder.problems()}
        for said in self._untold.keys() - problems.keys():
            # Made again, it is another mistake.
            for admin in self._admins():
                await self._marks.remove(_mark(admin, said))
            del self._untold[said]
        for said, problem in problems.items():
            if time.monotonic() - problem.since < STOOD_SECONDS:
                continue
            if said not in self._untold:
                self._untold[said] = self._admins()
                _log.error("%s (%s)", said, problem.error.path)
            self._untold[said] = [admin for admin in self._untold[said] if not await self._tell(admin, said)]

    def _versions(self) -> dict[str, str]:
        return {persona.name: persona.digest for persona in self._parts.personas.all()}

    def _admins(self) -> list[str]:
        return [admin for admin in self._parts.settings.admin_ids if not admin.startswith("api:")]

    async def _tell(self, admin: str, said: str) -> bool:
        """Tell an admin, unless another process did. Returns False where Slack cannot be reached now."""
        if not self._parts.directory.connected:
            return False
        mark = _mark(admin, said)
        if not await self._marks.set(mark) or await self._announcements.persona_broken(admin, said):
            return True
        await self._marks.remove(mark)
        return False


def _mark(admin: str, said: str) -> str:
    return hashlib.sha256(f"{admin} {said}".encode()).hexdigest()


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
