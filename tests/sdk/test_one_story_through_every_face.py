"""One story told through every face: what each returns is the same, field by field."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from redis.asyncio import Redis

import flagman as public
from bot.sdk import Agent, Session, connect, in_process
from bot.settings import Settings
from supervisor.contract.models import SessionView
from supervisor.core.errors import AlreadyDecided
from supervisor.models import DemoGateway
from tests.cli.served import Cli, Served, environment

TASK = "report on the disk"
# What is another one in every run.
OWN = {
    "id", "root", "launched_at", "changed_at", "requested_at", "at", "by", "by_name", "launched_by",
    "launched_by_name", "minutes", "result", "session_id", "usage", "tokens", "context_tokens",
    "requesters",
}  # fmt: skip


def normalized(value: Any) -> Any:
    """A view without what differs between two runs of one story; which fields there are stays."""
    if isinstance(value, dict):
        return {
            key: "…" if key in OWN and item is not None else normalized(item) for key, item in value.items()
        }
    if isinstance(value, str):
        # In a sandbox the session's folder is a mount of its own, which `df` names.
        return re.sub(r"(?<=\d% )/.*", "…", value)
    return [normalized(item) for item in value] if isinstance(value, list) else value


def dumped(view: SessionView) -> Any:
    return view.model_dump(mode="json")


async def by_sdk() -> list[Any]:
    """Waiting for an approval, and the end."""
    session = await Agent("sre").start(TASK)
    await session.wait(timeout=60)
    waiting = dumped(session.state)
    await session.approve()
    await session.wait(timeout=60, until="ended")
    return [waiting, dumped(session.state)]


async def in_this_process(flagman: Served, store: str, folder: Path) -> list[Any]:
    settings = Settings(redis_url=SecretStr(store), data=folder, secret_key=SecretStr("s" * 32))
    async with in_process(settings, gateway=DemoGateway(delay=timedelta()), name="tester"):
        return await by_sdk()


async def by_client(flagman: Served, store: str, folder: Path) -> list[Any]:
    async with connect(flagman.url, flagman.key):
        return await by_sdk()


async def by_script(flagman: Served, store: str, folder: Path) -> list[Any]:
    def script() -> list[Any]:
        session = public.Agent("sre", url=flagman.url, api_key=flagman.key).start(TASK)
        session.wait(timeout=60)
        waiting = dumped(session.state)
        session.approve()
        session.wait(timeout=60, until="ended")
        return [waiting, dumped(session.state)]

    return await asyncio.to_thread(script)


async def by_http(flagman: Served, store: str, folder: Path) -> list[Any]:
    headers = {"Authorization": f"Bearer {flagman.key}"}
    async with httpx.AsyncClient(base_url=flagman.url, headers=headers, timeout=60, trust_env=False) as http:
        made = (await http.post("/v1/sessions", json={"persona": "sre", "task": TASK})).json()
        path = f"/v1/sessions/{made['id']}"
        waiting = (await http.get(f"{path}/wait", params={"until": "person"})).json()
        for call in waiting["calls"]:
            body = {"verdict": "approve", "digest": call["digest"]}
            assert (await http.post(f"{path}/calls/{call['call_id']}/decision", json=body)).status_code == 200
        ended = (await http.get(f"{path}/wait", params={"until": "ended"})).json()
        return [waiting, ended]


async def by_command_line(flagman: Served, store: str, folder: Path) -> list[Any]:
    def commands() -> list[Any]:
        cli = Cli(folder, environment(FLAGMAN_URL=flagman.url, FLAGMAN_API_KEY=flagman.key))
        waiting = json.loads(
            cli("launch", "sre", TASK, "--wait", "--until", "person", "--json", code=3).stdout
        )
        cli("approve", waiting["id"], "--yes")
        with_end = Session.load(waiting["id"], url=flagman.url, api_key=flagman.key)

        async def ended() -> None:
            await (await with_end).wait(timeout=60, until="ended")

        asyncio.run(ended())
        return [waiting, cli.json("show", waiting["id"])]

    return await asyncio.to_thread(commands)


Face = Callable[[Served, str, Path], Awaitable[list[Any]]]


@pytest.mark.parametrize("face", [by_client, by_script, by_http, by_command_line])
async def test_every_face_returns_the_same(
    face: Face, flagman: Served, redis: Redis, valkey_url: str, tmp_path: Path
) -> None:
    here = await in_this_process(flagman, valkey_url, tmp_path / "here")
    there = await face(flagman, valkey_url, tmp_path)
    for mine, theirs in zip(here, there, strict=True):
        assert normalized(theirs) == normalized(mine)
    assert [state["status"] for state in there] == ["paused", "completed"]


async def test_a_refusal_says_the_same_with_the_same_fields(
    flagman: Served, redis: Redis, valkey_url: str, tmp_path: Path
) -> None:
    async def refused() -> AlreadyDecided:
        session = await Agent("sre").start(TASK)
        await session.wait(timeout=60)
        await session.deny(reason="no")
        call_id = session.state.calls[0].call_id if session.state.calls else "2.1"
        with pytest.raises(AlreadyDecided) as error:
            await session.deny(call_id)
        return error.value

    settings = Settings(redis_url=SecretStr(valkey_url), data=tmp_path, secret_key=SecretStr("s" * 32))
    async with in_process(settings, gateway=DemoGateway(delay=timedelta()), name="tester"):
        here = await refused()
    async with connect(flagman.url, flagman.key):
        there = await refused()
    assert set(here.fields) == set(there.fields) == {"verdict", "by", "at", "name", "what"}
    assert (here.code, here.verdict, here.what) == (there.code, there.verdict, there.what)
