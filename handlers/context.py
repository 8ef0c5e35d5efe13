"""What every listener is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from handlers.projection.file_upload import Files
from handlers.users import People
from storage.projections import ProjectionStore
from supervisor.schedules import Schedules
from supervisor.service import Supervisor


@dataclass(frozen=True)
class Deps:
    """`mask` hides secrets in whatever is shown; `command` is the slash command's name."""

    supervisor: Supervisor
    rows: ProjectionStore
    people: People
    files: Files
    schedules: Schedules
    clock: Callable[[], datetime]
    mask: Callable[[str], str]
    command: str = "/agent"
