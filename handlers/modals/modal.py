"""Common parts of modals: the view, a text input, and the values of a submitted form."""

from __future__ import annotations

from typing import Any

from handlers.action_ids import View
from handlers.blocks.text import Block


def modal(
    callback: View,
    title: str,
    blocks: list[Block],
    private: str,
    submit: str | None = None,
    *,
    close: str = "",
) -> Block:
    """Return a view for `views.open`, with a submit button where `submit` is its label."""
    view: Block = {
        "type": "modal",
        "callback_id": callback.value,
        "title": {"type": "plain_text", "text": title},
        "close": {"type": "plain_text", "text": close or ("Cancel" if submit else "Close")},
        "private_metadata": private,
        "blocks": blocks,
    }
    if submit:
        view["submit"] = {"type": "plain_text", "text": submit}
    return view


def text_input(
    block_id: str, label: str, *, placeholder: str, optional: bool = False, hint: str = ""
) -> Block:
    """Return an input of several lines."""
    block: Block = {
        "type": "input",
        "block_id": block_id,
        "label": {"type": "plain_text", "text": label},
        "optional": optional,
        "element": {
            "type": "plain_text_input",
            "action_id": "value",
            "multiline": True,
            "max_length": 3000,
            "focus_on_load": True,
            "placeholder": {"type": "plain_text", "text": placeholder},
        },
    }
    if hint:
        block["hint"] = {"type": "plain_text", "text": hint}
    return block


def value_of(view: dict[str, Any], block_id: str) -> str:
    """Return the text or the selected value of an input in a submitted modal; empty where there is none."""
    element = view["state"]["values"][block_id]["value"]
    selected = element.get("selected_option") or {}
    return str(element.get("value") or selected.get("value") or "")
