"""Files that people attached: they are taken into the session's folder, or it is said why not."""

from __future__ import annotations

from typing import Any

from supervisor.core.events import FilesTaken
from supervisor.core.records import FileProblem
from supervisor.core.reducer.session import note_of, reduce
from supervisor.core.state import Session
from supervisor.core.text.format import count


@reduce.register
def _files_taken(event: FilesTaken, session: Session) -> dict[str, Any]:
    settled = {file.source for file in event.taken} | {file.source for file in event.lost}
    before = session.attachments
    givers = tuple(dict.fromkeys(file.by for file in before.awaited if file.source in settled))
    taken = dict(before.taken) | {file.path: event.at for file in event.taken}
    said = tuple(f"{file.name}: {file.problem}" for file in event.lost)
    problems = (FileProblem(at=event.at, by=givers, said=said),) if said else ()
    after = {
        "awaited": tuple(file for file in before.awaited if file.source not in settled),
        "taken": tuple(taken.items()),
        "problems": (*before.problems, *problems),
    }
    return {
        "attachments": before.model_copy(update=after),
        "inbox": (*session.inbox, note_of(event, _told(event))),
    }


def _told(event: FilesTaken) -> str:
    """What the agent reads of the files that people attached."""
    there = [f"`{file.path}` ({count(file.size, 'byte')})" for file in event.taken]
    lines = [f"In your folder are now, as people attached them: {', '.join(there)}."] if there else []
    lines += [f"Attached, but not in your folder: {file.name}: {file.problem}" for file in event.lost]
    return "\n".join(lines)
