"""The example of docs/tools.md: an agent proposes it, people see what it would do, approve, and it runs."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from tests.support.flagman import Flagman, settings
from tests.support.scenario import APPROVE, Scene, write_persona
from tests.support.scripted import Scripted, calls, in_turn, results, says
from tests.support.slack import ADA, OPS, Slack, texts

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "examples/tools/flags.py"


@pytest.fixture
async def slack() -> AsyncIterator[Slack]:
    async with Slack() as running:
        yield running


@pytest.fixture
async def scene(slack: Slack, redis: Redis, valkey_url: str, tmp_path: Path) -> AsyncIterator[Scene]:
    write_persona(tmp_path / "personas", tools=["list_flags", "set_flag"])
    options = settings(
        slack.api_url,
        valkey_url,
        tmp_path / "data",
        personas=tmp_path / "personas",
        tools=EXAMPLE.parent,
    )
    model = Scripted(
        in_turn(calls(("list_flags", {})), calls(("set_flag", {"flag": "new-cart", "on": True})), says("On."))
    )
    async with Flagman(options, model) as flagman:
        yield Scene(slack, flagman, model, tmp_path / "none")


async def test_it_is_previewed_approved_and_run(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "flags.json"
    monkeypatch.setenv("FLAGS_FILE", str(file))
    session = await scene.launch()
    (ask,) = await scene.asked(session)
    assert "new-cart: off → on" in texts(ask)
    assert not file.exists(), "a dry run changes nothing"
    assert (await scene.slack.click(ADA, OPS, ask["ts"], APPROVE))["ok"]
    ended = await scene.ended(session)
    assert json.loads(file.read_text()) == {"new-cart": True}
    assert ended.ending == "On."
    assert results(scene.model.requests[-1]) == ["{}", "new-cart is on."]
    assert await scene.refused() == []


def test_the_page_shows_the_example_as_it_is() -> None:
    assert EXAMPLE.read_text() in (ROOT / "docs/tools.md").read_text()
