"""Tables of the Block Kit elements (buttons, menus, inputs) with their fields and limits."""

from collections.abc import Mapping
from typing import Any

from bot.playground.block_kit.schema import (
    Anything,
    Chars,
    Choice,
    Complaints,
    Flag,
    Many,
    Rule,
    Shape,
    TextObject,
    Whole,
    at,
)


def plain(most: int) -> TextObject:
    """Return the rule for a `plain_text` object of at most `most` characters."""
    return TextObject(most, formatted=False)


URL = Chars(3000)
ID = Chars(255)
SHORT_TIME = Chars(5, least=5)
DAY = Chars(10, least=10)
CONFIRM = Shape(
    {
        "title": plain(100),
        "text": TextObject(300),
        "confirm": plain(30),
        "deny": plain(30),
        "style": Choice(("primary", "danger")),
    },
    required=("title", "text", "confirm", "deny"),
)
DISPATCH = Shape({"trigger_actions_on": Many(Choice(("on_enter_pressed", "on_character_entered")), 2)})
OPTION = Shape({"text": plain(75), "value": Chars(150), "description": plain(75)}, required=("text", "value"))
RICH_OPTION = Shape(
    {"text": TextObject(75), "value": Chars(150), "description": TextObject(75)}, required=("text", "value")
)
LINK_OPTION = Shape(
    {"text": plain(75), "value": Chars(150), "description": plain(75), "url": URL}, required=("text", "value")
)
GROUP = Shape({"label": plain(75), "options": Many(OPTION, 100)}, required=("label", "options"))
FILTER = Shape(
    {
        "include": Many(Choice(("im", "mpim", "private", "public")), 4),
        "exclude_external_shared_channels": Flag(),
        "exclude_bot_users": Flag(),
    }
)
SLACK_FILE = Shape({"id": Chars(255), "url": URL}, either=("id", "url"))


def options_of(element: dict[str, Any]) -> list[dict[str, Any]]:
    """Return all options of a menu, including those in option groups."""
    grouped = [
        option for group in element.get("option_groups") or () for option in group.get("options") or ()
    ]
    return [*(element.get("options") or ()), *grouped]


def _initial_is_an_option(element: dict[str, Any], pointer: str) -> Complaints:
    values = {option["value"] for option in options_of(element)}
    many = element.get("initial_options")
    chosen = [("initial_option", element.get("initial_option"))]
    chosen += [(f"initial_options/{index}", option) for index, option in enumerate(many or ())]
    for name, option in chosen:
        if option is not None and option["value"] not in values:
            yield at("must match one of the provided options", f"{pointer}/{name}")


def _element(
    fields: Mapping[str, Rule], required: tuple[str, ...] = (), either: tuple[str, ...] = ()
) -> Shape:
    """Return the shape of an interactive element: `fields` and those that all elements have."""
    return Shape(
        {"action_id": ID, "confirm": CONFIRM, "focus_on_load": Flag(), **fields},
        required=required,
        either=either,
        also=(_initial_is_an_option,) if "options" in fields else (),
    )


def _menu(fields: Mapping[str, Rule], *, many: bool = False) -> Shape:
    more: dict[str, Rule] = {"max_selected_items": Whole(1)} if many else {}
    either = ("options", "option_groups") if "options" in fields else ()
    return _element({"placeholder": plain(150), **more, **fields}, either=either)


def _input(fields: Mapping[str, Rule], required: tuple[str, ...] = ()) -> Shape:
    return _element({"placeholder": plain(150), "dispatch_action_config": DISPATCH, **fields}, required)


BUTTON = _element(
    {
        "text": plain(75),
        "url": URL,
        "value": Chars(2000, least=0),
        "style": Choice(("primary", "danger")),
        "accessibility_label": Chars(75),
    },
    required=("text",),
)
IMAGE = Shape(
    {"image_url": URL, "slack_file": SLACK_FILE, "alt_text": Chars(2000)},
    required=("alt_text",),
    either=("image_url", "slack_file"),
)
FEEDBACK = Shape(
    {"text": plain(75), "value": Chars(2000), "accessibility_label": Chars(75)}, required=("text", "value")
)
_CHOICES: dict[str, Rule] = {"options": Many(OPTION, 100), "option_groups": Many(GROUP, 100)}
_CONVERSATION: dict[str, Rule] = {
    "default_to_current_conversation": Flag(),
    "filter": FILTER,
    "response_url_enabled": Flag(),
}

