"""The reducer folds the events of a log into a session. Importing it registers the function of each event."""

from supervisor.core.reducer import calls, files, grants, pauses, questions, subagents
from supervisor.core.reducer.pauses import wake_text
from supervisor.core.reducer.session import SESSION_MOVES, apply, fold

__all__ = [
    "SESSION_MOVES",
    "apply",
    "calls",
    "files",
    "fold",
    "grants",
    "pauses",
    "questions",
    "subagents",
    "wake_text",
]
