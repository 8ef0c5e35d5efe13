"""Input elements: their state, and the checks that Slack's client makes before it submits a form."""

import re
from collections.abc import Iterator
from typing import Any

from bot.playground.block_kit.elements import IN_INPUT, options_of
from bot.playground.store import Json

Values = dict[str, dict[str, Json]]
REQUIRED = "Please complete this required field."
EMAIL = re.compile(r"^[^@\s]+@[^@\s]+\.[^@\s]+$")

# The field of an element's state, and the field of the element with its initial value.
STATE_FIELDS: dict[str, tuple[str, str]] = {
    "plain_text_input": ("value", "initial_value"),
    "number_input": ("value", "initial_value"),
    "email_text_input": ("value", "initial_value"),
    "url_text_input": ("value", "initial_value"),
    "rich_text_input": ("rich_text_value", "initial_value"),
    "file_input": ("files", "initial_files"),
    "static_select": ("selected_option", "initial_option"),
    "external_select": ("selected_option", "initial_option"),
    "radio_buttons": ("selected_option", "initial_option"),
    "users_select": ("selected_user", "initial_user"),
    "conversations_select": ("selected_conversation", "initial_conversation"),
    "channels_select": ("selected_channel", "initial_channel"),
    "multi_static_select": ("selected_options", "initial_options"),
    "multi_external_select": ("selected_options", "initial_options"),
    "checkboxes": ("selected_options", "initial_options"),
    "multi_users_select": ("selected_users", "initial_users"),
    "multi_conversations_select": ("selected_conversations", "initial_conversations"),
    "multi_channels_select": ("selected_channels", "initial_channels"),
    "datepicker": ("selected_date", "initial_date"),
    "timepicker": ("selected_time", "initial_time"),
    "datetimepicker": ("selected_date_time", "initial_date_time"),
}
LISTS = ("selected_options", "selected_users", "selected_conversations", "selected_channels", "files")


def elements(block: Json) -> Iterator[Json]:
    """Yield the interactive elements of a block."""
    inside = [block.get("element"), block.get("accessory"), *(block.get("elements") or ())]
    inside += block.get("actions") or () if block.get("type") == "card" else ()
    for element in inside:
        if isinstance(element, dict) and "action_id" in element:
            yield element
    if block.get("type") == "carousel":
        for card in block["elements"]:
            yield from elements(card)


def find(blocks: list[Json], action_id: str, block_id: str | None) -> tuple[Json, Json] | None:
    """Return the block and the element with this `action_id`, or None."""
    for block in blocks:
        if block_id and block.get("block_id") != block_id:
            continue
        for element in elements(block):
            if element["action_id"] == action_id:
                return block, element
    return None


def _state_of(element: Json, given: Json | None) -> Json:
    field, initial = STATE_FIELDS[element["type"]]
    empty: Any = [] if field in LISTS else None
    value = element.get(initial, empty) if given is None else given.get(field, empty)
    if field == "value" and value == "":
        value = None
    return {"type": element["type"], field: _whole_options(element, value)}


def _whole_options(element: Json, value: Any) -> Any:
    """Return the value with each option, which may have only its `value`, replaced by the whole option."""
    known = {option["value"]: option for option in options_of(element)}
    if isinstance(value, list):
        return [_whole_options(element, item) for item in value]
    if isinstance(value, dict) and "value" in value:
        return known.get(value["value"], value)
    return value


def state_values(blocks: list[Json], given: Values) -> Values:
    """Return the state of all inputs: the given values, or else the initial ones."""
    values: Values = {}
    for block in blocks:
        for element in elements(block):
            if element["type"] in STATE_FIELDS:
                filled = (given.get(block["block_id"]) or {}).get(element["action_id"])
                values.setdefault(block["block_id"], {})[element["action_id"]] = _state_of(element, filled)
    return values


def mistakes(blocks: list[Json], values: Values) -> dict[str, str]:
    """Return an error message by `block_id` for each input that keeps the form from being submitted."""
    found: dict[str, str] = {}
    for block in blocks:
        if block.get("type") != "input" or block["element"]["type"] not in IN_INPUT:
            continue
        element = block["element"]
        state = values[block["block_id"]][element["action_id"]]
        value = state[STATE_FIELDS[element["type"]][0]]
        if value in (None, "", []):
            if not block.get("optional"):
                found[block["block_id"]] = REQUIRED
            continue
        problem = _problem(element, value)
        if problem:
            found[block["block_id"]] = problem
    return found


def _problem(element: Json, value: Any) -> str | None:
    kind = element["type"]
    if kind == "plain_text_input":
        return _length_problem(element, str(value))
    if kind == "number_input":
        return _number_problem(element, str(value))
    if kind == "email_text_input" and not EMAIL.match(str(value)):
        return "Enter an email address."
    if kind == "url_text_input" and not str(value).startswith(("http://", "https://")):
        return "Enter a valid URL."
    if kind in ("static_select", "radio_buttons", "multi_static_select", "checkboxes"):
        chosen = value if isinstance(value, list) else [value]
        known = [option["value"] for option in options_of(element)]
        if any(option.get("value") not in known for option in chosen):
            return "Choose one of the options."
    return None


def _length_problem(element: Json, value: str) -> str | None:
    if len(value) < element.get("min_length", 0):
        return f"Enter at least {element['min_length']} characters."
    if len(value) > element.get("max_length", 3000):
        return f"Enter at most {element.get('max_length', 3000)} characters."
    return None


def _number_problem(element: Json, value: str) -> str | None:
    try:
        number = float(value)
    except ValueError:
        return "Enter a number."
    if not element["is_decimal_allowed"] and not value.lstrip("-").isdigit():
        return "Enter a whole number."
    if "min_value" in element and number < float(element["min_value"]):
        return f"Enter a number of at least {element['min_value']}."
    if "max_value" in element and number > float(element["max_value"]):
        return f"Enter a number of at most {element['max_value']}."
    return None
