"""Which Flagman a program reaches, and what it hears when there is none."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr
from redis.asyncio import Redis

import flagman as public
from bot import sdk
from bot.sdk import Agent, Session, Unavailable
from bot.sdk.errors import error_of
from bot.sdk.http_backend import HttpBackend
from bot.settings import Settings
from supervisor.core.errors import InvalidInput, KeyRefused, MissingScope, UnknownRefusal
from supervisor.models import DemoGateway
from tests.cli.served import Served


async def test_the_environment_says_where(flagman: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLAGMAN_URL", flagman.url)
    monkeypatch.setenv("FLAGMAN_API_KEY", flagman.key)
    session = await Agent(persona="sre").start(task="report on the disk")
    assert (await Session.load(session.id)).state.task == "report on the disk"
    await session.cancel()


async def test_the_flagman_of_this_machine_is_found_by_its_folder(
    flagman: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("FLAGMAN_URL", "FLAGMAN_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(flagman.folder)
    session = await Agent("sre").start("report on the disk")
    await session.cancel()
    assert session.status == "cancelled"


async def test_what_is_named_goes_before_what_is_around(flagman: Served) -> None:
    async with sdk.connect("http://127.0.0.1:1"):
        with pytest.raises(Unavailable, match=r"No Flagman answers at http://127\.0\.0\.1:1"):
            await Agent("sre").start("x")
        session = await Agent("sre", url=flagman.url, api_key=flagman.key).start("x")
        await session.cancel()


async def test_keys_are_refused_for_what_they_may_not(flagman: Served) -> None:
    with pytest.raises(KeyRefused):
        await Agent("sre", url=flagman.url, api_key="fm_1_wrong").start("x")
    async with HttpBackend(flagman.url, flagman.key) as remote:
        made = await remote.call("POST", "/v1/keys", {"name": "reader", "scopes": ["read"]})
    with pytest.raises(MissingScope):
        await Agent("sre", url=flagman.url, api_key=made["key"]).start("x")


async def test_a_core_that_runs_already(
    flagman: Served, redis: Redis, valkey_url: str, tmp_path: Path
) -> None:
    from bot.compose import core

    settings = Settings(redis_url=SecretStr(valkey_url), data=tmp_path, secret_key=SecretStr("s" * 32))
    async with core(settings) as parts:
        async with sdk.in_process(parts, name="ada"):
            session = await Agent("sre").start("report on the disk")
        stored = await parts.supervisor.get(session.id)
        assert (stored.launched_by, stored.launched_by_name) == ("api:ada", "ada")


async def test_in_process_with_a_store_of_its_own(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path / "data")
    async with sdk.in_process(settings, gateway=DemoGateway(delay=timedelta())):
        session = await Agent("sre").start("report on the disk")
        await session.wait(timeout=60)
        await session.approve()
        await session.wait(timeout=60)
        assert session.status == "completed"
    async with sdk.in_process(settings, gateway=DemoGateway(delay=timedelta())):
        assert (await Session.load(session.id)).result == session.result


def test_scripts_without_async(flagman: Served) -> None:
    session = public.Agent("sre", url=flagman.url, api_key=flagman.key).start("report on the disk")
    session.wait(timeout=60)
    assert [call.tool for call in session.pending_approvals] == ["write_file", "shell"]
    session.approve()
    session.wait(timeout=60)
    assert session.status == "completed"
    kinds = [event.type for event in session.events()]
    assert kinds[-1] == "Completed"
    same = public.Session.load(session.id, url=flagman.url, api_key=flagman.key)
    assert same.result == session.result


def test_scripts_without_async_have_many_agents(flagman: Served) -> None:
    supervisor = public.MultiAgentSupervisor(url=flagman.url, api_key=flagman.key)
    parts = [{"id": "look", "persona": "sre", "task": "report on the disk"}]
    found = supervisor.execute_multi_agent_task("how is the disk", subtasks=parts, wait=False)
    session = found.session
    session.wait(timeout=60)
    session.approve()
    session.wait(timeout=60)
    assert [need.name for need in session.needs] == ["look"]
    (child,) = session.in_need()
    write, shell = child.pending_approvals
    child.approve(shell.call_id, arguments={"command": "true"})
    child.deny(write.call_id)
    session.wait(timeout=60)
    assert (session.status, session.children[0].status) == ("completed", "completed")
    copy = child.fork(step=0, message="again")
    assert copy.state.forked_from
    copy.cancel()
    assert child.artifacts() == []


def test_scripts_without_async_in_process(redis: Redis, valkey_url: str, tmp_path: Path) -> None:
    settings = Settings(redis_url=SecretStr(valkey_url), data=tmp_path, secret_key=SecretStr("s" * 32))
    with public.in_process(settings, gateway=DemoGateway(delay=timedelta()), name="ada"):
        session = public.Agent("sre").start("report on the disk")
        session.wait(timeout=60)
        session.approve()
        session.wait(timeout=60)
        assert (session.status, session.state.launched_by) == ("completed", "api:ada")
        assert session.artifact("report.md").startswith(b"# Report")


async def test_the_same_classes_serve_coroutines(flagman: Served) -> None:
    async with public.connect(flagman.url, flagman.key):
        session = await public.Agent("sre").start("report on the disk")
        await session.wait(timeout=60)
        same = await public.Session.load(session.id)
        assert [call.tool for call in same.pending_approvals] == ["write_file", "shell"]
        supervisor = public.AgentSupervisor()
        assert session.id in await supervisor.paused_sessions
        await session.cancel("enough")
        assert [event.type async for event in session.events()][-1] == "Cancelled"


def test_a_bad_address_is_a_sentence() -> None:
    with pytest.raises(InvalidInput, match="url: must begin with http"):
        Agent("sre", url="localhost:8080")


def test_a_problem_of_a_newer_flagman_is_still_an_error() -> None:
    error = error_of({"code": "brand_new", "status": 418, "detail": "No."})
    assert isinstance(error, UnknownRefusal)
    assert (error.code, str(error)) == ("brand_new", "No.")
