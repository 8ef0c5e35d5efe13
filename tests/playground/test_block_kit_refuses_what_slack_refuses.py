"""Each limit of Block Kit: just within it is accepted, just beyond is refused in Slack's words."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from slack_sdk.models import blocks as sdk

from bot.playground.block_kit.blocks import check_message_blocks, visible_characters
from bot.playground.errors import SlackError

Json = dict[str, Any]


def plain(text: str) -> Json:
    return {"type": "plain_text", "text": text}


def section(text: str, **more: Any) -> Json:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}, **more}


def button(**more: Any) -> Json:
    return {"type": "button", "text": plain("Go"), "action_id": "go", **more}


def actions(*elements: Json) -> Json:
    return {"type": "actions", "elements": list(elements)}


def buttons(count: int) -> Json:
    return actions(*(button(action_id=f"a{number}") for number in range(count)))


def select(**more: Any) -> Json:
    return actions({"type": "static_select", "action_id": "s", **more})


def options(count: int, text: str = "o", value: str = "v") -> list[Json]:
    return [{"text": plain(text), "value": f"{value}{number}"} for number in range(count)]


def confirm(**more: Any) -> Json:
    texts = {"title": plain("t"), "text": plain("t"), "confirm": plain("y"), "deny": plain("n")}
    return actions(button(confirm={**texts, **more}))


def rich(*parts: Json, kind: str = "rich_text_section") -> Json:
    return {"type": "rich_text", "elements": [{"type": kind, "elements": list(parts)}]}


def table(rows: int, cells: int) -> Json:
    cell = {"type": "raw_text", "text": "x"}
    return {"type": "table", "rows": [[cell] * cells for _ in range(rows)]}


def context(count: int) -> Json:
    return {"type": "context", "elements": [{"type": "mrkdwn", "text": "c"}] * count}


def task(**more: Any) -> Json:
    return {"type": "task_card", "task_id": "t", "title": "Run", "status": "in_progress", **more}


WITHIN_AND_BEYOND: dict[str, tuple[list[Json], list[Json], str]] = {
    "blocks in a message": (
        [{"type": "divider"}] * 50,
        [{"type": "divider"}] * 51,
        "no more than 50 items allowed [json-pointer:/blocks]",
    ),
    "section text": (
        [section("x" * 3000)],
        [section("x" * 3001)],
        "must be less than 3001 characters [json-pointer:/blocks/0/text/text]",
    ),
    "empty section": (
        [section("x")],
        [section("")],
        "must be more than 0 characters [json-pointer:/blocks/0/text/text]",
    ),
    "section without text": (
        [{"type": "section", "fields": [plain("x")]}],
        [{"type": "section"}],
        "must define either `text` or `fields` [json-pointer:/blocks/0]",
    ),
    "fields": (
        [{"type": "section", "fields": [plain("x")] * 10}],
        [{"type": "section", "fields": [plain("x")] * 11}],
        "no more than 10 items allowed [json-pointer:/blocks/0/fields]",
    ),
    "field text": (
        [{"type": "section", "fields": [plain("x" * 2000)]}],
        [{"type": "section", "fields": [plain("x" * 2001)]}],
        "must be less than 2001 characters [json-pointer:/blocks/0/fields/0/text]",
    ),
    "header": (
        [{"type": "header", "text": plain("x" * 150)}],
        [{"type": "header", "text": plain("x" * 151)}],
        "must be less than 151 characters [json-pointer:/blocks/0/text/text]",
    ),
    "formatted header": (
        [{"type": "header", "text": plain("x")}],
        [{"type": "header", "text": {"type": "mrkdwn", "text": "x"}}],
        "unsupported type: mrkdwn [json-pointer:/blocks/0/text/type]",
    ),
    "context": (
        [context(10)],
        [context(11)],
        "no more than 10 items allowed [json-pointer:/blocks/0/elements]",
    ),
    "actions": (
        [buttons(25)],
        [buttons(26)],
        "no more than 25 items allowed [json-pointer:/blocks/0/elements]",
    ),
    "no actions": (
        [buttons(1)],
        [buttons(0)],
        "must provide at least 1 items [json-pointer:/blocks/0/elements]",
    ),
    "button text": (
        [actions(button(text=plain("x" * 75)))],
        [actions(button(text=plain("x" * 76)))],
        "must be less than 76 characters [json-pointer:/blocks/0/elements/0/text/text]",
    ),
    "button value": (
        [actions(button(value="x" * 2000))],
        [actions(button(value="x" * 2001))],
        "must be less than 2001 characters [json-pointer:/blocks/0/elements/0/value]",
    ),
    "button style": (
        [actions(button(style="danger"))],
        [actions(button(style="default"))],
        "must be one of: primary, danger [json-pointer:/blocks/0/elements/0/style]",
    ),
    "action id": (
        [actions(button(action_id="x" * 255))],
        [actions(button(action_id="x" * 256))],
        "must be less than 256 characters [json-pointer:/blocks/0/elements/0/action_id]",
    ),
    "action ids in a block": (
        [actions(button()), actions(button())],
        [{**actions(button(), button()), "block_id": "b"}],
        '`action_id` "go" already exists for block_id "b" [json-pointer:/blocks/0/elements/1/action_id]',
    ),
    "block ids": (
        [section("x", block_id="a"), section("x", block_id="b")],
        [section("x", block_id="a"), section("x", block_id="a")],
        '`block_id` "a" already exists [json-pointer:/blocks/1/block_id]',
    ),
    "block id": (
        [section("x", block_id="a" * 255)],
        [section("x", block_id="a" * 256)],
        "must be less than 256 characters [json-pointer:/blocks/0/block_id]",
    ),
    "confirm title": (
        [confirm(title=plain("x" * 100))],
        [confirm(title=plain("x" * 101))],
        "must be less than 101 characters [json-pointer:/blocks/0/elements/0/confirm/title/text]",
    ),
    "confirm text": (
        [confirm(text=plain("x" * 300))],
        [confirm(text=plain("x" * 301))],
        "must be less than 301 characters [json-pointer:/blocks/0/elements/0/confirm/text/text]",
    ),
    "confirm button": (
        [confirm(confirm=plain("x" * 30))],
        [confirm(confirm=plain("x" * 31))],
        "must be less than 31 characters [json-pointer:/blocks/0/elements/0/confirm/confirm/text]",
    ),
    "options": (
        [select(options=options(100))],
        [select(options=options(101))],
        "no more than 100 items allowed [json-pointer:/blocks/0/elements/0/options]",
    ),
    "no options": (
        [select(options=options(1))],
        [select()],
        "must define either `options` or `option_groups` [json-pointer:/blocks/0/elements/0]",
    ),
    "option text": (
        [select(options=options(1, text="x" * 75))],
        [select(options=options(1, text="x" * 76))],
        "must be less than 76 characters [json-pointer:/blocks/0/elements/0/options/0/text/text]",
    ),
    "option value": (
        [select(options=options(1, value="x" * 149))],
        [select(options=options(1, value="x" * 150))],
        "must be less than 151 characters [json-pointer:/blocks/0/elements/0/options/0/value]",
    ),
    "initial option": (
        [select(options=options(2), initial_option=options(1)[0])],
        [select(options=options(2), initial_option={"text": plain("z"), "value": "z"})],
        "must match one of the provided options [json-pointer:/blocks/0/elements/0/initial_option]",
    ),
    "overflow": (
        [section("x", accessory={"type": "overflow", "action_id": "o", "options": options(5)})],
        [section("x", accessory={"type": "overflow", "action_id": "o", "options": options(6)})],
        "no more than 5 items allowed [json-pointer:/blocks/0/accessory/options]",
    ),
    "rich text": (
        [rich({"type": "text", "text": "x"}, {"type": "user", "user_id": "U1"})],
        [rich({"type": "text", "text": ""})],
        "must be more than 0 characters [json-pointer:/blocks/0/elements/0/elements/0/text]",
    ),
    "preformatted": (
        [rich({"type": "text", "text": "x\x00"}, kind="rich_text_preformatted")],
        [rich({"type": "user", "user_id": "U1"}, kind="rich_text_preformatted")],
        "unsupported type: user [json-pointer:/blocks/0/elements/0/elements/0/type]",
    ),
    "markdown": (
        [{"type": "markdown", "text": "x" * 12_000}],
        [{"type": "markdown", "text": "x" * 6_001}, {"type": "markdown", "text": "x" * 6_000}],
        "must be less than 12001 characters [json-pointer:/blocks]",
    ),
    "table rows": (
        [table(100, 20)],
        [table(101, 2)],
        "no more than 100 items allowed [json-pointer:/blocks/0/rows]",
    ),
    "table cells": (
        [table(2, 20)],
        [table(2, 21)],
        "no more than 20 items allowed [json-pointer:/blocks/0/rows/0]",
    ),
    "alert": (
        [{"type": "alert", "text": plain("x" * 200), "level": "warning"}],
        [{"type": "alert", "text": plain("x" * 201)}],
        "must be less than 201 characters [json-pointer:/blocks/0/text/text]",
    ),
    "card": (
        [{"type": "card", "body": plain("x" * 200)}],
        [{"type": "card", "body": plain("x" * 201)}],
        "must be less than 201 characters [json-pointer:/blocks/0/body/text]",
    ),
    "task status": (
        [{"type": "plan", "title": "Plan", "tasks": [task()]}],
        [{"type": "plan", "title": "Plan", "tasks": [task(status="awaiting_approval")]}],
        "must be one of: pending, in_progress, complete, error [json-pointer:/blocks/0/tasks/0/status]",
    ),
    "unknown block": (
        [{"type": "divider"}],
        [{"type": "marquee"}],
        "unsupported type: marquee [json-pointer:/blocks/0/type]",
    ),
    "unknown property": (
        [section("x", expand=True)],
        [section("x", colour="red")],
        "invalid additional property: colour [json-pointer:/blocks/0]",
    ),
    "bare string": (
        [section("x")],
        [{"type": "section", "text": "x"}],
        "must provide an object [json-pointer:/blocks/0/text]",
    ),
    "missing field": (
        [{"type": "image", "image_url": "https://example.com/x.png", "alt_text": "x"}],
        [{"type": "image", "image_url": "https://example.com/x.png"}],
        "missing required field: alt_text [json-pointer:/blocks/0]",
    ),
}


@pytest.mark.parametrize("name", WITHIN_AND_BEYOND)
def test_limit(name: str) -> None:
    within, beyond, complaint = WITHIN_AND_BEYOND[name]
    check_message_blocks(within)
    with pytest.raises(SlackError) as refusal:
        check_message_blocks(beyond)
    assert refusal.value.code == "invalid_blocks"
    assert complaint in refusal.value.problems
    assert f"[ERROR] {complaint}" in refusal.value.answer()["response_metadata"]["messages"]


def test_too_much_text_over_all_blocks() -> None:
    check_message_blocks([section("x" * 3000)] * 4)
    with pytest.raises(SlackError, match="msg_blocks_too_long"):
        check_message_blocks([section("x" * 3000)] * 5)


def test_two_tables() -> None:
    with pytest.raises(SlackError, match="invalid_attachments"):
        check_message_blocks([table(1, 1), table(1, 1)])


@pytest.mark.parametrize("blocks", ["{", {"type": "divider"}, 7])
def test_not_a_list(blocks: Any) -> None:
    with pytest.raises(SlackError, match="invalid_blocks_format"):
        check_message_blocks(blocks)


def test_ids_are_made_up_where_there_are_none() -> None:
    [first, second] = check_message_blocks([section("x"), actions({"type": "button", "text": plain("Go")})])
    assert first["block_id"] != second["block_id"]
    assert second["elements"][0]["action_id"]


@given(st.lists(st.text(min_size=1, max_size=3000), min_size=1, max_size=4))
def test_what_the_sdk_builds_is_accepted(texts: list[str]) -> None:
    built = [
        sdk.HeaderBlock(text="Title"),
        *(sdk.SectionBlock(text=sdk.MarkdownTextObject(text=text)) for text in texts),
        sdk.ActionsBlock(elements=[sdk.ButtonElement(text="Go", action_id="go", value="1", style="primary")]),
        sdk.ContextBlock(elements=[sdk.MarkdownTextObject(text="c")]),
        sdk.DividerBlock(),
    ]
    blocks = [block.to_dict() for block in built]
    assert len(check_message_blocks(blocks)) == len(built)
    assert visible_characters(blocks) == sum(map(len, texts)) + len("TitleGoc")
