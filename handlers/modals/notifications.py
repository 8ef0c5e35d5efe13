"""The form in which a person chooses how they are told of what waits for them."""

from __future__ import annotations

from handlers.action_ids import View
from handlers.blocks.text import Block, context
from handlers.messages.inbox.preference import WAYS, Told
from handlers.modals.modal import modal


def notifications_modal(chosen: Told, zone: str) -> Block:
    """Return the form, filled in with what holds; `zone` is the person's time zone in Slack."""
    options = {
        way: {"text": {"type": "plain_text", "text": label}, "value": way} for way, label in WAYS.items()
    }
    hours: Block = {
        "type": "plain_text_input",
        "action_id": "value",
        "max_length": 40,
        "placeholder": {"type": "plain_text", "text": "22:00-07:00"},
    }
    if chosen.quiet:
        hours["initial_value"] = chosen.quiet
    blocks: list[Block] = [
        {
            "type": "input",
            "block_id": "way",
            "label": {"type": "plain_text", "text": "Tell me what waits for me"},
            "element": {
                "type": "radio_buttons",
                "action_id": "value",
                "options": list(options.values()),
                "initial_option": options[chosen.way],
            },
        },
        {
            "type": "input",
            "block_id": "quiet",
            "optional": True,
            "label": {"type": "plain_text", "text": "Quiet hours for direct messages"},
            "hint": {
                "type": "plain_text",
                "text": f"On your clock ({zone}). What came meanwhile comes at their end.",
            },
            "element": hours,
        },
        context(
            "Direct messages are one message that lists what waits for you, and is updated. By direct messages alone, "
            "you are not mentioned in threads; a user group still is."
        ),
    ]
    return modal(View.NOTIFY, "Notifications", blocks, "", "Save")
