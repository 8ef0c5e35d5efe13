"""Whatever is sent, the answer is a refusal, never a crash."""

from collections.abc import Callable
from functools import partial
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.playground.block_kit.blocks import EVERYWHERE, check_message_blocks, check_view
from bot.playground.block_kit.elements import IN_ACTIONS
from bot.playground.errors import SlackError
from bot.playground.people.input import as_sent, escaped
from bot.playground.playground import Playground
from tests.support.slack import ADA, OPS, Slack

NAMES = (
    "type",
    "text",
    "elements",
    "options",
    "initial_option",
    "block_id",
    "action_id",
    "element",
    "fields",
    "rows",
)
KINDS = (
    *EVERYWHERE,
    *IN_ACTIONS,
    "plain_text",
    "mrkdwn",
    "rich_text_section",
    "table",
    "plan",
    "carousel",
    "modal",
)
scalars = st.none() | st.booleans() | st.integers(-5, 5000) | st.text(max_size=5) | st.sampled_from(KINDS)
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=6),
    max_leaves=20,
)
typed = st.fixed_dictionaries({"type": st.sampled_from(KINDS)}, optional=dict.fromkeys(NAMES[1:], anything))


def refused(check: Callable[[], Any]) -> bool:
    """Whether it was refused; any other exception is a crash."""
    try:
        check()
    except SlackError:
        return True
    return False


@given(st.lists(typed | anything, max_size=4))
def test_any_blocks(blocks: list[Any]) -> None:
    if not refused(lambda: check_message_blocks(blocks)):
        assert all(block["block_id"] for block in check_message_blocks(blocks))


@given(st.dictionaries(st.sampled_from((*NAMES, "blocks", "title", "submit")), anything | typed, max_size=6))
def test_any_view(view: dict[str, Any]) -> None:
    for kind in ("modal", "home"):
        assert refused(partial(check_view, {**view, "type": kind}, kind)) or "blocks" in view


@given(st.text(max_size=60))
def test_any_typed_text_keeps_what_was_meant(text: str) -> None:
    playground = Playground(None, base_url="http://x", bot_token="b", app_token="a", signing_secret="s")
    sent = as_sent(playground.workspace, text)
    playground.store.close()
    if not any(mark in text for mark in "<@#") and "http" not in text:
        assert sent == escaped(text)
    assert "<script" not in sent


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.dictionaries(st.sampled_from(("ts", "text", "state", *NAMES)), anything), min_size=1, max_size=4
    )
)
async def test_any_act(bodies: list[dict[str, Any]]) -> None:
    async with Slack() as slack:
        row = {"type": "actions", "elements": [{"type": "datepicker", "action_id": "d"}]}
        ts = (await slack.api("chat.postMessage", channel=OPS, text="x", blocks=[row]))["ts"]
        for body in bodies:
            for path in (
                "post",
                "command",
                "action",
                "view",
                "shortcut",
                "suggest",
                "home",
                "reaction",
                "join",
            ):
                answer = await slack.send(path, {"user": ADA, "channel": OPS, "ts": ts, **body})
                assert answer["http"] < 500, (path, body)
            answer = await slack.click(ADA, OPS, ts, "d", state=body.get("state"))
            assert answer["http"] < 500
            for method in (
                "chat.postMessage",
                "chat.update",
                "conversations.history",
                "views.open",
                "views.publish",
            ):
                assert "ok" in await slack.api(method, **{"channel": OPS, "ts": ts, **body})
