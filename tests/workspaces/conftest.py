"""One Flagman that two workspaces install, and Slack for both."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from redis.asyncio import Redis

from bot.processes import slack as bolt
from bot.processes import slack_requests
from bot.processes.web import application, listen
from bot.processes.workspaces import mount_install
from supervisor.core.state import Session
from supervisor.tools.builtin import builtin_tools
from tests.support.flagman import Flagman, settings
from tests.support.scenario import APPROVE, counted_tools, write_persona
from tests.support.scripted import Behaviour, Scripted, calls, in_turn, says
from tests.support.seen import recent_sessions
from tests.support.slack import ADA, OPS, Slack, buttons
from tests.workspaces.front import CLIENT_ID, CLIENT_SECRET, Front

SHIP = in_turn(calls(("deploy", {"service": "shop"})), says("All done."))
Json = dict[str, Any]


class Shared(Flagman):
    """Flagman in HTTP mode, or in Socket Mode where it has an app token; workspaces install it at `url`."""

    front: Front

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.config.port}"

    async def add_web(self) -> None:
        parts = await self._core()
        client, _ = await self._stack.enter_async_context(bolt.clients(self.config))
        app = await self._stack.enter_async_context(bolt.bolt_app(parts, self.config, client))
        served = application(parts)
        mount_install(served, parts, self.config)
        if self.config.slack_app_token:
            await self._stack.enter_async_context(bolt.socket_mode(app, self.config, client))
        else:
            slack_requests.mount(served, app, self.config.slack_signing_secret, self.config.slack_api_url)
        await self._stack.enter_async_context(listen(served, self.config))

    async def install(self, n: int) -> Slack:
        """Install it in a workspace, whose people act by what is returned."""
        status, page = await self.front.install(self.url, n)
        assert (status, f"Flagman is installed in Workspace {n}." in page) == (200, True), page
        return self.front.workspaces[n]

    async def launch(
        self, slack: Slack, task: str = "ship it", user: str = ADA, channel: str = OPS
    ) -> Session:
        """Launch in #ops of a workspace, or in another channel."""
        before = {session.id for session in await recent_sessions(self.core, limit=100)}
        answer = await slack.command(user, channel, f"launch ops {task}")
        assert "Started" in str(answer.get("response", "")), answer
        found = await recent_sessions(self.core, limit=100)
        return next(session for session in found if session.id not in before)

    async def asked(self, slack: Slack, session: Session) -> Json:
        """The message with the button that approves the call of a session."""

        def is_it(message: Json) -> bool:
            return APPROVE in buttons(message) and session.id in str(message)

        return await slack.message(OPS, is_it)

    async def approve(self, slack: Slack, session: Session, user: str = ADA) -> Json:
        """Click on Approve in the card."""
        asked = await self.asked(slack, session)
        return await slack.click(user, OPS, asked["ts"], APPROVE)


Begin = Callable[..., Awaitable[Shared]]


@pytest.fixture
async def front() -> AsyncIterator[Front]:
    async with Front() as running:
        yield running


@pytest.fixture
async def begin(front: Front, redis: Redis, valkey_url: str, tmp_path: Path) -> AsyncIterator[Begin]:
    """Starts a Flagman; `persona` and settings are as in scenarios."""
    async with AsyncExitStack() as stack:

        async def begun(
            *, persona: Json | None = None, behave: Behaviour = SHIP, webs: int = 1, **more: Any
        ) -> Shared:
            write_persona(tmp_path / "personas", **(persona or {}))
            given: Json = {
                "slack_bot_token": None,
                "slack_app_token": None,
                "slack_client_id": CLIENT_ID,
                "slack_client_secret": SecretStr(CLIENT_SECRET),
                "personas": tmp_path / "personas",
            }
            config = settings(front.api_url, valkey_url, tmp_path / "data", **{**given, **more})
            tools = {**builtin_tools(), **counted_tools(tmp_path / "runs.jsonl")}
            flagman = Shared(config, Scripted(behave), tools=tools, webs=webs)
            flagman.front = front
            front.events_url = f"{flagman.url}/slack/events"
            return await stack.enter_async_context(flagman)

        yield begun
