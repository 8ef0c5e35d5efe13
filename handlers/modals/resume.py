"""The modal that resumes a session with a message to the agent."""

from __future__ import annotations

from handlers.action_ids import Target, View
from handlers.blocks.text import Block
from handlers.messages.pauses import raises
from handlers.modals.modal import modal, text_input
from supervisor.core.state import Session


def resume_modal(session: Session) -> Block:
    hint = f"The agent reads it first. {raises(session)}".strip()
    blocks = [text_input("context", "Message", placeholder="what it should know", hint=hint)]
    return modal(View.RESUME, "Resume", blocks, Target.of_pause(session).encode(), "Resume")
