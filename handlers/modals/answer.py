"""The modal for a written answer to a question."""

from __future__ import annotations

from handlers.action_ids import Target, View
from handlers.blocks.text import Block, plain
from handlers.modals.modal import modal, text_input
from supervisor.core.state import Call, Session
from supervisor.core.text.masking import Masker


def answer_modal(session: Session, call: Call, mask: Masker) -> Block:
    blocks = [plain(mask(call.question)), text_input("answer", "Answer", placeholder="your answer")]
    return modal(View.ANSWER, "Answer", blocks, Target.of(session, call).encode(), "Send")
