"""How a session at rest goes on, as the interfaces above describe it; the composition hands one in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from supervisor.core.messages import Json
from supervisor.core.state import Session
from supervisor.session_log.render.moments import PausePeriod

Way = tuple[str, str]


class ResumeHints(Protocol):
    """The parts of a SESSION_LOG that say what to do, in the words of each interface.

    They are compared with the rest of the text when a document is verified. So they follow from the session and from
    `settings` alone, and `settings` stands in the document's chain.
    """

    @property
    def settings(self) -> Json:
        """The configuration that the sentences depend on; empty where it is the one of all earlier documents."""

    def ways(self, rest: PausePeriod) -> list[Way]:
        """Each way on as its name and what exactly to do, in Markdown."""

    def place(self, session: Session) -> str:
        """Where people see the session, in Markdown; empty where that is nowhere in particular."""


HintsOf = Callable[[Json], ResumeHints]
"""The hints for the settings that a document records. Raises ValueError for settings that it does not know."""
