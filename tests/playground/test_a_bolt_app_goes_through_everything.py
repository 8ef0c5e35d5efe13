"""Command, window, button, update, ephemeral, thread reply: with a real Bolt app, on both transports."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
from slack_bolt.async_app import AsyncApp

from tests.playground.bolt import bolt, over_http, over_sockets
from tests.support.slack import ADA, BOT, GRACE, OPS, Slack, buttons

Json = dict[str, Any]
FORM: Json = {
    "type": "modal",
    "callback_id": "launch",
    "title": {"type": "plain_text", "text": "Launch"},
    "submit": {"type": "plain_text", "text": "Go"},
    "private_metadata": OPS,
    "blocks": [
        {
            "type": "input",
            "block_id": "task",
            "label": {"type": "plain_text", "text": "Task"},
            "element": {"type": "plain_text_input", "action_id": "text"},
        }
    ],
}


def card(text: str, *labels: str) -> list[Json]:
    rows: list[Json] = [{"type": "section", "text": {"type": "mrkdwn", "text": text}}]
    elements = [
        {"type": "button", "action_id": label, "value": "17", "text": {"type": "plain_text", "text": label}}
        for label in labels
    ]
    return [*rows, {"type": "actions", "elements": elements}] if elements else rows


def approvals(slack: Slack, seen: list[Json]) -> AsyncApp:
    """A tiny approval bot."""
    app = bolt(slack)

    @app.command("/agent")
    async def launch(ack: Any, body: Json, client: Any) -> None:
        await ack("Opening the form")
        await client.views_open(trigger_id=body["trigger_id"], view=FORM)

    @app.view("launch")
    async def submitted(ack: Any, view: Json, client: Any) -> None:
        task = view["state"]["values"]["task"]["text"]["value"]
        if task == "bad":
            await ack(response_action="errors", errors={"task": "Not that"})
            return
        await ack()
        channel = view["private_metadata"]
        await client.chat_postMessage(channel=channel, text=task, blocks=card(task, "approve", "deny"))

    @app.action("approve")
    async def approve(ack: Any, body: Json, client: Any, respond: Any) -> None:
        await ack()
        seen.append(body)
        where = {"channel": body["channel"]["id"], "ts": body["message"]["ts"]}
        await client.chat_update(
            **where, text="approved", blocks=card(f"approved by <@{body['user']['id']}>")
        )
        await client.chat_postEphemeral(channel=where["channel"], user=body["user"]["id"], text="Thank you")
        await client.chat_postMessage(channel=where["channel"], thread_ts=where["ts"], text="Running")
        await respond("Recorded", replace_original=False)

    @app.event("app_mention")
    async def mentioned(event: Json, say: Any) -> None:
        await say(text=f"You said: {event['text']}", thread_ts=event.get("thread_ts", event["ts"]))

    @app.event("message")
    async def ignored() -> None:
        pass

    return app


Transport = Any


@pytest.fixture(params=[over_sockets, over_http], ids=["sockets", "http"])
async def slack_and_seen(request: pytest.FixtureRequest) -> AsyncIterator[tuple[Slack, list[Json]]]:
    seen: list[Json] = []
    connect: Any = request.param
    async with Slack() as slack:
        link: AbstractAsyncContextManager[Any] = connect(slack, approvals(slack, seen))
        async with link:
            yield slack, seen


async def test_from_command_to_approval(slack_and_seen: tuple[Slack, list[Json]]) -> None:
    slack, seen = slack_and_seen
    answer = await slack.command(ADA, OPS, "launch")
    assert answer["ok"]
    assert answer["response"] == {"text": "Opening the form"}
    whispered = await slack.message(OPS, lambda row: row["text"] == "Opening the form")
    assert whispered["ephemeral"]
    assert await slack.messages(OPS, user=GRACE) == []

    view = await slack.view(ADA)
    assert view["callback_id"] == "launch"
    assert (await slack.submit(ADA, view))["errors"] == {"task": "Please complete this required field."}
    assert (await slack.submit(ADA, view, {"text": "bad"}))["errors"] == {"task": "Not that"}
    assert (await slack.submit(ADA, view, {"text": "Deploy"}))["ok"]
    assert await slack.views(ADA) == []

    posted = await slack.message(OPS, lambda row: row["text"] == "Deploy", user=GRACE)
    assert set(buttons(posted)) == {"approve", "deny"}
    clicked = await slack.click(GRACE, OPS, posted["ts"], "approve", "17")
    assert clicked["ok"]
    assert clicked["ack_ms"] < 1000

    thread = await slack.message(OPS, lambda row: row["text"] == "Running", posted["ts"], GRACE)
    assert thread["user"] == BOT
    await slack.message(OPS, lambda row: row["text"] == "Thank you" and row["ephemeral"], user=GRACE)
    await slack.message(OPS, lambda row: row["text"] == "Recorded" and row["ephemeral"], user=GRACE)
    [parent] = [row for row in await slack.messages(OPS, user=GRACE) if row["ts"] == posted["ts"]]
    assert parent["text"] == "approved"
    assert parent["edited"]
    assert parent["reply_count"] == 1
    assert buttons(parent) == {}

    [body] = seen
    assert body["container"] == {
        "type": "message",
        "message_ts": posted["ts"],
        "channel_id": OPS,
        "is_ephemeral": False,
    }
    assert body["user"]["id"] == GRACE
    assert body["actions"][0]["value"] == "17"
    assert body["message"]["blocks"] == posted["blocks"]


async def test_a_button_that_is_gone_says_so_unless_it_is_clicked_as_it_was(
    slack_and_seen: tuple[Slack, list[Json]],
) -> None:
    slack, seen = slack_and_seen
    posted = (await slack.api("chat.postMessage", channel=OPS, text="x", blocks=card("x", "approve")))[
        "message"
    ]
    await slack.api("chat.update", channel=OPS, ts=posted["ts"], text="done", blocks=card("done"))
    gone = await slack.click(ADA, OPS, posted["ts"], "approve")
    assert (gone["http"], gone["error"]) == (409, "message_changed")
    assert (await slack.click_stale(ADA, OPS, posted, "approve"))["ok"]
    assert len(seen) == 1


async def test_a_mention_is_answered_in_its_thread(slack_and_seen: tuple[Slack, list[Json]]) -> None:
    slack, _ = slack_and_seen
    asked = await slack.post(ADA, OPS, "@flagman is 1 < 2 & 3?")
    assert asked["text"] == f"<@{BOT}> is 1 &lt; 2 &amp; 3?"
    answer = await slack.message(OPS, lambda row: row["text"].startswith("You said"), asked["ts"])
    assert answer["thread_ts"] == asked["ts"]
