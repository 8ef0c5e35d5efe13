"""The window that lists all calls of a request before they are approved together."""

from __future__ import annotations

from collections.abc import Sequence

from handlers.action_ids import Target, View
from handlers.blocks.text import Block, context, mrkdwn
from handlers.messages.requests.for_all import sections
from handlers.modals.modal import modal
from supervisor.core.state import Call
from supervisor.core.text.format import count
from supervisor.core.text.masking import Masker


def approve_all_modal(target: Target, calls: Sequence[Call], mask: Masker) -> Block:
    """Return the window; it approves the calls as they were shown when the button was made."""
    number = count(len(calls), "call")
    blocks = [
        mrkdwn(f"Approve *{number}*? Each runs as its row shows it."),
        *sections(calls, mask),
        context("A call that has changed since is not approved; the rows above have every character."),
    ]
    return modal(View.APPROVE_ALL, f"Approve {number}", blocks, target.encode(), f"Approve all {len(calls)}")
