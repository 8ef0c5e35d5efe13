"""Finds the files that a command made, changed or removed in a session's folder. No link is followed."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from unicodedata import category

from supervisor.core.events.subagents import is_child_folder
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
_SHOWN = 5
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

    `partial`: some entries were not looked at, since there are too many or a folder in it cannot be read.
    """

    at: int
    files: dict[str, FileStamp] = field(default_factory=dict)
    heavy: set[str] = field(default_factory=set)
    entries: int = 0
    partial: bool = False

    @classmethod
    def unknown(cls, at: datetime) -> Contents:
        """Return the contents at a time at which nobody looked: what was changed since shows by its times alone."""
        return cls(int(at.timestamp() * 1_000_000_000), partial=True)


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
    try:
        descriptor = os.open(name, FOLDER, dir_fd=parent) if depth < DEEPEST else None
    except OSError:
        descriptor = None
    if descriptor is None:
        found.partial = True
        return
    try:
        _look(descriptor, f"{path}{name}/", found, depth + 1)
    finally:
        os.close(descriptor)


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
    gone = () if after.partial else tuple(p for p in known if p in before.files and p not in after.files)
    left = len(changed) - len(listed) - unfit
    written = sorted(listed, key=lambda path: (after.files[path].mtime, path))
    note = "; ".join(_left_out(left, unfit, sorted(after.heavy - before.heavy), after))
    return Changes(
        tuple(written), gone[:MOST_LISTED], f"[Not among the session's files: {note}.]" if note else ""
    )


def _is_changed(seen: FileStamp, earlier: FileStamp | None, before: Contents) -> bool:
    if earlier is None and before.partial:
        return seen.ctime >= before.at - CLOCK_LAG_NS
    return seen != earlier


def _is_fit(path: str) -> bool:
    return len(path) <= LONGEST_PATH and not any(category(sign) in _NO_TEXT for sign in path)


def _left_out(left: int, unfit: int, heavy: list[str], after: Contents) -> Iterator[str]:
    if left:
        yield f"{left:,} more new or changed ones, as at most {MOST_LISTED} a call are listed"
    if unfit:
        yield f"{unfit:,} whose names hold a secret, are too long or are no plain text"
    if fit := [path for path in heavy if _is_fit(path)]:
        more = f" and {len(fit) - _SHOWN} more such folders" if len(fit) > _SHOWN else ""
        yield f"what is in {', '.join(f'`{path}`' for path in fit[:_SHOWN])}{more}"
    if after.entries > MOST_SEEN:
        yield f"what is beyond the first {MOST_SEEN:,} entries of the folder"
