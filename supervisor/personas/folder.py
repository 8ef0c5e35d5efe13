"""The persona files of a folder, which are read again when they change; a broken one stays in use as it was before."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from supervisor.core.errors import PersonaInvalid
from supervisor.core.persona import Persona
from supervisor.personas.loader import (
    NO_FILES,
    KnownTool,
    PersonaFile,
    load_file,
    load_files,
    name_taken,
    persona_paths,
    unknown_agent,
)

# The folder is looked at when a persona is needed, at most once in so many seconds.
LOOK_SECONDS = 1.0
# What was changed so few seconds ago may be in the middle of being written.
SETTLED_SECONDS = 0.5
Signature = tuple[int, int, int, int]
UNKNOWN: Signature = (0, 0, 0, 0)
_log = logging.getLogger("flagman.personas")


@dataclass(frozen=True)
class PersonaProblem:
    """What is wrong with a persona file, or with the folder, since it was changed.

    `persona` is the name of the persona of the file that is in use, in an earlier version where it is `stale`; empty
    where there is none. `since` is a time of the monotonic clock.
    """

    error: PersonaInvalid
    persona: str
    stale: bool
    since: float

    @property
    def file(self) -> str:
        return Path(self.error.path).name

    @property
    def said(self) -> str:
        """The problem as one sentence."""
        problem = self.error.problem.rstrip(".")
        mistake = f"There is a mistake in line {self.error.line} of {self.file}: {problem}."
        if self.stale:
            return f"{mistake} Until it is mended, the version before is used."
        return mistake


@dataclass(frozen=True)
class _Version:
    """What was last read of a file, and when; `signature` is None where it is to be read again, changed or not."""

    signature: Signature | None
    found: PersonaFile | PersonaInvalid
    at: float


class PersonaFolder:
    """Reads the folder at once, where the first mistake raises PersonaInvalid, and later again what has changed.

    Then a file with a mistake is a problem, and its persona stays in use as it was; that of a deleted file does not.
    """

    def __init__(
        self, folder: Path, known_tools: Mapping[str, KnownTool], servers: Collection[str] = ()
    ) -> None:
        self._folder, self._tools, self._servers = folder, known_tools, frozenset(servers)
        signatures = _signatures(folder)
        self._looked = time.monotonic()
        files = load_files(folder, known_tools, servers)
        self._used = {file.path: file for file in files}
        self._versions = {
            file.path: _Version(signatures.get(file.path, UNKNOWN), file, self._looked) for file in files
        }
        # What was seen to be changed, with its signature then, and since when.
        self._unsettled: dict[Path, tuple[Signature, float]] = {}
        self._problems: list[PersonaProblem] = []
        self._lost: PersonaProblem | None = None

    def files(self) -> list[PersonaFile]:
        """The files in use."""
        self._look()
        return list(self._used.values())

    def personas(self) -> dict[str, Persona]:
        """The personas in use, by name."""
        return {file.persona.name: file.persona for file in self.files()}

    def problems(self) -> list[PersonaProblem]:
        """What is wrong with files, or with the folder, since they were changed."""
        self._look()
        return [self._lost] if self._lost else list(self._problems)

    def _look(self) -> None:
        now = time.monotonic()
        if now - self._looked < LOOK_SECONDS:
            return
        self._looked = now
        try:
            around = _signature(self._folder)
            found = _signatures(self._folder)
        except OSError as error:
            self._lose(f"the folder cannot be read ({error.strerror})")
            return
        # A file that is replaced is missing for a moment.
        if not self._is_settled(self._folder, around):
            return
        if not found:
            self._lose(NO_FILES)
            return
        self._lost = None
        if found == {path: version.signature for path, version in self._versions.items()}:
            return
        for path in self._versions.keys() - found.keys():
            del self._versions[path]
            self._unsettled.pop(path, None)
        for path, signature in found.items():
            known = self._versions.get(path)
            if (known is None or known.signature != signature) and self._is_settled(path, signature):
                newest = self._read(path)
                # A file that could not be read need not change before it can.
                again = isinstance(newest, PersonaInvalid) and isinstance(newest.__cause__, OSError)
                self._versions[path] = _Version(None if again else signature, newest, now)
        self._settle()

    def _lose(self, problem: str) -> None:
        if self._lost is None or self._lost.error.problem != problem:
            error = PersonaInvalid(str(self._folder), 1, problem)
            self._lost = PersonaProblem(error, "", False, self._looked)

    def _is_settled(self, path: Path, signature: Signature) -> bool:
        """Whether a path was not changed for a while, by the time of its file system or by that of this process."""
        before, since = self._unsettled.get(path, (None, 0.0))
        if before != signature:
            since = self._looked
        settled = (
            time.time() - signature[0] / 1e9 >= SETTLED_SECONDS or self._looked - since >= SETTLED_SECONDS
        )
        if settled:
            self._unsettled.pop(path, None)
        else:
            self._unsettled[path] = signature, since
        return settled

    def _read(self, path: Path) -> PersonaFile | PersonaInvalid:
        try:
            return load_file(path, self._tools, self._servers)
        except PersonaInvalid as error:
            return error

    def _settle(self) -> None:
        """Choose which version of each file is in use, and find the problems."""
        used: dict[str, PersonaFile] = {}
        errors: list[tuple[PersonaInvalid, str]] = []
        for path in sorted(self._versions, key=lambda path: (self._is_new(path), path)):
            newest = self._versions[path].found
            error = newest if isinstance(newest, PersonaInvalid) else None
            for file in (newest, self._used.get(path)):
                if not isinstance(file, PersonaFile):
                    continue
                if other := used.get(file.persona.name):
                    error = error or name_taken(file, other)
                    continue
                used[file.persona.name] = file
                break
            if error:
                errors.append((error, next((name for name, file in used.items() if file.path == path), "")))
        for name, file in used.items():
            if unknown := unknown_agent(file, used):
                errors.append((unknown, name))
        self._tell_of(used)
        self._used = {file.path: file for file in used.values()}
        self._problems = [self._problem(*found) for found in errors]

    def _is_new(self, path: Path) -> bool:
        """Whether a file has another version than that in use: it comes last, and takes no name of the others."""
        found = self._versions[path].found
        return isinstance(found, PersonaFile) and found is not self._used.get(path)

    def _problem(self, error: PersonaInvalid, persona: str) -> PersonaProblem:
        path = Path(error.path)
        stale = bool(persona) and self._versions[path].found is not self._used[path]
        new = PersonaProblem(error, persona, stale, self._looked)
        known = next((known for known in self._problems if known.said == new.said), new)
        return replace(new, since=known.since)

    def _tell_of(self, used: Mapping[str, PersonaFile]) -> None:
        before = {file.persona.name: file for file in self._used.values()}
        for name in sorted(before.keys() - used.keys()):
            _log.info("the persona %s is gone with its file", name)
        for name, file in used.items():
            if file is not before.get(name):
                _log.info("the persona %s was read from %s", name, file.path)


def _signatures(folder: Path) -> dict[Path, Signature]:
    return dict(_each(folder))


def _each(folder: Path) -> Iterator[tuple[Path, Signature]]:
    for path in persona_paths(folder):
        try:
            yield path, _signature(path)
        except OSError:
            # A link to nowhere, of which reading tells.
            yield path, UNKNOWN


def _signature(path: Path) -> Signature:
    """What differs once a file was written again, or its rights changed.

    The times of its content and of what is known about it, in nanoseconds, its size in bytes and its inode.
    """
    about = path.stat()
    return about.st_mtime_ns, about.st_size, about.st_ino, about.st_ctime_ns
