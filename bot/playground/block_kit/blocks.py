"""Validation of messages and views against Block Kit, with Slack's own error texts.

Block types and fields that are not in the tables below are rejected, even if Slack accepts them.
"""

import json
import secrets
from collections.abc import Iterator, Mapping
from typing import Any

from bot.playground.block_kit.elements import (
    BUTTON,
    ID,
    IMAGE,
    IN_ACTIONS,
    IN_CONTEXT_ACTIONS,
    IN_INPUT,
    IN_SECTION,
    SLACK_FILE,
    URL,
    plain,
)
from bot.playground.block_kit.rich_text import RICH_TEXT
from bot.playground.block_kit.schema import (
    Anything,
    Chars,
    Choice,
    Complaints,
    Flag,
    Many,
    Rule,
    Shape,
    Tagged,
    TextObject,
    Whole,
    at,
)
from bot.playground.errors import SlackError
from bot.playground.store import Json

MESSAGE_BLOCKS = 50
VIEW_BLOCKS = 100
VISIBLE_CHARACTERS = 13_200
MARKDOWN_CHARACTERS = 12_000
TABLE_CHARACTERS = 10_000
VIEW_BYTES = 250_000
MESSAGE_BYTES = 250_000


def _unique_actions(block: Json, pointer: str) -> Complaints:
    """Yield a complaint for each `action_id` that occurs twice in one block."""
    seen: set[str] = set()
    for index, element in enumerate(block.get("elements") or ()):
        action = element.get("action_id")
        if action is None:
            continue
        if action in seen:
            place = f"{pointer}/elements/{index}/action_id"
            yield at(
                f'`action_id` "{action}" already exists for block_id "{block.get("block_id", "")}"', place
            )
        seen.add(action)


def _block(fields: Mapping[str, Rule], required: tuple[str, ...] = (), either: tuple[str, ...] = ()) -> Shape:
    return Shape({"block_id": ID, **fields}, required=required, either=either, also=(_unique_actions,))


class _Title:
    """Rule for the title of a step: a string or a plain text object."""

    def check(self, value: Any, pointer: str) -> Complaints:
        """Yield what is wrong with the title; an empty title is an error."""
        rule: Rule = plain(3000) if isinstance(value, dict) else Chars(3000)
        yield from rule.check(value, pointer)


SOURCE = Shape({"url": URL, "text": Chars(3000), "icon_url": URL}, required=("url", "text"))
RICH = Tagged({"rich_text": RICH_TEXT})
TASK = _block(
    {
        "task_id": Chars(255),
        "title": _Title(),
        "status": Choice(("pending", "in_progress", "complete", "error")),
        "details": RICH,
        "output": RICH,
        "sources": Many(Tagged({"url": SOURCE}), 100, least=0),
    },
    required=("task_id", "title"),
)
CARD = _block(
    {
        "title": TextObject(150),
        "subtitle": TextObject(150),
        "body": TextObject(200),
        "icon": IMAGE,
        "slack_icon": Anything(),
        "hero_image": IMAGE,
        "actions": Many(Tagged({"button": BUTTON}), 3),
    },
    either=("hero_image", "title", "actions", "body"),
)
RAW = {
    "raw_text": Shape({"text": Chars(10_000)}, required=("text",)),
    "raw_number": Shape({"value": Anything(), "text": Chars(1000)}, required=("value",)),
    "rich_text": RICH_TEXT,
}
COLUMN = Shape({"align": Choice(("left", "center", "right")), "is_wrapped": Flag()})
EVERYWHERE: dict[str, Rule] = {
    "section": _block(
        {
            "text": TextObject(3000),
            "fields": Many(TextObject(2000), 10),
            "accessory": Tagged(IN_SECTION),
            "expand": Flag(),
        },
        either=("text", "fields"),
    ),
    "divider": _block({}),
    "image": _block(
        {"image_url": URL, "slack_file": SLACK_FILE, "alt_text": Chars(2000), "title": plain(2000)},
        required=("alt_text",),
        either=("image_url", "slack_file"),
    ),
    "actions": _block({"elements": Many(Tagged(IN_ACTIONS), 25)}, required=("elements",)),
    "context": _block(
        {
            "elements": Many(
                Tagged({"image": IMAGE, "plain_text": TextObject(3000), "mrkdwn": TextObject(3000)}), 10
            )
        },
        required=("elements",),
    ),
    "header": _block({"text": plain(150), "level": Whole(1, 4)}, required=("text",)),
    "input": _block(
        {
            "label": plain(2000),
            "element": Tagged(IN_INPUT),
            "hint": plain(2000),
            "optional": Flag(),
            "dispatch_action": Flag(),
        },
        required=("label", "element"),
    ),
    "rich_text": RICH_TEXT,
    "alert": _block(
        {
            "text": TextObject(200),
            "level": Choice(("default", "info", "warning", "error", "success")),
        },
        required=("text",),
    ),
    "card": CARD,
}
IN_MESSAGE = Tagged(
    {
        **EVERYWHERE,
        "markdown": _block({"text": Chars(MARKDOWN_CHARACTERS)}, required=("text",)),
        "table": _block(
            {"rows": Many(Many(Tagged(RAW), 20), 100), "column_settings": Many(COLUMN, 20, least=0)},
            required=("rows",),
        ),
        "context_actions": _block({"elements": Many(Tagged(IN_CONTEXT_ACTIONS), 5)}, required=("elements",)),
        "task_card": TASK,
        "plan": _block(
            {"title": _Title(), "tasks": Many(Tagged({"task_card": TASK}), 50, least=0)}, required=("title",)
        ),
        "carousel": _block({"elements": Many(Tagged({"card": CARD}), 10)}, required=("elements",)),
    }
)
IN_VIEW = Tagged(EVERYWHERE)
VIEW_FIELDS: dict[str, Rule] = {
    "blocks": Many(IN_VIEW, VIEW_BLOCKS, least=0),
    "private_metadata": Chars(3000, least=0),
    "callback_id": Chars(255, least=0),
    "external_id": Chars(255, least=0),
}
MODAL = Shape(
    {
        **VIEW_FIELDS,
        "title": plain(24),
        "submit": plain(24),
        "close": plain(24),
        "clear_on_close": Flag(),
        "notify_on_close": Flag(),
        "submit_disabled": Flag(),
    },
    required=("title", "blocks"),
)
HOME = Shape(VIEW_FIELDS, required=("blocks",))


