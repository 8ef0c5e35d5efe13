"""A session as one actor finds it, with what is known of their rights."""

from __future__ import annotations

from dataclasses import dataclass

from supervisor.core import rights
from supervisor.core.errors import FlagmanError, IllegalEvent
from supervisor.core.events import Actor
from supervisor.core.persona import Persona
from supervisor.core.state import Call, Session


@dataclass(frozen=True)
class Found:
    """A session with its persona (None where the store has lost it), and the actor with what is known of it.

    `reads`: the actor may read the session. Who is in its place `sees` it, also without that right. `problem` is why it
    is not known in which groups the actor is, which matters where nothing else gives the right.
    """

    session: Session
    persona: Persona | None
    actor: Actor
    reads: bool = False
    problem: FlagmanError | None = None

    @property
    def pause_number(self) -> int:
        """The number of the pause in which the session was found; 0 where it was in none."""
        return self.session.halts[-1].number if self.session.pause else 0

    @property
    def is_asked(self) -> bool:
        """Whether the session waits for an operator, and its persona names the actor as one."""
        return rights.needs_operator(self.session) and rights.names_operator(self.persona, self.actor)

    @property
    def over_budget(self) -> bool:
        """Whether to resume the session raises a budget that is used up."""
        pause = self.session.pause
        return pause is not None and pause.reason in ("budget_exceeded", "context_budget_exceeded")


def call_of(session: Session, call_id: str) -> Call | None:
    """The call with this id; None where there is none, which the command tells."""
    try:
        return session.call(call_id)
    except IllegalEvent:
        return None
