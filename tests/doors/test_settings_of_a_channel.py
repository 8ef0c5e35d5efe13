"""The settings of a channel by HTTP and from Python: who may, what holds, and what a launch may ask for."""

from __future__ import annotations

import asyncio

import pytest

import flagman
from supervisor.core.errors import FlagmanError
from tests.api.conftest import ALL, LAUNCH, ONE, READ, Build
from tests.support.slack import OPS, texts, wait_for

PATH = f"/v1/channels/{OPS}/settings"


async def test_settings_are_changed_by_admins_and_read_by_who_sees_the_channel(build: Build) -> None:
    house = await build(ONE)
    eye, ci = await house.as_(READ), await house.as_(LAUNCH)
    (await ci("PATCH", PATH, {"persona": "ops"})).problem(403, "missing_scope")
    changed = await house.api("PATCH", PATH, {"persona": "ops", "limits": {"steps": 7, "usd": 2.5}})
    assert changed.status == 200, changed
    rows = {row["name"]: row for row in (await eye.get(PATH))["settings"]}
    assert (rows["persona"]["value"], rows["persona"]["origin"], rows["persona"]["by"]) == (
        "ops",
        "channel",
        "api:boss",
    )
    assert (rows["steps"]["value"], rows["usd"]["text"]) == (7, "$2.50")
    assert rows["minutes"] == {**rows["minutes"], "value": None, "origin": "default"}
    assert [change["name"] for change in (await eye.get(PATH))["changes"]] == ["usd", "steps", "persona"]
    # This process takes in HTTP alone; another one, which reaches Slack, announces it.
    core = house.scene.flagman.core

    async def announced() -> bool:
        await core.creators().tell()
        return not await core.places.untold()

    await wait_for(announced)
    await house.scene.slack.message(OPS, lambda m: "set *Default persona* of this channel" in texts(m))
    reset = await house.api("PATCH", PATH, {"reset": ["persona"]})
    assert reset["settings"][0]["value"] is None
    (await house.api("PATCH", PATH, {})).problem(422, "invalid_input")
    (await house.api("PATCH", PATH, {"persona": "nobody"})).problem(404, "persona_not_found")
    (await house.api("PATCH", PATH, {"reset": ["colour"]})).problem(422, "invalid_request")


async def test_a_launch_without_a_persona_has_that_of_the_channel(build: Build) -> None:
    house = await build(ONE)
    await house.api("PATCH", PATH, {"persona": "ops", "limits": {"steps": 7}})
    made = await house.api.post("/v1/sessions", {"task": "ship it", "channel": OPS, "limits": {"minutes": 5}})
    assert made.status == 201, made
    assert made["persona"] == "ops"
    assert (made["budgets"]["max_steps"], made["budgets"]["max_minutes"]) == (7, 5)
    more = {"task": "ship it", "channel": OPS, "limits": {"steps": 8}}
    assert (
        "as set by boss"
        in (await house.api.post("/v1/sessions", more)).problem(422, "invalid_input")["detail"]
    )
    (await house.api.post("/v1/sessions", {"task": "ship it"})).problem(422, "invalid_input")


async def test_the_same_from_python(build: Build) -> None:
    house = await build(ONE)

    def script() -> None:
        with flagman.connect(house.url, ALL):
            supervisor = flagman.AgentSupervisor()
            view = supervisor.change_channel_settings(OPS, persona="ops", steps=7)
            assert view.setting("persona").value == "ops"
            assert supervisor.channel_settings(OPS).setting("steps").value == 7
            with pytest.raises(FlagmanError, match="At most 7 steps here"):
                flagman.Agent("ops").start("ship it", channel=OPS, limits="steps=8")
            assert supervisor.change_channel_settings(OPS, reset=["steps"]).setting("steps").value == 50

    await asyncio.to_thread(script)
