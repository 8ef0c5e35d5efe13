"""Two workers that show one session at the same moment: one message stands in Slack, and its row names it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis
from slack_sdk.web.async_client import AsyncWebClient

import handlers.projection.log_upload
from bot.compose import Core, core
from bot.workers import workers
from handlers.action_ids import Action
from handlers.blocks.text import button
from handlers.messages.message import Message
from handlers.origin import Place
from handlers.projection.log_upload import KEY
from handlers.projection.message_poster import HEARD_SECONDS
from handlers.projection.message_rows import Row
from handlers.projection.projector import Projector
from storage.log import Lease
from storage.queue import StartedJob
from supervisor.core.events import Actor
from supervisor.runtime.worker import Done, Later, Signals
from tests.support.barriers import hold
from tests.support.flagman import settings
from tests.support.scripted import Scripted, says
from tests.support.slack import ADA, BOT_TOKEN, OPS, Json, Slack, buttons, texts, wait_for


class Poster:
    """A process that brings Slack to what the logs say, whenever it is told to."""

    def __init__(self, parts: Core, slack: Slack) -> None:
        client = AsyncWebClient(token=BOT_TOKEN, base_url=slack.api_url)
        _, outbox = workers(parts, client, Scripted(lambda _: says("Done.")))
        handle: Any = outbox._handle
        self.parts = parts
        self.projector: Projector = handle.__self__

    async def show(self, session_id: str) -> Done | Later:
        log = await self.parts.log.load(session_id)
        started = StartedJob(Lease(session_id, "1-0", "w"), 0, log)
        return await self.projector.project(started, Signals())


Two = tuple[Poster, Poster]
ACTIONS: Json = {"type": "actions", "elements": [button("Run again", Action.RUN_AGAIN, "value")]}


@pytest.fixture
async def two(slack: Slack, redis: Redis, valkey_url: str, tmp_path: Path) -> AsyncIterator[Two]:
    async with AsyncExitStack() as stack:
        config = settings(slack.api_url, valkey_url, tmp_path)
        made = [Poster(await stack.enter_async_context(core(config)), slack) for _ in range(2)]
        yield made[0], made[1]


async def launched(two: Two) -> str:
    """A session that is to be shown in a channel, and is not yet."""
    origin, ada = Place(OPS, user=ADA).origin(), Actor(id=f"slack:{ADA}", name="ada")
    return (await two[0].parts.supervisor.launch("sre", "look", ada, origin=origin)).id


def _key(row: Json) -> str:
    payload = (row.get("metadata") or {}).get("event_payload") or {}
    return str(payload.get("key", ""))


async def cards(slack: Slack, session_id: str) -> list[Json]:
    return [row for row in await slack.messages(OPS) if session_id in texts(row)]


async def recorded(two: Two, session_id: str) -> str:
    """Where the row says that the card stands."""
    rows = await two[0].parts.rows.rows(session_id)
    return Row.model_validate_json(rows["card"]).ts


async def converged(two: Two, slack: Slack, session_id: str) -> None:
    """After one more round of both there is one card, and it is the one that was recorded."""
    for poster in two:
        await poster.show(session_id)
    [card] = await cards(slack, session_id)
    assert await recorded(two, session_id) == card["ts"]


def let_it_be_heard(poster: Poster, monkeypatch: pytest.MonkeyPatch) -> None:
    """As long after now that no post of a worker that died can be under way any more."""
    later = timedelta(seconds=HEARD_SECONDS)
    monkeypatch.setattr(poster.projector, "_clock", lambda: datetime.now(UTC) + later)


async def test_of_two_who_saw_no_row_one_posts(slack: Slack, two: Two) -> None:
    session_id, both = await launched(two), asyncio.Barrier(2)
    for poster in two:
        hold(poster.parts.rows, "reserve", both)
    async with asyncio.timeout(60):
        outcomes = await asyncio.gather(*(poster.show(session_id) for poster in two))
    # Who comes second waits, since the other one is about to post.
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Done", "Later"]
    assert len(await slack.calls("chat.postMessage")) == 1
    await converged(two, slack, session_id)
    assert len(await slack.calls("chat.postMessage")) == 1


async def test_of_two_who_post_one_takes_its_message_back(slack: Slack, two: Two) -> None:
    session_id, both = await launched(two), asyncio.Barrier(2)
    for poster in two:
        hold(poster.projector._poster._sender, "post", both)
    async with asyncio.timeout(60):
        first = asyncio.create_task(two[0].show(session_id))
        await wait_for(lambda: both.n_waiting == 1)
        # The second finds the intent, and in Slack no message of it yet.
        await asyncio.gather(first, two[1].show(session_id))
    assert len(await slack.calls("chat.postMessage")) == 2
    assert await slack.calls("chat.delete")
    await converged(two, slack, session_id)


async def test_a_post_that_is_heard_long_after_its_worker_died_does_not_stay(
    slack: Slack, two: Two, monkeypatch: pytest.MonkeyPatch
) -> None:
    session_id = await launched(two)
    await slack.fault("chat.postMessage", delay_s=3)
    dying = asyncio.create_task(two[0].show(session_id))

    async def sent() -> bool:
        return not (await slack.get("faults"))["faults"]

    await wait_for(sent)
    dying.cancel()
    await asyncio.gather(dying, return_exceptions=True)
    # The second one finds the intent, and in Slack no message of it, neither before nor after its own post.
    assert isinstance(await two[1].show(session_id), Later)

    async def standing() -> bool:
        return len(await cards(slack, session_id)) == 2

    await wait_for(standing)

    monkeypatch.setattr(
        two[1].projector._poster, "_clock", lambda: datetime.now(UTC) + timedelta(seconds=HEARD_SECONDS)
    )
    assert isinstance(await two[1].show(session_id), Done)
    await converged(two, slack, session_id)


@pytest.mark.parametrize("heard", ["before", "after"])
async def test_what_was_being_posted_when_it_was_settled_has_no_buttons(
    slack: Slack, two: Two, monkeypatch: pytest.MonkeyPatch, heard: str
) -> None:
    session_id = await launched(two)
    await two[0].show(session_id)
    thread = await recorded(two, session_id)
    # A worker died while it posted this; meanwhile it is known how the call ended.
    lost = Message("lost:1.1:1", "Outcome unknown", (ACTIONS,))
    intent = Row(channel=OPS, thread_ts=thread, intended_at=datetime.now(UTC).timestamp())
    assert await two[0].parts.rows.reserve(session_id, lost.key, intent.data)

    async def post() -> None:
        await two[0].projector._poster._sender.post(session_id, intent, lost)

    if heard == "before":
        await post()
    await two[1].show(session_id)
    if heard == "after":
        await post()
        let_it_be_heard(two[1], monkeypatch)
        await two[1].show(session_id)
    [message] = [row for row in await slack.messages(OPS, thread) if _key(row) == lost.key]
    assert not buttons(message)
    assert isinstance(await two[1].show(session_id), Done)


async def ended(two: Two) -> str:
    """A session that has ended, and whose messages stand in Slack but for its SESSION_LOG."""
    session_id = await launched(two)
    await two[0].show(session_id)
    await two[0].parts.supervisor.cancel(session_id, Actor(id=f"slack:{ADA}", name="ada"))
    return session_id


async def files(slack: Slack, two: Two, session_id: str) -> list[Json]:
    rows = await slack.messages(OPS, await recorded(two, session_id))
    return [file for row in rows for file in row.get("files") or ()]


@pytest.mark.parametrize("ahead", [timedelta(0), timedelta(hours=1)], ids=["same clocks", "an hour apart"])
async def test_of_two_who_share_the_log_one_takes_its_file_back(
    slack: Slack, two: Two, monkeypatch: pytest.MonkeyPatch, ahead: timedelta
) -> None:
    monkeypatch.setattr(handlers.projection.log_upload, "SHARED", timedelta(0))
    session_id, both = await ended(two), asyncio.Barrier(2)
    for poster in two:
        hold(poster.projector._uploads._sender, "upload", both)
    set_clock(two[0], monkeypatch, ahead)
    async with asyncio.timeout(60):
        first = asyncio.create_task(two[0].show(session_id))
        await wait_for(lambda: both.n_waiting == 1)
        await asyncio.gather(first, two[1].show(session_id))
    assert len(await slack.calls("files.completeUploadExternal")) == 2
    assert len(await files(slack, two, session_id)) == 1


@pytest.mark.parametrize("ahead", [timedelta(hours=1), timedelta(hours=-1)], ids=["ahead", "behind"])
async def test_what_a_worker_with_another_clock_posted_is_found(
    slack: Slack, two: Two, monkeypatch: pytest.MonkeyPatch, ahead: timedelta
) -> None:
    monkeypatch.setattr(handlers.projection.log_upload, "SHARED", timedelta(0))
    set_clock(two[0], monkeypatch, ahead)
    session_id = await launched(two)
    await two[0].show(session_id)
    await forget(two[0], session_id, "card")
    await two[1].show(session_id)
    assert len(await cards(slack, session_id)) == 1
    await two[0].parts.supervisor.cancel(session_id, Actor(id=f"slack:{ADA}", name="ada"))
    await two[0].show(session_id)
    await forget(two[0], session_id, KEY)
    await two[1].show(session_id)
    assert len(await files(slack, two, session_id)) == 1


async def test_a_card_of_a_worker_whose_clock_is_ahead_is_updated(
    slack: Slack, two: Two, monkeypatch: pytest.MonkeyPatch
) -> None:
    session_id = await launched(two)
    set_clock(two[0], monkeypatch, timedelta(hours=1))
    await two[0].show(session_id)
    rows = two[1].parts.rows
    row = Row.model_validate_json((await rows.rows(session_id))["card"])
    await rows.record(session_id, "card", row.model_copy(update={"shows": "something else"}).data)
    assert isinstance(await two[1].show(session_id), Done)
    assert len(await slack.calls("chat.update")) == 1


async def test_a_second_look_into_a_thread_that_is_gone_finds_nothing(slack: Slack, two: Two) -> None:
    session_id = await launched(two)
    await two[0].show(session_id)
    rows = two[0].parts.rows
    row = Row.model_validate_json((await rows.rows(session_id))["card"])
    looked = row.model_copy(update={"thread_ts": row.ts, "look_at": 1.0})
    await rows.record(session_id, "card", looked.data)
    await slack.fault("conversations.replies", error="thread_not_found", times=9)
    assert isinstance(await two[0].show(session_id), Done)
    assert await slack.calls("conversations.replies")
    assert not Row.model_validate_json((await rows.rows(session_id))["card"]).look_at


async def test_a_message_of_another_app_with_the_same_mark_is_not_taken_over(slack: Slack, two: Two) -> None:
    session_id = await launched(two)
    await two[0].show(session_id)
    [card] = await cards(slack, session_id)
    workspace = slack.playground.workspace
    other = {**card, "ts": workspace.next_ts(), "bot_id": "B0OTHER01", "user": "U0OTHER01"}
    slack.playground.timeline.post(workspace.channels[OPS], other)
    assert (await slack.api("chat.delete", channel=OPS, ts=card["ts"]))["ok"]
    await forget(two[0], session_id, "card")
    await two[1].show(session_id)
    assert await recorded(two, session_id) not in (other["ts"], card["ts"])


def set_clock(poster: Poster, monkeypatch: pytest.MonkeyPatch, ahead: timedelta) -> None:
    for part in (poster.projector, poster.projector._poster, poster.projector._uploads):
        monkeypatch.setattr(part, "_clock", lambda: datetime.now(UTC) + ahead)


async def forget(poster: Poster, session_id: str, key: str) -> None:
    """As a worker leaves it that dies after Slack has taken the message and before it is recorded."""
    rows = poster.parts.rows
    row = Row.model_validate_json((await rows.rows(session_id))[key])
    now = poster.projector._clock().timestamp()
    await rows.record(
        session_id, key, Row(channel=row.channel, thread_ts=row.thread_ts, intended_at=now).data
    )
