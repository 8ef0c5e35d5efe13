"""A session's sub-agents as they stand themselves, and where the cards of its relatives are. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from supervisor.core.session import Child, Session


@dataclass(frozen=True)
class Member:
    """One sub-agent, with the session that launched it; `path` is its name below those of its ancestors."""

    path: str
    parent: Session
    child: Child
    session: Session


@dataclass(frozen=True)
class Family:
    """`below` are the sessions of sub-agents by id; `cards` are addresses of cards by session."""

    below: Mapping[str, Session] = field(default_factory=dict)
    cards: Mapping[str, str] = field(default_factory=dict)

    def card(self, session_id: str) -> str:
        """Empty where no address is known."""
        return self.cards.get(session_id, "")

    def members(self, session: Session, above: str = "") -> Iterator[Member]:
        """Everybody below a session, each before its own sub-agents."""
        for child in session.children:
            found = self.below.get(child.id)
            if found:
                path = f"{above} › {child.name}" if above else child.name
                yield Member(path, session, child, found)
                yield from self.members(found, path)

    def tokens(self, session: Session) -> int:
        """What it used with its sub-agents, those included that are still at it."""
        own = session.usage.input_tokens + session.usage.output_tokens
        return own + sum(
            self.tokens(found) if found else child.usage.input_tokens + child.usage.output_tokens
            for child, found in self._spending(session)
        )

    def cost(self, session: Session) -> Decimal | None:
        """As `tokens`, in USD; None where a price is not known."""
        parts = [None if session.unpriced else session.cost_usd]
        for child, found in self._spending(session):
            parts.append(self.cost(found) if found else None if child.unpriced else child.cost_usd)
        return None if None in parts else sum((part for part in parts if part is not None), Decimal(0))

    def _spending(self, session: Session) -> Iterator[tuple[Child, Session | None]]:
        """A sub-agent that has ended is known by its record, one at work by its own session."""
        for child in session.children:
            yield child, self.below.get(child.id) if child.state == "running" else None


def relatives(session: Session) -> tuple[str, ...]:
    """Whose messages show where the card of this session is."""
    above = (session.lineage.root, session.lineage.parent) if session.lineage else ()
    return tuple(dict.fromkeys((*above, *(child.id for child in session.children))))
