"""The bot may do what its manifest asks for, and the playground's is the one that people paste into Slack."""

from pathlib import Path

import pytest
import yaml
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.playground.methods.scopes import BY_KIND, BY_METHOD
from bot.playground.seed import EVENTS, SCOPES, Manifest
from bot.playground.web_api import METHODS
from tests.playground.test_kinds_of_channels import refused
from tests.support.slack import ADA, BOT, BOT_TOKEN, GRACE, OPS, Slack

MANIFEST = Path(__file__).parents[2] / "docs" / "slack-app.yaml"
NEED_NONE = {
    "api.test",
    "apps.connections.open",
    "auth.test",
    "chat.getPermalink",
    "views.open",
    "views.publish",
    "views.push",
    "views.update",
}


def test_every_method_says_what_it_needs() -> None:
    assert {*BY_METHOD, *BY_KIND, *NEED_NONE} == set(METHODS)


def test_scopes_and_events_are_those_of_the_manifest() -> None:
    manifest = yaml.safe_load(MANIFEST.read_text())
    assert set(manifest["oauth_config"]["scopes"]["bot"]) == SCOPES
    assert set(manifest["settings"]["event_subscriptions"]["bot_events"]) == EVENTS


async def test_a_scope_that_was_not_asked_for(client: AsyncWebClient, slack: Slack) -> None:
    slack.playground.workspace.manifest = Manifest()
    with pytest.raises(SlackApiError) as refusal:
        await client.reactions_add(channel=OPS, timestamp="1.000001", name="eyes")
    response = refusal.value.response
    assert (response["error"], response["needed"]) == ("missing_scope", "reactions:write")
    assert response["provided"] == ",".join(sorted(SCOPES))
    assert (await client.chat_postMessage(channel=OPS, text="x"))["ok"]
    assert "email" not in (await client.users_info(user=ADA))["user"]["profile"]


async def test_each_kind_of_conversation_has_its_own(client: AsyncWebClient, slack: Slack) -> None:
    slack.playground.workspace.manifest = Manifest(
        scopes=frozenset({"groups:history", "im:write", "im:read"})
    )
    private = await slack.channel("private", name="secret", members=[ADA, BOT])
    assert (await client.conversations_history(channel=private))["ok"]
    assert await refused(client, "conversations.history", channel=OPS) == "missing_scope"
    assert (await client.conversations_open(users=ADA))["ok"]
    assert await refused(client, "conversations.open", users=f"{ADA},{GRACE}") == "missing_scope"
    assert (await client.conversations_list(types="im"))["ok"]
    assert await refused(client, "conversations.list", types="im,mpim") == "missing_scope"
    assert await refused(client, "conversations.history", channel="C0NOWHERE") == "channel_not_found"


async def test_flagman_has_the_scopes_of_its_manifest() -> None:
    async with Slack() as slack:
        client = AsyncWebClient(token=BOT_TOKEN, base_url=slack.api_url)
        assert await refused(client, "team.info") == "missing_scope"
