"""Tokens that end are rotated, and no process loses the refresh token that another one got."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from redis.asyncio import Redis
from slack_sdk.oauth.installation_store import Installation
from slack_sdk.web.async_client import AsyncWebClient

from bot.install.store import Installations
from bot.store_check import check_store
from storage import keys
from storage.rows import RowStore
from supervisor.mcp.sealing import Sealer
from tests.workspaces.conftest import Begin
from tests.workspaces.front import CLIENT_ID, CLIENT_SECRET, TEAMS, Front


class Clock:
    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now


def store(front: Front, redis: Redis, clock: Clock) -> Installations:
    """The store as one process has it."""
    rows, seal = RowStore(redis, keys.installations()), Sealer(["a key"], b"test: ")
    return Installations(
        rows, seal, clock, lambda: AsyncWebClient(base_url=front.api_url), CLIENT_ID, CLIENT_SECRET
    )


async def installed(front: Front, processes: list[Installations]) -> str:
    """Install in the first workspace with a token that ends; returns the token."""
    front.rotates, front.codes["code"] = True, 0
    answer = front.exchange({"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "code": "code"})
    await processes[0].async_save(
        Installation(
            team_id=TEAMS[0],
            team_name="Workspace 0",
            user_id="U1",
            bot_token=answer["access_token"],
            bot_refresh_token=answer["refresh_token"],
            bot_token_expires_at=int(processes[0].now().timestamp()) + 43_200,
        )
    )
    return str(answer["access_token"])


@pytest.mark.parametrize("hours", [11, 13], ids=["before it ends", "after it has ended"])
async def test_of_two_processes_one_rotates_it(front: Front, redis: Redis, hours: int) -> None:
    clock = Clock()
    processes = [store(front, redis, clock) for _ in range(2)]
    first = await installed(front, processes)
    for _ in range(3):
        clock.now += timedelta(hours=hours)
        exchanged = front.exchanged
        found = await asyncio.gather(*(one.find(TEAMS[0]) for one in processes for _ in range(5)))
        assert front.exchanged == exchanged + 1
        tokens = {one.token for one in found if one}
        assert all(found)
        # Before it ends, the earlier token is used meanwhile; afterwards the others wait for the new one.
        assert len(tokens) == 1 if hours == 13 else len(tokens) <= 2
        last = await processes[1].find(TEAMS[0])
        assert last
        assert last.token in tokens
        assert last.token != first
        # The refresh token of Slack's last answer is the one that is kept.
        (refresh,) = front.refreshes
        assert processes[0].tokens_of(last.row)["refresh"] == refresh


async def test_a_process_that_died_while_rotating_holds_up_nobody(front: Front, redis: Redis) -> None:
    clock = Clock()
    one = store(front, redis, clock)
    await installed(front, [one])
    (row,) = await one.all()
    claimed = row.model_copy(update={"rotating_until": clock.now.timestamp() + 30})
    await RowStore(redis, keys.installations()).put(row.row_id, claimed.data)
    clock.now += timedelta(hours=13)
    assert await one.find(TEAMS[0])


async def test_a_refused_refresh_is_tried_no_more_than_every_few_minutes(front: Front, redis: Redis) -> None:
    clock = Clock()
    one = store(front, redis, clock)
    await installed(front, [one])
    front.refreshes.clear()
    clock.now += timedelta(hours=13)
    for _ in range(5):
        assert await one.find(TEAMS[0]) is None
    assert front.exchanged == 2
    (row,) = await one.all()
    assert row.problem == "invalid_refresh_token"
    (found,) = [one async for one in check_store(redis, "") if one.what == "Workspaces"]
    assert (found.state, "invalid_refresh_token" in found.found) == ("wrong", True)


async def test_tokens_are_rotated_while_people_work(begin: Begin, front: Front) -> None:
    """Each token lasts shorter than the time in which it is rotated, so every look rotates it."""
    front.rotates, front.lasts = True, 3600
    flagman = await begin(webs=1)
    one = await flagman.install(0)
    for _ in range(2):
        session = await flagman.launch(one)
        assert (await flagman.approve(one, session))["ok"]
        assert (await flagman.session(lambda s: s.ended, session.id)).lifecycle == "completed"
