"""Installing Flagman in workspaces, removing it, and installing it again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest
from pydantic import SecretStr
from redis.asyncio import Redis

from bot.install.states import States
from bot.processes.removal import REASON
from bot.settings import Settings
from bot.store_check import check_store
from storage.keys import TimerKey
from storage.marks import OnceStore
from supervisor.core.messages import ModelReply, ModelRequest
from supervisor.schedules import OWNER
from tests.support.scripted import told
from tests.support.slack import ADA, OPS, texts
from tests.workspaces.conftest import SHIP, Begin, Shared
from tests.workspaces.front import TEAMS, Front


async def test_what_runs_is_paused_and_shown_again_when_it_is_back(
    begin: Begin, front: Front, caplog: pytest.LogCaptureFixture
) -> None:
    going = asyncio.Event()

    async def behave(request: ModelRequest) -> ModelReply:
        if "slowly" in str(told(request)):
            await going.wait()
        reply = SHIP(request)
        assert isinstance(reply, ModelReply)
        return reply

    flagman = await begin(behave=behave)
    one, two = await flagman.install(0), await flagman.install(1)
    waits, runs, theirs = (
        await flagman.launch(one),
        await flagman.launch(one, "slowly"),
        await flagman.launch(two),
    )
    await flagman.asked(one, waits)
    caplog.clear()
    for _ in range(2):
        await front.uninstall(0)
    paused = await flagman.session(lambda s: s.pause is not None, runs.id)
    assert paused.pause
    assert paused.pause.detail == REASON
    going.set()
    await one.command(ADA, OPS, "list")
    await one.message(OPS, lambda m: "not installed in this workspace any more" in texts(m))
    # What is changed meanwhile is shown nowhere, and fills no log.
    closed = await flagman.core.supervisor.get(waits.id)
    for _ in range(5):
        await flagman.core.queues()[1].enqueue(closed.id)
    assert (await flagman.approve(two, theirs))["ok"]
    await flagman.session(lambda s: s.ended, theirs.id)
    said = [r.getMessage() for r in caplog.records if r.levelname in ("WARNING", "ERROR")]
    assert len([line for line in said if "not shown until then" in line]) <= 1
    assert len(said) < 12, said
    before = len(await one.messages(OPS))
    assert await flagman.install(0) is one
    # The same messages are brought to what holds now.
    await one.message(OPS, lambda m: REASON in texts(m) or "removed from this workspace" in texts(m))
    assert len(await one.messages(OPS)) == before
    assert (await flagman.approve(one, waits))["ok"]
    assert (await flagman.session(lambda s: s.ended, waits.id)).lifecycle == "completed"


async def test_a_schedule_of_a_workspace_that_is_gone_is_paused_with_the_reason(
    begin: Begin, front: Front
) -> None:
    flagman = await begin()
    one = await flagman.install(0)
    await one.command(ADA, OPS, 'schedule "0 9 * * *" launch ops "the report"')
    (schedule,) = await flagman.core.schedules.list()
    await front.uninstall(0)
    due = schedule.model_copy(update={"due": schedule.created_at})
    await flagman.core.schedules._rows.put(schedule.id, due.model_dump_json().encode())
    await flagman.core.creators().fire(TimerKey(OWNER, schedule.id))
    paused = await flagman.core.schedules.get(schedule.id)
    assert paused.due is None
    assert "not installed in the workspace" in paused.last_problem
    assert not paused.untold


async def test_doctor_names_the_workspaces_and_what_is_wrong_with_them(
    begin: Begin, front: Front, redis: Redis
) -> None:
    flagman = await begin()
    await flagman.install(0)
    (found,) = [one async for one in check_store(redis, "") if one.what == "Workspaces"]
    assert (found.state, found.found) == ("ok", "1 installed it: Workspace 0")


async def test_a_late_event_removes_nothing_that_was_installed_again(begin: Begin, front: Front) -> None:
    flagman = await begin()
    one = await flagman.install(0)
    for kind in ("tokens_revoked", "app_uninstalled"):
        assert await front.tell(0, {"type": kind, "tokens": {"bot": ["U0FLAGMAN1"]}}) == 200
    await flagman.launch(one)


@pytest.fixture
async def browser() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield session


async def _begun(flagman: Shared, browser: aiohttp.ClientSession) -> tuple[str, str]:
    """An installation that a browser has begun: the address that leads back, and the cookie."""
    async with browser.get(f"{flagman.url}/slack/install", allow_redirects=False) as answer:
        page, cookie = answer.headers["Location"], answer.headers["Set-Cookie"].partition(";")[0]
    async with browser.get(f"{page}&workspace=0", allow_redirects=False) as answer:
        return answer.headers["Location"].replace("APP", flagman.url), cookie


@pytest.mark.parametrize("how", ["replayed", "forged", "another browser", "expired", "cancelled"])
async def test_a_state_counts_once_and_where_it_was_issued(
    begin: Begin, front: Front, browser: aiohttp.ClientSession, redis: Redis, how: str
) -> None:
    flagman = await begin()
    address, cookie = await _begun(flagman, browser)
    if how == "replayed":
        assert (await front.come_back(address, cookie))[0] == 200
    elif how == "forged":
        address, cookie = address.partition("state=")[0] + "state=mine", "slack-app-oauth-state=mine"
    elif how == "another browser":
        cookie = ""
    elif how == "expired":
        # As the store does after ten minutes.
        ((key),) = await redis.keys("flagman:issued:*")
        assert 0 < await redis.pttl(key) <= 600_000
        await redis.delete(key)
    else:
        address = f"{flagman.url}/slack/oauth_redirect?error=access_denied"
    status, page = await front.come_back(address, cookie)
    assert status == (200 if how == "cancelled" else 400)
    assert "Flagman is not installed." in page
    assert "othing was installed" in page or "nothing was installed" in page
    assert "<script" not in page
    installed = await flagman.core.teams.keys() if flagman.core.teams else []
    assert installed == ([TEAMS[0]] if how == "replayed" else [])


async def test_states_are_known_to_every_process_and_stored_as_hashes(redis: Redis) -> None:
    one, other = States(OnceStore(redis)), States(OnceStore(redis))
    state = await one.async_issue()
    assert not [key for key in await redis.keys("*") if state.encode() in key]
    found = await asyncio.gather(*(store.async_consume(state) for store in (one, other) for _ in range(4)))
    assert sorted(found) == [False] * 7 + [True]
    assert not await one.async_consume("")


async def test_tokens_stand_encrypted_and_move_to_a_new_key(begin: Begin, front: Front, redis: Redis) -> None:
    first, second = "a-key-for-tests-only-0123456789abcdef", "another-key-for-tests-0123456789abcdef"
    flagman = await begin(secret_key=SecretStr(first))
    await flagman.install(0)
    (token,) = front.tokens
    await flagman.launch(front.workspaces[0])
    assert token not in flagman.core.mask(f"the token {token}")
    rows = await redis.hgetall("flagman:installations")
    assert token.encode() not in str(rows).encode()
    await begin(secret_key=SecretStr(f"{second},{first}"))
    flagman = await begin(secret_key=SecretStr(second))
    assert (await flagman.launch(front.workspaces[0])).launched_by == f"slack:{TEAMS[0]}/{ADA}"


async def test_half_of_the_app_is_refused_in_one_sentence() -> None:

    with pytest.raises(ValueError, match="SLACK_CLIENT_ID and SLACK_CLIENT_SECRET belong together"):
        Settings(slack_client_id="1.2")
    with pytest.raises(ValueError, match="SLACK_APP_TOKEN"):
        Settings(slack_client_id="1.2", slack_client_secret=SecretStr("x"))
