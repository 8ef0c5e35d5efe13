"""The modal that records the outcome of a call whose worker died, as a person found it."""

from __future__ import annotations

from handlers.action_ids import Target, View
from handlers.blocks.text import Block, escape, mrkdwn
from handlers.modals.modal import modal, text_input
from supervisor.core.state import Call, Session
from supervisor.core.text.visible import one_line


def outcome_modal(session: Session, call: Call, verdict: str) -> Block:
    """Return the modal; `verdict` is `done` or `failed`, and is returned with the submitted form."""
    what = "It was done" if verdict == "done" else "It failed"
    result = text_input(
        "result",
        "Output",
        placeholder="what you saw",
        optional=True,
        hint="The agent reads it as the result of the call.",
    )
    blocks = [mrkdwn(f"*{escape(one_line(call.call.tool, 80))}*: {what.lower()}"), result]
    target = Target.of(session, call, extra=verdict).encode()
    return modal(View.OUTCOME, what, blocks, target, "Record")
