"""Each limit of a window: just within it is accepted, just beyond is refused in Slack's words."""

from typing import Any

import pytest

from bot.playground.block_kit.blocks import check_view
from bot.playground.errors import SlackError

Json = dict[str, Any]


def plain(text: str) -> Json:
    return {"type": "plain_text", "text": text}


def section(text: str) -> Json:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


def modal(*blocks: Json, **more: Any) -> Json:
    return {"type": "modal", "title": plain("T"), "submit": plain("Go"), "blocks": list(blocks), **more}


def question(**element: Any) -> Json:
    return {"type": "input", "label": plain("L"), "element": {"type": "plain_text_input", **element}}


VIEWS: dict[str, tuple[Json, Json, str]] = {
    "title": (
        modal(title=plain("x" * 24)),
        modal(title=plain("x" * 25)),
        "must be less than 25 characters [json-pointer:/view/title/text]",
    ),
    "submit": (
        modal(submit=plain("x" * 24)),
        modal(submit=plain("x" * 25)),
        "must be less than 25 characters [json-pointer:/view/submit/text]",
    ),
    "blocks": (
        modal(*[{"type": "divider"}] * 100),
        modal(*[{"type": "divider"}] * 101),
        "no more than 100 items allowed [json-pointer:/view/blocks]",
    ),
    "metadata": (
        modal(private_metadata="x" * 3000),
        modal(private_metadata="x" * 3001),
        "must be less than 3001 characters [json-pointer:/view/private_metadata]",
    ),
    "callback id": (
        modal(callback_id="x" * 255),
        modal(callback_id="x" * 256),
        "must be less than 256 characters [json-pointer:/view/callback_id]",
    ),
    "no submit": (
        modal(question()),
        modal(question(), submit=None),
        "must define `submit` to use an `input` block in modals [json-pointer:/view/blocks/0/input]",
    ),
    "initial value": (
        modal(question(initial_value="x" * 3000)),
        modal(question(initial_value="x" * 3001)),
        "must be less than 3001 characters [json-pointer:/view/blocks/0/element/initial_value]",
    ),
    "placeholder": (
        modal(question(placeholder=plain("x" * 150))),
        modal(question(placeholder=plain("x" * 151))),
        "must be less than 151 characters [json-pointer:/view/blocks/0/element/placeholder/text]",
    ),
    "max length": (
        modal(question(max_length=3000)),
        modal(question(max_length=3001)),
        "must be less than or equal to 3000 [json-pointer:/view/blocks/0/element/max_length]",
    ),
    "message blocks": (
        modal(section("x")),
        modal({"type": "markdown", "text": "x"}),
        "unsupported type: markdown [json-pointer:/view/blocks/0/type]",
    ),
}


@pytest.mark.parametrize("name", VIEWS)
def test_limit_of_a_view(name: str) -> None:
    within, beyond, complaint = VIEWS[name]
    check_view(within, "modal")
    with pytest.raises(SlackError) as refusal:
        check_view(beyond, "modal")
    assert refusal.value.code == "invalid_arguments"
    assert complaint in refusal.value.problems


def test_a_view_that_is_too_large() -> None:
    with pytest.raises(SlackError, match="view_too_large"):
        check_view(modal(*[section("ü" * 3000)] * 90), "modal")
