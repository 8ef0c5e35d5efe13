"""The sessions of the sub-agents of a session, and the addresses of what is shown of them. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal

from handlers.blocks.text import context, escape
from handlers.messages.message import Message
from supervisor.core.records import Child
from supervisor.core.state import Session
from supervisor.core.text.visible import one_line


@dataclass(frozen=True)
class Member:
    """One sub-agent, with the session that launched it; `path` has the names of its ancestors and its own."""

    path: str
    parent: Session
    child: Child
    session: Session


@dataclass(frozen=True)
class Subagents:
    """The sub-agents of a session: `below` has sessions by id.

    `addresses` are those of cards by session id, and of the newest open request of a sub-agent, which has no card.
    `within` are the names of a sub-agent and of those above it, where it is shown in the thread of its coordinator.
    """

    below: Mapping[str, Session] = field(default_factory=dict)
    addresses: Mapping[str, str] = field(default_factory=dict)
    within: str = ""

    def address(self, session_id: str) -> str:
        """Return the address of what is shown of a session; empty where it is not known."""
        return self.addresses.get(session_id, "")

    def members(self, session: Session, above: str = "") -> Iterator[Member]:
        """Yield all sub-agents of a session at any depth, each before its own sub-agents."""
        for child in session.children:
            found = self.below.get(child.id)
            if found:
                path = f"{above} › {child.name}" if above else child.name
                yield Member(path, session, child, found)
                yield from self.members(found, path)

    def tokens(self, session: Session) -> int:
        """Return the tokens used by a session and its sub-agents, including running ones."""
        tokens = session.usage.input_tokens + session.usage.output_tokens
        for child in session.children:
            found = self.below.get(child.id)
            tokens += self.tokens(found) if found else child.usage.input_tokens + child.usage.output_tokens
        return tokens

    def cost(self, session: Session) -> Decimal | None:
        """Return the cost of a session and its sub-agents in USD; None if a price is not known."""
        parts = [None if session.unpriced else session.cost_usd]
        for child in session.children:
            found = self.below.get(child.id)
            parts.append(self.cost(found) if found else None if child.unpriced else child.cost_usd)
        known = [part for part in parts if part is not None]
        return sum(known, Decimal(0)) if len(known) == len(parts) else None


def named(message: Message, session: Session, within: str) -> Message:
    """Return a message of a sub-agent for the thread of its coordinator, with its name and persona on it."""
    persona = one_line(session.persona, 60)
    who = f":busts_in_silhouette: *{escape(one_line(within, 90))}* · {escape(persona)}"
    text = f"{escape(one_line(within, 90))}: {message.text}"
    return replace(message, text=text, blocks=(context(who), *message.blocks))


def relatives(session: Session) -> tuple[str, ...]:
    """Return the ids of the sessions whose messages have a link to the card of this session, or stand in its thread."""
    above = (session.lineage.root, session.lineage.parent) if session.lineage else ()
    return tuple(dict.fromkeys((*above, *(child.id for child in session.children))))
