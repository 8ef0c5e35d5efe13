"""What one door can do, each does: every cell of the table is carried out, and has the same effect."""

from __future__ import annotations

import asyncio
import json
import re
import shlex
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

import flagman
from tests.api.conftest import ALL, Build, House
from tests.cli.served import Cli, environment
from tests.doors.description import TABLE, Row, rows, table
from tests.doors.given import GIVEN, Names, behave
from tests.support.slack import ADA, OPS, buttons, texts, wait_for
from tests.support.two_level_plan import LEAD, write_helper


async def by_slack(house: House, cell: str, names: Names, folder: Path) -> str:
    slack = house.scene.slack
    if cell.startswith("/agent "):
        answer = await slack.command(ADA, OPS, cell.removeprefix("/agent "))
        return json.dumps(answer.get("response"), ensure_ascii=False)
    card = await slack.message(OPS, lambda m: f":{names['ID']}" in json.dumps(m.get("blocks")))
    what, _, words = cell.partition(": ")
    if what == "a reply in the thread":
        await slack.post(ADA, OPS, words, card["ts"])
        return ""
    label = what.removeprefix("the button ").removesuffix(" …")
    message, action = await wait_for(lambda: _with_button(house, card["ts"], label))
    await slack.click(ADA, OPS, message["ts"], action)
    if words:
        assert (await slack.submit(ADA, await slack.view(ADA), {"value": words}))["ok"]
    return ""


async def _with_button(house: House, thread: str, label: str) -> tuple[Any, str] | None:
    """The message of a thread that has a button of this label, and its action."""
    for message in await house.scene.slack.messages(OPS, thread):
        for action, button in buttons(message).items():
            shown = button.get("text", {})
            if texts(shown) == label or shown.get("text") in (label, f"{label} …"):
                return message, action
    return None


async def by_cli(house: House, cell: str, names: Names, folder: Path) -> str:
    cli = Cli(folder, environment(FLAGMAN_URL=house.url, FLAGMAN_API_KEY=ALL))
    done = await asyncio.to_thread(cli, *shlex.split(cell)[1:])
    return done.stdout


async def by_http(house: House, cell: str, names: Names, folder: Path) -> str:
    method, path, *body = cell.split(" ", 2)
    reply = await house.api(method, path, json.loads(body[0]) if body else None)
    assert reply.status < 300, reply
    return reply.body if isinstance(reply.body, str) else json.dumps(reply.body, ensure_ascii=False)


async def by_python(house: House, cell: str, names: Names, folder: Path) -> str:
    said: list[str] = []

    def script() -> None:
        with flagman.connect(house.url, ALL):
            known: dict[str, Any] = {**vars(flagman), "print": lambda words: said.append(str(words))}
            known["supervisor"] = flagman.AgentSupervisor()
            if names["ID"]:
                known["session"] = flagman.Session.load(names["ID"])
            if "SCHEDULE" in names:
                (known["schedule"],) = known["supervisor"].schedules()
            exec(cell, known)

    await asyncio.to_thread(script)
    return "\n".join(said)


Door = Callable[[House, str, Names, Path], Awaitable[str]]
BY: dict[str, Door] = {"slack": by_slack, "cli": by_cli, "http": by_http, "python": by_python}


@pytest.mark.parametrize("row", list(rows()), ids=lambda row: row.does)
async def test_each_door_has_the_same_effect(row: Row, build: Build, tmp_path: Path) -> None:
    write_helper(tmp_path)
    house = await build(behave, persona=LEAD, api_rate="1000/9000")
    for door, cell in row.cells.items():
        names = await GIVEN[row.given](house)
        before = {one["id"] for one in await listed(house)}
        filled = re.sub("|".join(names), lambda found, names=names: str(names[found[0]]), cell)  # type: ignore[misc]
        said = await BY[door](house, filled, names, tmp_path)

        async def holds(names: Names = names, before: set[str] = before, said: str = said) -> bool:
            return bool(eval(row.then, {**names, "said": said, **await after(house, names, before)}))

        try:
            await wait_for(holds, timeout=20, pause=0.05)
        except AssertionError:
            pytest.fail(f"{door}: {filled}\nsaid: {said}\nis: {await after(house, names, before)}")
        for schedule in (await house.api.get("/v1/schedules"))["schedules"]:
            await house.api.delete(f"/v1/schedules/{schedule['id']}")


async def listed(house: House) -> list[Any]:
    found: list[Any] = (await house.api.get("/v1/sessions?limit=100"))["sessions"]
    return found


async def after(house: House, names: Names, before: set[str]) -> dict[str, Any]:
    """What an expression of a row may look at."""
    known: dict[str, Any] = {
        "fresh": [one for one in await listed(house) if one["id"] not in before],
        "schedules": (await house.api.get("/v1/schedules"))["schedules"],
    }
    if not names["ID"]:
        return known
    path = f"/v1/sessions/{names['ID']}"
    view = (await house.api.get(path)).body
    events = (await house.api.get(f"{path}/events?limit=200"))["events"]

    def told(words: str, *, event: str = "", persona: str = "") -> bool:
        return any(
            words in json.dumps(one["data"])
            and event in ("", one["type"])
            and one["data"].get("persona", "") == persona
            for one in events
            if one["type"] != "SessionLaunched"
        )

    def below(waiting_for: str) -> bool:
        return [child["waiting_for"] for child in view["children"]] == [waiting_for]

    return {**known, "view": view, "told": told, "below": below}


def test_the_page_has_this_table() -> None:
    assert TABLE.read_text(encoding="utf-8") == table(), "run python -m tests.doors"
