"""The address of a websocket is good once, and soon."""

import aiohttp
import pytest
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.web.async_client import AsyncWebClient

from tests.support.slack import APP_TOKEN, Slack, wait_for


async def address(slack: Slack) -> str:
    return str((await slack.api("apps.connections.open", token=APP_TOKEN))["url"])


async def test_an_address_opens_one_websocket(slack: Slack) -> None:
    url = await address(slack)
    async with slack.session.ws_connect(url) as socket:
        assert (await socket.receive_json(timeout=60))["type"] == "hello"
    with pytest.raises(aiohttp.WSServerHandshakeError) as refusal:
        await slack.session.ws_connect(url)
    assert refusal.value.status == 403


async def test_an_address_goes_stale(slack: Slack) -> None:
    assert (await slack.get("settings"))["settings"]["ticket_s"] == 30
    await slack.settings(ticket_s=0)
    url = await address(slack)
    with pytest.raises(aiohttp.WSServerHandshakeError) as refusal:
        await slack.session.ws_connect(url)
    assert refusal.value.status == 403


@pytest.mark.parametrize("how", ["drop", "refresh_requested"])
async def test_the_client_asks_for_a_new_address(slack: Slack, how: str) -> None:
    web = AsyncWebClient(token=APP_TOKEN, base_url=slack.api_url)
    client = SocketModeClient(app_token=APP_TOKEN, web_client=web, ping_interval=0.5)
    await client.connect()  # type: ignore[no-untyped-call]
    try:
        first = client.wss_uri
        await slack.connected()
        assert (await slack.disconnect(how))["connections"] == 1

        async def again() -> bool:
            opened = await slack.calls("apps.connections.open")
            return len(opened) >= 2 and slack.playground.delivery.sockets.connected

        await wait_for(again)
        assert client.wss_uri != first
    finally:
        await client.close()  # type: ignore[no-untyped-call]
