"""All messages that are shown in Slack for a session, the card first."""

from __future__ import annotations

from collections.abc import Sequence

from handlers.blocks.text import Block
from handlers.messages.approval import approvals
from handlers.messages.board import board
from handlers.messages.card import card
from handlers.messages.message import Message
from handlers.messages.notices import (
    cut_off,
    end_notices,
    failed,
    file_problems,
    pauses,
    questions,
    system_notes,
)
from handlers.messages.pending import pending_items
from handlers.messages.reminders import overdue, reminders
from handlers.messages.requests.where import Where
from handlers.messages.risk import Risks
from handlers.messages.subagents import Subagents, named
from supervisor.core.state import Session
from supervisor.core.text.masking import Masker


def thread(
    session: Session,
    mask: Masker = Masker(),  # noqa: B008  it has no state
    subagents: Subagents | None = None,
    *,
    sandboxed: bool = True,
    risks: Risks | None = None,
    where: Where | None = None,
    running: Sequence[Block] = (),
) -> list[Message]:
    """Return the messages of a session: a pure function of its state and the states of its sub-agents.

    A sub-agent has no card where it is shown in the thread of its coordinator.

    `sandboxed`: whether commands run in a sandbox; where they do not, the card says so. `risks` has the words for the
    risk of each tool; without it none is shown. `where` says where calls run. `running` is what runs now, for the card.
    """
    subagents = subagents or Subagents()
    new = _new(session)
    if subagents.within:
        return _within(new, mask, subagents.within, risks, where)
    waiting = [] if session.lineage else pending_items(session, mask, subagents)
    asked, halts = [*approvals(new, mask, risks, where)], [*pauses(new, mask)]
    questioned = [*questions(new, mask)]
    requests = [*asked, *(halts[-1:] if session.approval else []), *([] if waiting else questioned)]
    return [
        card(
            session,
            mask,
            subagents,
            waiting,
            requests,
            sandboxed=sandboxed,
            risks=risks,
            where=where,
            running=running,
        ),
        *asked,
        *board(new, waiting, subagents, mask),
        *failed(new, mask),
        *questioned,
        *cut_off(new, mask),
        *halts,
        *overdue(new),
        *reminders(session, mask),
        *file_problems(session, mask),
        *system_notes(session, mask),
        *end_notices(session, mask),
    ]


def _within(
    session: Session, mask: Masker, within: str, risks: Risks | None, where: Where | None
) -> list[Message]:
    """Return the messages of a sub-agent in the thread of its coordinator: only what it asks, with its name.

    The board shows what it does, and how it ended.
    """
    own = [
        *approvals(session, mask, risks, where),
        *failed(session, mask),
        *questions(session, mask, within),
        *cut_off(session, mask),
        *pauses(session, mask, by_people=True),
        *reminders(session, mask),
    ]
    return [named(message, session, within) for message in own]


def _new(session: Session) -> Session:
    """Return a copied session without what was copied, which is shown in the thread of its source."""
    fork = session.forked
    if fork is None:
        return session
    return session.model_copy(
        update={
            "steps": session.steps[fork.step :],
            "halts": tuple(halt for halt in session.halts if halt.at >= fork.at),
            "children": tuple(child for child in session.children if child.at >= fork.at),
        }
    )