SINGLE_MENUS: dict[str, Rule] = {
    "static_select": _menu({**_CHOICES, "initial_option": OPTION}),
    "external_select": _menu({"initial_option": OPTION, "min_query_length": Whole(0)}),
    "users_select": _menu({"initial_user": ID}),
    "conversations_select": _menu({**_CONVERSATION, "initial_conversation": ID}),
    "channels_select": _menu({"initial_channel": ID, "response_url_enabled": Flag()}),
}
MULTI_MENUS: dict[str, Rule] = {
    "multi_static_select": _menu({**_CHOICES, "initial_options": Many(OPTION, 100)}, many=True),
    "multi_external_select": _menu(
        {"initial_options": Many(OPTION, 100), "min_query_length": Whole(0)}, many=True
    ),
    "multi_users_select": _menu({"initial_users": Many(ID, 100)}, many=True),
    "multi_conversations_select": _menu({**_CONVERSATION, "initial_conversations": Many(ID, 100)}, many=True),
    "multi_channels_select": _menu({"initial_channels": Many(ID, 100)}, many=True),
}
PICKERS: dict[str, Rule] = {
    "datepicker": _element({"placeholder": plain(150), "initial_date": DAY}),
    "timepicker": _element({"placeholder": plain(150), "initial_time": SHORT_TIME, "timezone": Chars(100)}),
    "checkboxes": _element(
        {"options": Many(RICH_OPTION, 10), "initial_options": Many(RICH_OPTION, 10)}, required=("options",)
    ),
    "radio_buttons": _element(
        {"options": Many(RICH_OPTION, 10), "initial_option": RICH_OPTION}, required=("options",)
    ),
}
MOMENT: dict[str, Rule] = {"datetimepicker": _element({"initial_date_time": Whole(10**9, 10**10)})}
BUTTONS: dict[str, Rule] = {
    "button": BUTTON,
    "overflow": _element({"options": Many(LINK_OPTION, 5)}, required=("options",)),
    "workflow_button": _element(
        {"text": plain(75), "workflow": Anything(), "style": Choice(("primary", "danger"))},
        required=("text", "workflow"),
    ),
}
TEXT_INPUTS: dict[str, Rule] = {
    "plain_text_input": _input(
        {
            "initial_value": Chars(3000, least=0),
            "multiline": Flag(),
            "min_length": Whole(0, 3000),
            "max_length": Whole(1, 3000),
        }
    ),
    "number_input": _input(
        {
            "is_decimal_allowed": Flag(),
            "initial_value": Chars(100),
            "min_value": Chars(100),
            "max_value": Chars(100),
        },
        required=("is_decimal_allowed",),
    ),
    "email_text_input": _input({"initial_value": Chars(3000)}),
    "url_text_input": _input({"initial_value": Chars(3000)}),
    "rich_text_input": _input({"initial_value": Anything()}),
    "file_input": _element({"filetypes": Many(Chars(20), 100), "max_files": Whole(1, 10)}),
}

IN_ACTIONS: dict[str, Rule] = {**BUTTONS, **SINGLE_MENUS, **PICKERS, **MOMENT}
IN_SECTION: dict[str, Rule] = {**BUTTONS, **SINGLE_MENUS, **MULTI_MENUS, **PICKERS, "image": IMAGE}
IN_INPUT: dict[str, Rule] = {**SINGLE_MENUS, **MULTI_MENUS, **PICKERS, **MOMENT, **TEXT_INPUTS}
IN_CONTEXT_ACTIONS: dict[str, Rule] = {
    "feedback_buttons": _element(
        {"positive_button": FEEDBACK, "negative_button": FEEDBACK},
        required=("positive_button", "negative_button"),
    ),
    "icon_button": _element(
        {
            "icon": Choice(("trash",)),
            "text": plain(75),
            "value": Chars(2000),
            "accessibility_label": Chars(75),
            "visible_to_user_ids": Many(ID, 100),
        },
        required=("icon", "text"),
    ),
}
