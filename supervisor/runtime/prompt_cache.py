"""Caches the turns of the prompt for steps that no longer change, so that only new steps are formatted."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from supervisor.core.messages import Turn
from supervisor.core.prompt import inbox_told, opening_turns, steps_told, summed_up
from supervisor.core.state import Session


@dataclass
class _Told:
    """The turns of the steps after the first `after`, up to `through`."""

    after: int
    through: int
    turns: list[Turn]


class PromptCache:
    """Turns of `cached` sessions at most. A step whose calls all have results never changes."""

    def __init__(self, *, cached: int = 256) -> None:
        self._cached = cached
        self._told: OrderedDict[str, _Told] = OrderedDict()

    def conversation(self, session: Session, context_seen: int) -> tuple[Turn, ...]:
        """Return the turns as `core.prompt.conversation` does, for a session without open calls."""
        after, steps = summed_up(session), len(session.steps)
        told = self._told.get(session.id)
        if told is None or told.after != after or told.through > steps:
            told = self._told[session.id] = _Told(after, after, [])
        told.turns += steps_told(session, told.through)
        told.through = steps
        self._told.move_to_end(session.id)
        while len(self._told) > self._cached:
            self._told.popitem(last=False)
        return (*opening_turns(session), *told.turns, *inbox_told(session, context_seen))
