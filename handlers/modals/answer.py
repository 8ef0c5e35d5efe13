"""The modal for a written answer to a question."""

from __future__ import annotations

from handlers.action_ids import Target, View
from handlers.blocks.text import Block, plain
from handlers.messages.requests.server_questions import form_blocks
from handlers.modals.modal import modal, text_input
from supervisor.core.state import Call, Session
from supervisor.core.text.masking import Masker


def answer_modal(session: Session, call: Call, mask: Masker) -> Block:
    if asked := call.inputs.open:
        blocks = form_blocks(call, asked, mask)
        send = "Send" if blocks[-1]["type"] == "input" else "Accept"
        return modal(View.ANSWER, "Answer", blocks, Target.of(session, call).encode(), send)
    blocks = [plain(mask(call.question)), text_input("answer", "Answer", placeholder="your answer")]
    return modal(View.ANSWER, "Answer", blocks, Target.of(session, call).encode(), "Send")
