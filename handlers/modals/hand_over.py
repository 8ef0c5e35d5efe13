"""The modal that hands a message to an agent, with inputs for the persona and the task."""

from __future__ import annotations

from collections.abc import Sequence

from handlers.action_ids import View
from handlers.blocks.text import Block, context, preformatted, shorten
from handlers.modals.modal import modal, text_input
from supervisor.core.persona import Persona
from supervisor.core.text.visible import one_line, visible

PREFILLED = "Look into what this message says, and report what you find."
SHOWN = 600


def _persona_input(personas: Sequence[Persona], chosen: str) -> Block:
    """The input for the persona, of which `chosen` is selected, or the first."""
    options = [
        {
            "text": {"type": "plain_text", "text": one_line(persona.name, 75)},
            "description": {"type": "plain_text", "text": one_line(persona.description, 75)},
            "value": persona.name,
        }
        for persona in personas[:100]
    ]
    return {
        "type": "input",
        "block_id": "persona",
        "label": {"type": "plain_text", "text": "Persona"},
        "element": {
            "type": "static_select",
            "action_id": "value",
            "options": options,
            "initial_option": next((one for one in options if one["value"] == chosen), options[0]),
        },
    }


def hand_over_modal(
    personas: Sequence[Persona],
    default: str,
    words: str,
    files: Sequence[str],
    where: str,
    offer_id: str,
) -> Block:
    """Return the modal. `words` are those of the message, `where` says in mrkdwn what goes along and where it posts."""
    task = text_input("task", "Task", placeholder="what to do with it")
    task["element"]["initial_value"] = PREFILLED
    names = f"\n(attached: {', '.join(files)})" if files else ""
    quote = shorten(visible(words).strip(), SHOWN) + visible(names)
    blocks = [
        _persona_input(personas, default),
        task,
        context(
            "The message goes along with its thread and its files, as words of other people and not as instructions:"
        ),
        preformatted(quote.strip() or "(no words)"),
        context(where),
    ]
    return modal(View.HAND_OVER, "Hand to an agent", blocks, offer_id, "Launch")
