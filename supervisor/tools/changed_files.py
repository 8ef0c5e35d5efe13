"""Finds the files that a command made, changed or removed in a session's folder. No link is followed."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import PurePosixPath
from unicodedata import category

from supervisor.core.events.subagents import is_child_folder
from supervisor.core.text.sanitize import clean_text
from supervisor.core.text.visible import one_line
from supervisor.tools.path_guard import FOLDER, Folder

# How many files of one call are listed, and how many entries of a folder are looked at.
MOST_LISTED, MOST_SEEN = 200, 20_000
LONGEST_PATH, DEEPEST = 1_000, 64
# A file's time of change is that of the kernel's coarse clock, which may be behind by some milliseconds.
CLOCK_LAG_NS = 1_000_000_000
# Folders that programs fill with files of their own; what is in them is never listed.
HEAVY = frozenset(
    {
        *(".git", ".hg", ".svn", ".venv", "venv", "node_modules", "__pycache__", ".cache", ".local", ".npm"),
        *(".yarn", ".pnpm-store", ".tox", ".nox", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".cargo"),
        *(".rustup", ".gradle", ".m2", ".terraform", ".bundle"),
    }
)
# The beginning of the name under which `write_file` writes a file before it is complete.
_UNFINISHED = ".flagman-"
_SHOWN, _LONGEST_SHOWN = 5, 200
# Control characters, lone surrogates (bytes that are no UTF-8), and separators of lines and paragraphs.
_NO_TEXT = frozenset({"Cc", "Cs", "Zl", "Zp"})


@dataclass(frozen=True)
class FileStamp:
    """What tells that a file was changed; `ctime` is only looked at where it is not known what was there before."""

    size: int
    mtime: int
    inode: int
    ctime: int = field(compare=False)


@dataclass
class Contents:
    """The regular files of a folder at the time `at`, in nanoseconds since 1970, and the folders left out in it.

    `closed` are the files and folders that could not be looked at, and the folders that lie too deep. `partial`: there
    are such, or more entries than are looked at.
    """

    at: int
    files: dict[str, FileStamp] = field(default_factory=dict)
    heavy: set[str] = field(default_factory=set)
    closed: set[str] = field(default_factory=set)
    entries: int = 0
    partial: bool = False

    @classmethod
    def unknown(cls, at: datetime) -> Contents:
        """Return the contents at a time at which nobody looked: what was changed since shows by its times alone."""
        return cls(int(at.timestamp() * 1_000_000_000), partial=True)

    def close(self, path: str) -> None:
        """Note an entry that could not be looked at."""
        self.closed.add(path)
        self.partial = True

    def lacks(self, path: str) -> bool:
        """Return whether the file is not there, as far as could be seen."""
        around = {path, *map(str, PurePosixPath(path).parents)}
        return path not in self.files and self.entries <= MOST_SEEN and not around & self.closed


@dataclass(frozen=True)
class Changes:
    """New and changed files, files that are gone, and a sentence on what is not listed (empty where all is)."""

    written: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    note: str = ""


def contents(folder: Folder) -> Contents:
    """Return what is in the folder, but for the folders of sub-agents, which are their own. Raises OSError."""
    found = Contents(time.time_ns())
    _look(folder.descriptor, "", found, 0)
    return found


def _look(descriptor: int, path: str, found: Contents, depth: int) -> None:
    folders: list[str] = []
    with os.scandir(descriptor) as entries:
        for entry in sorted(islice(entries, MOST_SEEN + 1), key=lambda one: one.name):
            found.entries += 1
            if found.entries > MOST_SEEN:
                found.partial = True
                return
            try:
                seen = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            except OSError:
                found.close(path + entry.name)
                continue
            if stat.S_ISDIR(seen.st_mode):
                folders.append(entry.name)
            elif stat.S_ISREG(seen.st_mode) and not entry.name.startswith(_UNFINISHED):
                found.files[path + entry.name] = FileStamp(
                    seen.st_size, seen.st_mtime_ns, seen.st_ino, seen.st_ctime_ns
                )
    for name in folders:
        if name in HEAVY:
            found.heavy.add(path + name)
        elif not is_child_folder(path + name):
            _look_into(descriptor, name, path, found, depth)


def _look_into(parent: int, name: str, path: str, found: Contents, depth: int) -> None:
    if depth == DEEPEST:
        found.close(path + name)
        return
    try:
        descriptor = os.open(name, FOLDER, dir_fd=parent)
        try:
            _look(descriptor, f"{path}{name}/", found, depth + 1)
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        return
    except OSError:
        found.close(path + name)


def compare(
    before: Contents, after: Contents, known: Collection[str], mask: Callable[[str], str] = str
) -> Changes:
    """Return what was changed between two looks; of the files that are gone, those in `known`.

    A file whose path cannot be kept, or is changed by `mask` since a secret is in it, is counted and not listed.
    """
    changed = [
        path for path, seen in after.files.items() if _is_changed(seen, before.files.get(path), before)
    ]
    listed: list[str] = []
    unfit = 0
    # The files at the top are more often results than those far below.
    for path in sorted(changed, key=lambda one: (one.count("/"), one)):
        if len(listed) == MOST_LISTED:
            break
        if _is_fit(path) and mask(path) == path:
            listed.append(path)
        else:
            unfit += 1
    gone = tuple(path for path in known if path in before.files and after.lacks(path))
    left = len(changed) - len(listed) - unfit
    written = sorted(listed, key=lambda path: (after.files[path].mtime, path))
    return Changes(tuple(written), gone[:MOST_LISTED], _note(_left_out(left, unfit, before, after, mask)))


def _is_changed(seen: FileStamp, earlier: FileStamp | None, before: Contents) -> bool:
    if earlier is None and before.partial:
        return seen.ctime >= before.at - CLOCK_LAG_NS
    return seen != earlier


def _is_fit(path: str) -> bool:
    return len(path) <= LONGEST_PATH and not any(category(sign) in _NO_TEXT for sign in path)


def named(paths: Sequence[str], most: int, mask: Callable[[str], str]) -> str:
    """Return the first `most` paths, masked and without line breaks and hidden characters, and how many more there are.

    Any process may have chosen the names of files.
    """
    first = ", ".join(f"`{one_line(mask(clean_text(path)), _LONGEST_SHOWN)}`" for path in paths[:most])
    return f"{first} and {len(paths) - most:,} more" if len(paths) > most else first


def unlisted(error: OSError) -> Changes:
    """Return the changes of a call after which the session's folder cannot be read."""
    return Changes(note=_note([f"what this call wrote, as the folder cannot be read ({error.strerror})"]))


def _note(left_out: Iterable[str]) -> str:
    text = "; ".join(left_out)
    return f"[Not among the session's files: {text}.]" if text else ""


def _left_out(
    left: int, unfit: int, before: Contents, after: Contents, mask: Callable[[str], str]
) -> Iterator[str]:
    if left:
        yield f"{left:,} more new or changed ones, as at most {MOST_LISTED} a call are listed"
    if unfit:
        yield f"{unfit:,} whose names hold a secret, are too long or are no plain text"
    if heavy := sorted(after.heavy - before.heavy):
        yield f"what is in {named(heavy, _SHOWN, mask)}"
    if closed := sorted(after.closed - before.closed):
        yield f"what cannot be read or lies deeper than {DEEPEST} folders: {named(closed, _SHOWN, mask)}"
    if after.entries > MOST_SEEN:
        yield f"what is beyond the first {MOST_SEEN:,} entries of the folder"
