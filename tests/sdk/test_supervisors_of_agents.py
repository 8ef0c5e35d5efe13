"""Sessions by their ids, and plans that are looked at before they are carried out: over HTTP and in this process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from bot.settings import Settings
from flagman import AgentSupervisor, MultiAgentSupervisor, Session, connect, in_process
from supervisor.core.errors import FlagmanError, SessionNotFound
from supervisor.models.demo.gateway import DemoGateway
from tests.cli.served import Served

PAUSES = ("status", "session_id", "resume_token")


@pytest.fixture(params=["http", "in process"])
def reached(
    request: pytest.FixtureRequest, flagman: Served, valkey_url: str, tmp_path: Path
) -> Iterator[None]:
    with ExitStack() as stack:
        if request.param == "http":
            stack.enter_context(connect(flagman.url, flagman.key))
        else:
            settings = Settings(
                redis_url=SecretStr(valkey_url), data=tmp_path / "own", secret_key=SecretStr("s" * 32)
            )
            stack.enter_context(in_process(settings, gateway=DemoGateway(delay=timedelta())))
        yield


def test_sessions_by_their_ids(reached: None) -> None:
    supervisor = AgentSupervisor()
    session = supervisor.launch("backend-architect", "Create auth endpoint")
    paused = supervisor.pause(
        session.id, "External dependency", resume_condition="webhook: approval where ok == true"
    )
    assert [paused[name] for name in PAUSES[:2]] == ["paused", session.id]
    assert paused["resume_token"]
    assert session.id in supervisor.paused_sessions
    assert session.id not in supervisor.active_sessions
    with pytest.raises(
        FlagmanError, match="waits for no event, but for `webhook: approval where ok == true`"
    ):
        supervisor.resume(session.id, "event")
    resumed = supervisor.resume(session.id, "webhook", data={"ok": True})
    assert resumed.state.pause is None
    listed = supervisor.list(persona="backend-architect", limit=3)
    assert session.id in [one.id for one in listed]
    assert all(isinstance(one, Session) for one in listed)
    again = resumed.pause("once more")
    by_token = Session.resume_with(again.resume_token, additional_context="go on")
    assert (by_token.id, by_token.state.pause) == (session.id, None)
    with pytest.raises(FlagmanError, match="already"):
        Session.resume_with(again.resume_token)
    resumed.cancel("enough")
    assert session.id in [one.id for one in supervisor.list(status="cancelled")]
    with pytest.raises(SessionNotFound):
        supervisor.resume("ab12-cd34")


def test_a_plan_is_looked_at_changed_and_carried_out(reached: None) -> None:
    supervisor = MultiAgentSupervisor()
    plan = supervisor.plan_subtasks("make the shop faster", timeout=60)
    assert len(plan.subtasks) > 1
    assert [call.tool for call in plan.session.pending_approvals] == ["plan_tasks"]
    first = {"id": "look", "persona": "sre", "task": "report on the disk"}
    result = plan.carry_out([first])
    result.session.wait(timeout=60)
    result.refresh()
    assert [(child.name, child.persona) for child in result.children] == [("look", "sre")]
    for child in result.session.in_need():
        child.deny(reason="not now")
    result.wait(timeout=60)
    assert (result.status, result.child("look").status) == ("completed", "completed")
    words = supervisor.consolidate_results([result.session, plan.session.id])
    assert words.startswith("2 of 2 completed.\n\n## project-coordinator (")


def test_who_would_do_a_subtask(reached: None) -> None:
    supervisor = MultiAgentSupervisor()
    before = {session.id for session in supervisor.list(status="cancelled")}
    chosen: Any = supervisor.select_persona_for_subtask("look at the disk", timeout=60)
    assert chosen in ("sre", "backend-architect", "release-manager")
    (asked,) = [one for one in supervisor.list(status="cancelled", limit=5) if one.id not in before]
    assert asked.children == []


def test_who_proposes_no_plan_is_told_so(reached: None) -> None:
    with pytest.raises(FlagmanError, match="no sub-agents to launch"):
        MultiAgentSupervisor().plan_subtasks("look", persona="sre")
