"""Each method has the limit of its tier, posts have one for each channel; a test sets them as it likes."""

from typing import Any

import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.playground.limits import PER_MINUTE, POST, POST_BURST, POSTS_A_MINUTE, TIER_3
from bot.playground.playground import Playground
from bot.playground.web_api import METHODS
from tests.support.slack import ADA_DM, ALL_SCOPES, APP_TOKEN, BOT_TOKEN, DEPLOYS, OPS, Json, Slack


async def many(slack: Slack, times: int, method: str, **args: Any) -> list[Json]:
    return [await slack.api(method, **args) for _ in range(times)]


def test_every_method_has_its_tier() -> None:
    assert {*PER_MINUTE, POST} == set(METHODS)


def test_they_hold_unless_somebody_says_otherwise() -> None:
    playground = Playground(
        None, base_url="http://localhost", bot_token="b", app_token="a", signing_secret="s"
    )
    assert playground.settings.rate_limits
    playground.store.close()


async def test_posts_are_counted_by_channel() -> None:
    async with Slack(rate_scale=1, manifest=ALL_SCOPES) as slack:
        answers = await many(slack, POST_BURST, "chat.postMessage", channel=OPS, text="x")
        assert all(row["ok"] for row in answers)
        client = AsyncWebClient(token=BOT_TOKEN, base_url=slack.api_url)

        async def post_on() -> None:
            # On a slow machine one a second may pass.
            for _ in range(600):
                await client.chat_postMessage(channel=OPS, text="x")

        with pytest.raises(SlackApiError) as refusal:
            await post_on()
        response = refusal.value.response
        assert (response.status_code, response["error"]) == (429, "ratelimited")
        assert response.headers["Retry-After"] == "1"
        assert (await slack.api("chat.postMessage", channel=DEPLOYS, text="x"))["ok"]


async def test_a_post_to_a_person_counts_for_their_direct_messages() -> None:
    async with Slack(rate_scale=1, manifest=ALL_SCOPES) as slack:
        await slack.settings(rate_scale=0.001)
        assert (await slack.api("chat.postMessage", channel=ADA_DM, text="x"))["ok"]
        await slack.settings(calls_per_minute={"chat.postMessage": 100})
        assert (await slack.api("chat.postMessage", channel="U0ADA0001", text="x"))["error"] == "ratelimited"


async def test_posts_are_counted_for_the_workspace_too() -> None:
    async with Slack(rate_scale=1, manifest=ALL_SCOPES) as slack:
        await slack.settings(calls_per_minute={"chat.postMessage": 2})
        for channel in (OPS, DEPLOYS):
            assert (await slack.api("chat.postMessage", channel=channel, text="x"))["ok"]
        assert (await slack.api("chat.postMessage", channel=ADA_DM, text="x"))["error"] == "ratelimited"
    assert POSTS_A_MINUTE == 300


async def test_updates_are_counted_for_the_workspace() -> None:
    async with Slack(rate_scale=1, manifest=ALL_SCOPES) as slack:
        places = [(await slack.api("chat.postMessage", channel=place, text="x")) for place in (OPS, DEPLOYS)]
        for number in range(TIER_3):
            place = places[number % 2]
            answer = await slack.api(
                "chat.update", channel=place["channel"], ts=place["ts"], text=f"{number}"
            )
            assert answer["ok"]
        url = f"{slack.api_url}chat.update"
        body = {"channel": OPS, "ts": places[0]["ts"], "text": "one too many"}
        headers = {"Authorization": f"Bearer {BOT_TOKEN}"}
        async with slack.session.post(url, json=body, headers=headers) as refused:
            assert refused.status == 429
            assert 1 <= int(refused.headers["Retry-After"]) <= 60
        assert (await slack.messages(OPS))[0]["text"] != "one too many"


async def test_the_scale_and_the_switch() -> None:
    async with Slack(rate_scale=1, manifest=ALL_SCOPES) as slack:
        await slack.settings(rate_scale=0.1)
        answers = await many(slack, 6, "conversations.info", channel=OPS)
        assert [row["ok"] for row in answers] == [True] * 5 + [False]
        await slack.settings(rate_scale=0.2)
        assert (await slack.api("conversations.info", channel=OPS))["ok"]
        await slack.settings(rate_scale=0.1)
        assert not (await slack.api("conversations.info", channel=OPS))["ok"]
        await slack.settings(rate_limits=False)
        assert (await slack.api("conversations.info", channel=OPS))["ok"]


async def test_the_newer_limit_of_distributed_apps_can_be_tried() -> None:
    async with Slack(rate_scale=1, manifest=ALL_SCOPES) as slack:
        await slack.settings(calls_per_minute={"conversations.history": 1})
        assert (await slack.api("conversations.history", channel=OPS))["ok"]
        assert (await slack.api("conversations.history", channel=OPS))["error"] == "ratelimited"


async def test_a_call_without_a_valid_token_is_not_counted() -> None:
    async with Slack(rate_scale=1, manifest=ALL_SCOPES) as slack:
        await slack.settings(calls_per_minute={"apps.connections.open": 1})
        for _ in range(3):
            assert (await slack.api("apps.connections.open", token="xapp-wrong"))["error"] == "invalid_auth"
        assert (await slack.api("apps.connections.open", token=APP_TOKEN))["ok"]
        assert (await slack.api("apps.connections.open", token=APP_TOKEN))["error"] == "ratelimited"
