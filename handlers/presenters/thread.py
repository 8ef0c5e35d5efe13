"""All messages that should stand in Slack for a session, the card first."""

from __future__ import annotations

from handlers.presenters.approval import approvals
from handlers.presenters.card import card
from handlers.presenters.message import Mask, Message
from handlers.presenters.notices import cut_off, ending, pauses, questions
from handlers.presenters.reminder import reminders
from supervisor.core.session import Session


def thread(session: Session, mask: Mask = str) -> list[Message]:
    """The projection of a session: a pure function of its state."""
    return [
        card(session, mask),
        *approvals(session, mask),
        *questions(session, mask),
        *cut_off(session, mask),
        *pauses(session, mask),
        *reminders(session, mask),
        *ending(session, mask),
    ]
