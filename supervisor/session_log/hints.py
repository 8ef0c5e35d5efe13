"""The interface of the hints in a SESSION_LOG that say how a session can be resumed; `bot/compose.py` provides them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from supervisor.core.messages import Json
from supervisor.core.state import Session
from supervisor.session_log.render.moments import PausePeriod

Way = tuple[str, str]


class ResumeHints(Protocol):
    """The parts of a SESSION_LOG that say how each interface resumes the session.

    Verification compares them with the document, so they depend only on the session and on `settings`, which are part
    of the document's chain.
    """

    @property
    def settings(self) -> Json:
        """The configuration that the texts depend on; empty for that of the first documents, which do not have it."""

    def ways(self, rest: PausePeriod) -> list[Way]:
        """Return each way to resume as a name and an instruction in Markdown."""

    def place(self, session: Session) -> str:
        """Return where people see the session, in Markdown; empty for a session that is shown nowhere."""


HintsOf = Callable[[Json], ResumeHints]
"""Returns the hints for the settings that a document records. Raises ValueError for unknown settings."""
