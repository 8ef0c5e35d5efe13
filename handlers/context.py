"""What every listener is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from handlers.projection.file_upload import FileUploads
from handlers.users import People
from storage.projections import ProjectionStore
from supervisor.schedules import Schedules
from supervisor.service import Supervisor


@dataclass(frozen=True)
class ListenerContext:
    """`mask` hides secrets in whatever is shown; `command` is the slash command's name."""

    supervisor: Supervisor
    rows: ProjectionStore
    people: People
    files: FileUploads
    schedules: Schedules
    clock: Callable[[], datetime]
    mask: Callable[[str], str]
    command: str = "/agent"