def _unique_blocks(blocks: list[Json], pointer: str) -> Complaints:
    seen: set[str | None] = set()
    for index, block in enumerate(blocks):
        name = block.get("block_id")
        if name is not None and name in seen:
            yield at(f'`block_id` "{name}" already exists', f"{pointer}/{index}/block_id")
        seen.add(name)


def _strings(value: Any) -> Iterator[str]:
    """Yield the strings that a reader sees: texts and titles, but not values, ids, URLs or menu options."""
    if isinstance(value, list):
        for item in value:
            yield from _strings(item)
    elif isinstance(value, dict):
        for name, part in value.items():
            if isinstance(part, str) and name in ("text", "title"):
                yield part
            elif name not in ("confirm", "options", "option_groups"):
                yield from _strings(part)


def visible_characters(blocks: list[Json]) -> int:
    """Return the number of characters that the blocks show."""
    return sum(map(len, _strings(blocks)))


def check_message_blocks(blocks: Any) -> list[Json]:
    """Return the blocks with all ids filled in. Raises SlackError if Slack would reject them."""
    if isinstance(blocks, str):
        try:
            blocks = json.loads(blocks)
        except ValueError as error:
            raise SlackError("invalid_blocks_format") from error
    if not isinstance(blocks, list):
        raise SlackError("invalid_blocks_format")
    complaints = list(Many(IN_MESSAGE, MESSAGE_BLOCKS, least=0).check(blocks, "/blocks"))
    complaints = complaints or list(_unique_blocks(blocks, "/blocks"))
    if complaints:
        raise SlackError("invalid_blocks", complaints)
    _check_totals(blocks)
    return with_ids(blocks)


def _check_totals(blocks: list[Json]) -> None:
    markdown = [block for block in blocks if block["type"] == "markdown"]
    tables = [block for block in blocks if block["type"] == "table"]
    if visible_characters(markdown) > MARKDOWN_CHARACTERS:
        too_long = at(f"must be less than {MARKDOWN_CHARACTERS + 1} characters", "/blocks")
        raise SlackError("invalid_blocks", [too_long])
    if len(tables) > 1:
        raise SlackError("invalid_attachments", ["only_one_table_allowed"])
    if visible_characters(tables) > TABLE_CHARACTERS:
        raise SlackError("invalid_blocks", [at("table exceeds the character limit", "/blocks")])
    if visible_characters(blocks) > VISIBLE_CHARACTERS:
        raise SlackError("msg_blocks_too_long")
    if len(json.dumps(blocks).encode()) > MESSAGE_BYTES:
        raise SlackError("msg_too_long")


def check_view(view: Any, kind: str) -> Json:
    """Return a view of type `kind` with all ids filled in. Raises SlackError if Slack would reject it."""
    if isinstance(view, str):
        try:
            view = json.loads(view)
        except ValueError as error:
            raise SlackError("invalid_arguments", [at("must be valid JSON", "/view")]) from error
    if not isinstance(view, dict):
        raise SlackError("invalid_arguments", [at("must provide an object", "/view")])
    if view.get("type") != kind:
        raise SlackError("invalid_arguments", [at(f"must be one of: {kind}", "/view/type")])
    if len(json.dumps(view).encode()) > VIEW_BYTES:
        raise SlackError("view_too_large")
    complaints = list((MODAL if kind == "modal" else HOME).check(view, "/view"))
    if not complaints:
        complaints += _unique_blocks(view["blocks"], "/view/blocks")
        complaints += _submit_for_inputs(view) if kind == "modal" else ()
    if complaints:
        raise SlackError("invalid_arguments", complaints)
    return {**view, "blocks": with_ids(view["blocks"])}


def _submit_for_inputs(view: Json) -> Complaints:
    for index, block in enumerate(view["blocks"]):
        if block["type"] == "input" and not view.get("submit"):
            problem = "must define `submit` to use an `input` block in modals"
            yield at(problem, f"/view/blocks/{index}/input")


def with_ids(blocks: list[Json]) -> list[Json]:
    """Return copies of the blocks with generated `block_id`s and `action_id`s where they are missing."""
    return [_with_ids(block) for block in blocks]


def _with_ids(block: Json) -> Json:
    filled = {"type": block["type"], "block_id": _made_up(), **_without_nulls(block)}
    if block["type"] in ("actions", "context_actions"):
        filled["elements"] = [{"action_id": _made_up(), **element} for element in filled["elements"]]
    for slot in ("accessory", "element"):
        if slot in filled and filled[slot]["type"] != "image":
            filled[slot] = {"action_id": _made_up(), **filled[slot]}
    return filled


def _without_nulls(value: Json) -> Json:
    return {name: part for name, part in value.items() if part is not None}


def _made_up() -> str:
    return secrets.token_urlsafe(4)[:5]
