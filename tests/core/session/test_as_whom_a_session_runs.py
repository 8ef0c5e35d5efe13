"""As whom a session uses servers that each person connects: one person, or nobody where that is not certain."""

from __future__ import annotations

from typing import Any

import pytest

from supervisor.core.commands.control import wake
from supervisor.core.conditions import Connected
from supervisor.core.events import Actor, Paused, Resumed, SessionForked, SessionLaunched
from supervisor.core.events.subagents import Lineage
from supervisor.core.messages import ToolDefinition
from supervisor.core.reducer import fold
from supervisor.core.rights import awaited_connection, runs_as
from supervisor.core.state import Session
from supervisor.core.triggers import Signal, awaited_signals, connection_name
from tests.core.build import AT, LATER, SID, by


def launched(launcher: str, *asked_by: str, owner: str = "", lineage: Lineage | None = None) -> Session:
    event = SessionLaunched(
        at=AT,
        by=launcher,
        by_owner=owner,
        task="Look",
        persona="helper",
        persona_digest="d" * 64,
        asked_by=asked_by,
        lineage=lineage,
    )
    return fold(SID, [event])


def below(person: str) -> Lineage:
    return Lineage(
        parent="p0-root",
        call_id="1.1",
        name="part",
        root="p0-root",
        depth=1,
        requesters=("slack:U1", "slack:U2"),
        folder="p0-root",
        person=person,
    )


@pytest.mark.parametrize(
    ("session", "person"),
    [
        (launched("slack:U1"), "slack:U1"),
        (launched("slack:U1", "slack:U2"), "slack:U1"),
        (launched("api:ci", owner="slack:U2"), "slack:U2"),
        (launched("api:ci"), ""),
        (launched("clock", "slack:U3"), "slack:U3"),
        (launched("api:ci", "slack:U1", owner="slack:U2"), ""),
        (launched("agent:p0-root", lineage=below("slack:U1")), "slack:U1"),
        (launched("agent:p0-root", lineage=below("")), ""),
    ],
)
def test_it_is_the_launcher_or_the_owner_of_the_key_and_never_a_guess(session: Session, person: str) -> None:
    assert runs_as(session) == person


@pytest.mark.parametrize(
    ("copier", "person"),
    [
        ({"by": "slack:U2"}, "slack:U2"),
        ({"by": "api:ci", "by_owner": "slack:U3"}, "slack:U3"),
        ({"by": "api:ci"}, ""),
    ],
)
def test_a_copy_runs_as_who_copied_it(copier: dict[str, Any], person: str) -> None:
    copied = SessionForked(at=LATER, source="p0-other", step=0, version=1, **copier)
    assert runs_as(fold(SID, [copied], launched("slack:U1"))) == person


def test_a_pause_ends_by_the_connection_of_this_person_to_this_server_alone() -> None:
    condition = Connected(type="connection", server="notes", person="slack:U1")
    pause = Paused(**by(), reason="connection_required", conditions=(condition,))
    session = fold(SID, [pause], launched("slack:U1"))
    assert awaited_connection(session) == condition
    assert awaited_signals(session) == ["connection:notes:slack:U1"]
    ada = Actor(id="slack:U1")
    for server, person in (("notes", "slack:U2"), ("other", "slack:U1")):
        assert wake(session, Signal("connection", connection_name(server, person)), ada, LATER) == []
    (event,) = wake(session, Signal("connection", connection_name("notes", "slack:U1")), ada, LATER)
    assert isinstance(event, Resumed)
    assert (event.trigger, event.condition) == ("connection", "connection: notes")
    assert fold(SID, [event], session).inbox == (), "the model is told nothing of it"


def test_a_tool_that_runs_as_a_person_is_another_one_to_approve() -> None:
    shared = ToolDefinition(server="notes", name="say", schema_={})
    personal = shared.model_copy(update={"personal": True})
    assert shared.digest != personal.digest
    assert "the person who launched the session" in personal.changes_from(shared)
