"""A store that answers and cannot work: whoever acts is told that it is not available, whatever they did."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator

import pytest

from storage.connection import REFUSALS
from tests.support.redis_proxy import RedisProxy
from tests.support.scenario import APPROVE, DENY, Director
from tests.support.scripted import calls, in_turn, says
from tests.support.slack import ADA, GRACE, LINUS, OPS, Slack, wait_for

ONE = in_turn(calls(("deploy", {"service": "shop"})), says("Done."))
TOLD = "The store is not available"


@pytest.fixture
async def proxy(valkey_url: str) -> AsyncIterator[RedisProxy]:
    async with RedisProxy(valkey_url) as between:
        yield between


@pytest.mark.parametrize("code", [*REFUSALS])
async def test_every_door_says_that_it_is_not_available(
    scenario: Director, slack: Slack, proxy: RedisProxy, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    scene = await scenario(ONE, redis_url=proxy.url)
    session = await scene.launch()
    (ask,) = await scene.asked(session)
    thread = ask["thread_ts"]
    assert (await slack.click(ADA, OPS, ask["ts"], DENY))["ok"]
    window = await slack.view(ADA)
    caplog.clear()
    proxy.refusal = f"{code} what the server says of it."
    command = await slack.command(ADA, OPS, "launch ops ship it")
    form = await slack.submit(ADA, window, {"value": "no"})
    assert (await slack.click(ADA, OPS, ask["ts"], APPROVE))["ok"]
    await slack.post(GRACE, OPS, "careful", thread)
    await slack.home(LINUS)
    told = [command["response"]["text"], form["errors"]["reason"]]
    told += [(await scene.whispers(who, thread_ts=thread))[0]["text"] for who in (ADA, GRACE)]
    told.append(await _at_home(slack))
    for words in told:
        assert TOLD in words, words
        assert code in words
        assert "inside Flagman" not in words
    proxy.refusal = ""
    assert "Traceback" not in caplog.text
    # Nothing of it was done, and all of it can be done again.
    assert (await slack.click(ADA, OPS, ask["ts"], APPROVE))["ok"]
    await scene.ended(session)
    assert len(scene.runs("deploy")) == 1


async def _at_home(slack: Slack) -> str:
    """What somebody who opened the app's home is told, in their conversation with the app."""

    async def look() -> str:
        rows = await slack.messages(f"D0{LINUS[2:]}", user=LINUS)
        return "".join(row["text"] for row in rows)

    return await wait_for(look)


async def test_the_log_has_one_line_a_second_at_most(
    scenario: Director, slack: Slack, proxy: RedisProxy, caplog: pytest.LogCaptureFixture
) -> None:
    scene = await scenario(ONE, redis_url=proxy.url)
    await scene.launch()
    proxy.refusal = "OOM command not allowed"
    with caplog.at_level(logging.WARNING, "flagman.slack"):
        answers, lines = 0, list[logging.LogRecord]()
        while len(lines) < 3:
            answer = await slack.command(ADA, OPS, "list")
            assert TOLD in answer["response"]["text"]
            answers += 1
            lines = [row for row in caplog.records if row.name == "flagman.slack"]
    assert answers > len(lines)
    assert all("not available" in line.getMessage() for line in lines)
    assert lines[2].created - lines[1].created > 0.9
    proxy.refusal = ""
