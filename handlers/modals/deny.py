"""The modals of a call that is not to run: the reason for a denial, an answer, or what to do instead."""

from __future__ import annotations

from collections.abc import Sequence

from handlers.action_ids import Target, View
from handlers.blocks.text import Block, escape, mrkdwn, plain, preformatted, shorten
from handlers.messages.proposal import full_text
from handlers.messages.requests.for_all import in_a_list
from handlers.modals.modal import modal, text_input
from supervisor.core.state import Call, Session
from supervisor.core.text.format import count
from supervisor.core.text.masking import Masker
from supervisor.core.text.visible import one_line

# Characters of the call that the form repeats; the message shows all of it.
SHOWN = 1500
PLACEHOLDER = "use the staging host first"


def deny_modal(session: Session, call: Call, mask: Masker, reasons: Sequence[str] = ()) -> Block:
    """Return the form for a denial; `reasons` of the persona are offered to choose from."""
    reason = text_input(
        "reason",
        "Reason",
        placeholder=PLACEHOLDER,
        optional=True,
        hint="The agent reads it.",
    )
    blocks = [
        mrkdwn(f"Deny *{escape(one_line(call.call.tool, 80))}*? It will not run."),
        preformatted(shorten(full_text(call, mask), SHOWN)),
        *([_choice(reasons)] if reasons else []),
        reason,
    ]
    return modal(View.DENY, "Deny this call", blocks, Target.of(session, call).encode(), "Deny")


def _choice(reasons: Sequence[str]) -> Block:
    options = [{"text": {"type": "plain_text", "text": reason}, "value": reason} for reason in reasons]
    return {
        "type": "input",
        "block_id": "common",
        "label": {"type": "plain_text", "text": "Common reasons"},
        "optional": True,
        "element": {
            "type": "static_select",
            "action_id": "value",
            "options": options,
            "placeholder": {"type": "plain_text", "text": "choose one, or write your own below"},
        },
    }


def respond_modal(session: Session, call: Call, mask: Masker) -> Block:
    """Return the form for an answer that the agent reads in place of a result."""
    blocks = [
        mrkdwn(f"Answer *{escape(one_line(call.call.tool, 80))}* in place of running it. It will not run."),
        preformatted(shorten(full_text(call, mask), SHOWN)),
        text_input(
            "reason", "Answer", placeholder="the disk is at 42 %", hint="The agent reads it as the result."
        ),
    ]
    return modal(View.RESPOND, "Answer instead", blocks, Target.of(session, call).encode(), "Answer")


def instead_modal(session: Session, calls: Sequence[Call], mask: Masker) -> Block:
    """Return the form for what the agent does instead of the calls that wait."""
    number = count(len(calls), "call")
    blocks = [
        mrkdwn(f"Withdraw *{number}*? Nothing of it will run, and nobody has denied it."),
        plain(in_a_list(calls, mask, SHOWN)),
        text_input(
            "text", "What to do instead", placeholder="look at the disk first", hint="The agent reads it."
        ),
    ]
    return modal(View.INSTEAD, "Do something else", blocks, Target.of(session).encode(), "Send")


def deny_all_modal(target: Target, calls: Sequence[Call], mask: Masker) -> Block:
    """Return the form that denies several calls, as they were shown, with one reason."""
    reason = text_input(
        "reason", "Reason for all", placeholder=PLACEHOLDER, optional=True, hint="The agent reads it."
    )
    number = count(len(calls), "call")
    blocks = [
        mrkdwn(f"Deny *{number}*? None of them will run."),
        plain(in_a_list(calls, mask, SHOWN)),
        reason,
    ]
    return modal(View.DENY_ALL, f"Deny {number}", blocks, target.encode(), "Deny all")
