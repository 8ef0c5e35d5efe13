"""The reducer folds the events of a log into a session. Importing it registers the function of each event."""

from supervisor.core.reducer import calls, subagents
from supervisor.core.reducer.session import SESSION_MOVES, apply, fold, wake_text

__all__ = ["SESSION_MOVES", "apply", "calls", "fold", "subagents", "wake_text"]
