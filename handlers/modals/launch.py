"""The modal that launches an agent: persona with its description, task, channel and limits."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from handlers.action_ids import Action, View
from handlers.blocks.text import Block, context, escape
from handlers.modals.modal import modal, text_input, value_of
from handlers.origin import Place
from handlers.team_ids import bare
from supervisor.core.errors import InvalidInput
from supervisor.core.events import Actor
from supervisor.core.persona import Persona
from supervisor.core.text.format import count, money
from supervisor.core.text.visible import one_line

DESCRIPTION_SHOWN = 600
# Limits by their block: label, and whether parts of one may be given.
_FIELDS = {"max_steps": "steps", "max_cost_usd": "usd", "max_minutes": "minutes"}
LIMITS = {"max_steps": ("Steps", False), "max_cost_usd": ("Dollars", True), "max_minutes": ("Minutes", True)}


def launch_modal(personas: Sequence[Persona], place: Place, chosen: str = "") -> Block:
    """Return the modal; the card will appear at `place`, or, without a channel, in the person's direct messages.

    The persona `chosen` is selected where there is one of that name.
    """
    persona = next((one for one in personas if one.name == chosen), personas[0])
    options = [_option(one) for one in personas[:100]]
    initial = _option(persona)
    select: Block = {
        "type": "input",
        "block_id": "persona",
        "dispatch_action": True,
        "label": {"type": "plain_text", "text": "Persona"},
        "element": {
            "type": "static_select",
            "action_id": Action.LAUNCH_PERSONA,
            "options": options if initial in options else [initial, *options[:99]],
            "initial_option": initial,
        },
    }
    blocks = [
        select,
        context(_described(persona)) | {"block_id": "about"},
        text_input("task", "Task", placeholder="check the disk of the build host"),
        _channel(place),
        *(_limit(name, label, persona, parts=parts) for name, (label, parts) in LIMITS.items()),
        context("Risky actions wait there for approval."),
    ]
    return modal(View.LAUNCH, "Launch an agent", blocks, f"{place.channel}|{place.thread_ts}", "Launch")


def _option(persona: Persona) -> Block:
    return {
        "text": {"type": "plain_text", "text": one_line(persona.name, 75)},
        "description": {"type": "plain_text", "text": one_line(persona.description, 75)},
        "value": persona.name,
    }


def _described(persona: Persona) -> str:
    tools = escape(one_line(", ".join(persona.tools), 200))
    return f"{escape(one_line(persona.description, DESCRIPTION_SHOWN))}\nTools: {tools or 'none'}"


def _channel(place: Place) -> Block:
    element: Block = {
        "type": "conversations_select",
        "action_id": "value",
        "placeholder": {"type": "plain_text", "text": "My direct messages with Flagman"},
        "filter": {"include": ["public", "private"], "exclude_bot_users": True},
    }
    if place.shown:
        element["initial_conversation"] = place.channel
    return {
        "type": "input",
        "block_id": "channel",
        "optional": True,
        "label": {"type": "plain_text", "text": "Post in"},
        "element": element,
    }


def _limit(name: str, label: str, persona: Persona, *, parts: bool) -> Block:
    limit = getattr(persona.budgets, name)
    most = "no limit" if limit is None else _figure(name, limit)
    return {
        "type": "input",
        "block_id": name,
        "optional": True,
        "label": {"type": "plain_text", "text": f"Limit ({label.lower()})"},
        "element": {
            "type": "number_input",
            "action_id": "value",
            "is_decimal_allowed": parts,
            "min_value": "0.01" if parts else "1",
            "placeholder": {"type": "plain_text", "text": f"{one_line(persona.name, 60)}: {most}"},
        },
    }


def _figure(name: str, limit: Any) -> str:
    if name == "max_cost_usd":
        return money(Decimal(limit))
    return count(limit, "step") if name == "max_steps" else f"{limit:,.10g} minutes"


def chosen_persona(view: dict[str, Any]) -> str:
    """Return the persona that is selected in a form."""
    # Forms that were open as the id of the menu changed have another one.
    (element,) = view["state"]["values"]["persona"].values()
    return str((element.get("selected_option") or {}).get("value") or "")


def limits_of(view: dict[str, Any]) -> dict[str, int | float]:
    """Return the limits that were given, by name. Raises InvalidInput for one that is no number."""
    found: dict[str, int | float] = {}
    for name, (label, parts) in LIMITS.items():
        field = _FIELDS[name]
        if name in view["state"]["values"] and (text := value_of(view, name)):
            try:
                found[field] = float(text) if parts else int(text)
            except ValueError:
                raise InvalidInput(f"{label}: write a number, such as 20.") from None
    return found


def place_before(view: dict[str, Any], team: str = "") -> Place:
    """Return the place in which the form was opened; without a channel from the home tab and the shortcut."""
    channel, _, thread_ts = view["private_metadata"].partition("|")
    return Place(channel, "", thread_ts, team)


def place_of(view: dict[str, Any], actor: Actor, team: str = "") -> Place:
    """Return the place of a session that a form launches: the chosen channel, or the person's direct messages.

    A form that was opened in a thread launches there while its channel stays chosen.
    """
    before, user = place_before(view, team), bare(actor.id)
    element = view["state"]["values"].get("channel", {}).get("value", {})
    channel = str(element.get("selected_conversation") or "")
    if before.channel and channel in (before.channel, "") and not (before.shown and not channel):
        return Place(before.channel, user, before.thread_ts, team)
    return Place(channel or user, user, team=team)
