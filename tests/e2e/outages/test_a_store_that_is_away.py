"""The store is away, or does not answer: a person who acts is told in time, and nothing is half done."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest

from tests.support.scenario import APPROVE, DENY, Director
from tests.support.scripted import calls, in_turn, says
from tests.support.slack import ADA, GRACE, OPS, texts
from tests.support.store_proxy import State, StoreProxy

ONE = in_turn(calls(("deploy", {"service": "shop"})), says("Done."))
WORDS = {"shut": "cannot reach its store", "stuck": "could not finish that in time"}
AWAY = pytest.mark.parametrize("how", ["shut", "stuck"])


@pytest.fixture
async def proxy(valkey_url: str) -> AsyncIterator[StoreProxy]:
    async with StoreProxy(valkey_url) as between:
        yield between


@pytest.fixture
def lose_store(proxy: StoreProxy, monkeypatch: pytest.MonkeyPatch) -> Callable[[State], None]:
    """Takes the store away; from then on a listener is given up after a second."""

    def lose(how: State) -> None:
        proxy.set(how)
        if how == "stuck":
            monkeypatch.setattr("handlers.middleware.LIMIT_SECONDS", 1.0)

    return lose


@AWAY
async def test_a_command_is_answered(
    scenario: Director, proxy: StoreProxy, lose_store: Callable[[State], None], how: State
) -> None:
    scene = await scenario(ONE, redis_url=proxy.url)
    lose_store(how)
    answer = await scene.slack.command(ADA, OPS, "launch ops ship it")
    assert answer["ok"], answer
    assert WORDS[how] in answer["response"]["text"]
    assert answer["response"]["response_type"] == "ephemeral"
    proxy.set("open")


@AWAY
async def test_a_click_a_reply_and_a_form_are_answered(
    scenario: Director, proxy: StoreProxy, lose_store: Callable[[State], None], how: State
) -> None:
    scene = await scenario(ONE, redis_url=proxy.url)
    session = await scene.launch()
    (ask,) = await scene.asked(session)
    thread = ask["thread_ts"]
    assert (await scene.slack.click(ADA, OPS, ask["ts"], DENY))["ok"]
    window = await scene.slack.view(ADA)
    lose_store(how)
    await scene.slack.post(GRACE, OPS, "careful", thread)
    answer = await scene.slack.submit(ADA, window, {"value": "no"})
    assert WORDS[how] in answer["errors"]["reason"], answer
    clicked = await scene.slack.click(ADA, OPS, ask["ts"], APPROVE)
    assert clicked["ok"], clicked
    for who in (ADA, GRACE):
        (told,) = await scene.whispers(who, thread_ts=thread)
        assert WORDS[how] in told["text"]
    proxy.set("open")
    assert scene.runs() == []
    (ask,) = await scene.asked(session)
    assert "Approval needed" in texts(ask)


async def test_the_session_goes_on_when_the_store_is_back(scenario: Director, proxy: StoreProxy) -> None:
    scene = await scenario(ONE, redis_url=proxy.url, lease_seconds=1)
    session = await scene.launch()
    (ask,) = await scene.asked(session)
    proxy.set("shut")
    assert (await scene.slack.click(ADA, OPS, ask["ts"], APPROVE))["ok"]
    await scene.whispers(ADA, thread_ts=ask["thread_ts"])
    proxy.set("open")
    assert (await scene.slack.click(ADA, OPS, ask["ts"], APPROVE))["ok"]
    await scene.ended(session)
    await scene.settled(session)
    assert len(scene.runs("deploy")) == 1
