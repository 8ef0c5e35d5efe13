"""The modal that launches an agent, with inputs for the persona and the task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from handlers.action_ids import View
from handlers.blocks.text import Block, context
from handlers.modals.modal import modal, text_input
from handlers.origin import Place
from supervisor.core.events import Actor
from supervisor.core.persona import Persona
from supervisor.core.text.visible import one_line


def launch_modal(personas: Sequence[Persona], place: Place, chosen: str = "") -> Block:
    """Return the modal; the card will appear at `place`, or, without a channel, in the person's direct messages.

    The persona `chosen` is selected where there is one of that name.
    """
    options = [
        {
            "text": {"type": "plain_text", "text": one_line(p.name, 75)},
            "description": {"type": "plain_text", "text": one_line(p.description, 75)},
            "value": p.name,
        }
        for p in personas[:100]
    ]
    select: Block = {
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
    blocks = [select, text_input("task", "Task", placeholder="check the disk of the build host")]
    where = f"in {place.shown}" if place.shown else "in your direct messages with Flagman"
    blocks.append(context(f"Posts {where}. Risky actions wait there for approval."))
    return modal(View.LAUNCH, "Launch an agent", blocks, f"{place.channel}|{place.thread_ts}", "Launch")


def place_of(view: dict[str, Any], actor: Actor) -> Place:
    """Return the place of a session that a form launches; from the home tab, the person's direct messages."""
    channel, _, thread_ts = view["private_metadata"].partition("|")
    user = actor.id.partition(":")[2]
    return Place(channel or user, user, thread_ts)
