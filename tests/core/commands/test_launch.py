"""Launching from a persona, with a plan, and as a copy of an earlier session, each with its refusals."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from supervisor.core.commands.base import MAX_NAME, check_text, stamp
from supervisor.core.commands.control import pause
from supervisor.core.commands.launch import fork, launch
from supervisor.core.conditions import Manual, Webhook
from supervisor.core.delegation import PLAN
from supervisor.core.errors import InvalidInput
from supervisor.core.events import (
    Actor,
    ApprovalDecided,
    ContextAdded,
    Event,
    GivenFile,
    Inherited,
    Lineage,
    ModelResponded,
    Resumed,
    SessionForked,
    SessionLaunched,
    ToolFinished,
    ToolStarted,
)
from supervisor.core.persona import ApprovalRule, Approvers, Budgets, Persona
from supervisor.core.reducer import fold
from supervisor.tools.builtin import builtin_tools
from tests.core.build import (
    ALICE,
    AT,
    BOB,
    CAROL,
    DAN,
    SID,
    by,
    launched,
    responded,
    step_events,
    subtask,
    tool_call,
)

LATER = AT + timedelta(hours=1)
ORIGIN = {"kind": "slack", "channel": "C1"}
PERSONA = Persona(
    name="lead",
    description="Leads",
    instructions="Lead.",
    tools=(PLAN, "shell"),
    agents=("sre",),
    budgets=Budgets(max_steps=7),
)
TOOLS = {name: tool for name, tool in builtin_tools().items() if name in (PLAN, "shell")}
PLANNED: dict[str, Any] = {"subtasks": [subtask("look"), subtask("tell", "look")], "on_failure": "continue"}


def begun(persona: Persona = PERSONA, task: str = "Tidy up", **more: Any) -> list[Event]:
    return launch(persona, task, BOB, AT, **{"tools": TOOLS, "roster": ["sre"], **more})


# launch


def test_a_session_begins_with_its_launch() -> None:
    assert begun(task=" Tidy up\n", origin=ORIGIN) == [
        SessionLaunched(
            at=AT,
            by=BOB.id,
            by_name="Bob",
            task="Tidy up",
            persona="lead",
            persona_digest=PERSONA.digest,
            budgets=Budgets(max_steps=7),
            origin=ORIGIN,
        )
    ]


@pytest.mark.parametrize(
    ("task", "says"), [("", "The task is empty"), (" \n", "The task is empty"), ("x" * 20_001, "too long")]
)
def test_a_task_is_a_text_with_a_limit(task: str, says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        begun(task=task)
    assert begun(task="x" * 20_000)


def test_an_origin_that_no_log_can_store_is_refused() -> None:
    with pytest.raises(InvalidInput):
        begun(origin={"n": float("inf")})


def test_only_who_can_plan_coordinates() -> None:
    alone = {"shell": TOOLS["shell"]}
    for asked in ({"coordinate": True}, {"plan": PLANNED}, {"plan": PLANNED, "coordinate": True}):
        with pytest.raises(InvalidInput, match="`lead` has no sub-agents to launch"):
            begun(tools=alone, **asked)
    assert begun(tools=alone) == begun()
    assert begun(coordinate=True) == begun()


def test_a_given_plan_is_the_first_step() -> None:
    first, second = begun(plan=PLANNED)
    assert first == begun()[0]
    assert isinstance(second, ModelResponded)
    assert (second.by, second.by_name, second.at, second.model) == (BOB.id, "Bob", AT, "given")
    (call,) = second.calls
    assert (call.call_id, call.tool) == ("1.1", PLAN)
    assert (second.text, call.ref, second.duration_ms) == ("", "given", 0)
    session = fold(SID, [first, second])
    assert not session.unpriced
    assert [c.phase for c in session.open_calls] in (["open"], ["held"])
    assert session.cost_usd == 0


@pytest.mark.parametrize(
    "plan",
    [
        {},
        {"subtasks": []},
        {"subtasks": [subtask("look", "look")]},
        {"subtasks": [subtask("look", "nothing")]},
        {"subtasks": [{**subtask("look"), "persona": "stranger"}]},
    ],
)
def test_a_plan_that_cannot_be_carried_out_is_refused(plan: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        begun(plan=plan)


def test_a_given_plan_is_under_the_same_policy() -> None:
    never = ApprovalRule(tool=PLAN, mode="deny", reason="Not this one.")
    asks = ApprovalRule(tool=PLAN, mode="ask")
    with pytest.raises(InvalidInput, match="Not this one"):
        begun(PERSONA.model_copy(update={"approvals": (never,)}), plan=PLANNED)
    _, second = begun(PERSONA.model_copy(update={"approvals": (asks,)}), plan=PLANNED)
    assert isinstance(second, ModelResponded)
    assert second.calls[0].mode == "ask"


# fork

ONE, TWO = step_events(1), step_events(2)
LOG: list[Event] = [launched(origin=ORIGIN), *ONE, *TWO]


def test_a_copy_takes_the_steps_along_and_says_where_from() -> None:
    events = fork(SID, LOG, BOB, LATER, step=1)
    assert events[:-1] == LOG[: 1 + len(ONE)]
    forked = events[-1]
    assert isinstance(forked, SessionForked)
    assert (forked.source, forked.step, forked.version) == (SID, 1, 1 + len(ONE))
    assert (forked.by, forked.at, forked.requesters, forked.files) == (BOB.id, LATER, (ALICE.id,), None)
    copy = fold("p0-copy", events)
    assert (len(copy.steps), copy.origin) == (1, ORIGIN)
    # Who asked for either may not approve where the requester is excluded.
    assert copy.requesters == {ALICE.id, BOB.id}


def test_without_a_step_it_goes_as_far_as_every_call_has_its_result() -> None:
    forked = fork(SID, [*LOG, step_events(3)[0]], BOB, LATER)[-1]
    assert isinstance(forked, SessionForked)
    assert forked.step == 2


@pytest.mark.parametrize("step", [-1, 3, 99])
def test_a_step_that_has_not_ended_cannot_be_copied(step: int) -> None:
    with pytest.raises(InvalidInput, match="choose from 0 to 2"):
        fork(SID, LOG, BOB, LATER, step=step)


def test_a_message_tells_the_copy_what_to_do_otherwise() -> None:
    event = fork(SID, LOG, BOB, LATER, message=" otherwise ")[-1]
    assert event == ContextAdded(at=LATER, by=BOB.id, by_name="Bob", text="otherwise", kind="command")
    with pytest.raises(InvalidInput, match="The message is too long"):
        fork(SID, LOG, BOB, LATER, message="x" * 20_001)


def test_after_a_last_word_there_must_be_another() -> None:
    said = [*LOG, responded(text="Done.", step=3)]
    with pytest.raises(InvalidInput, match="last word"):
        fork(SID, said, BOB, LATER, step=3)
    assert fork(SID, said, BOB, LATER, step=3, message="And now?")
    # By itself the copy begins before that word.
    forked = fork(SID, said, BOB, LATER)[-1]
    assert isinstance(forked, SessionForked)
    assert forked.step == 2


def test_a_copy_made_within_a_pause_runs() -> None:
    session = fold(SID, LOG)
    events = fork(SID, [*LOG, *pause(session, CAROL, AT)], BOB, LATER)
    assert not any(isinstance(event, Resumed) for event in events)
    # Where the step ended within a pause, that is copied and ended.
    answer, started, finished = step_events(1)
    log = [launched(), answer, started]
    within = [*log, *pause(fold(SID, log), CAROL, AT), finished]
    events = fork(SID, within, BOB, LATER)
    assert events[-1] == Resumed(**by(BOB, LATER))
    assert events[:-2] == within
    copy = fold("p0-copy", events)
    assert (copy.pause, copy.halts[0].resumed_at) == (None, LATER)


def test_a_copy_is_ruled_by_the_persona_that_is_given_or_by_that_of_its_source() -> None:
    for persona, digest in ((PERSONA, PERSONA.digest), (None, "d" * 64)):
        assert fold("p0-copy", fork(SID, LOG, BOB, LATER, persona=persona)).persona_digest == digest


def test_a_copy_begins_without_a_pause_until_an_approval_and_without_what_was_decided_on_it() -> None:
    call = tool_call(mode="allow")
    started = ToolStarted(**by(), call_id="1.1", attempt=1, idempotency_key="k", digest=call.digest)
    log = [launched(), *pause(fold(SID, [launched()]), CAROL, AT), Resumed(**by()), responded(call), started]
    two = Approvers(users=(BOB.id, CAROL.id), quorum=2)
    log += pause(fold(SID, log), ALICE, AT, conditions=[Webhook(type="webhook", name="go")])
    log += pause(fold(SID, log), ALICE, AT, conditions=[Manual(type="approval")], approvers=[two])
    request = fold(SID, log).approval
    assert request
    log += [
        ApprovalDecided(
            **by(BOB), call_id=request.call_id, digest=request.call.digest, verdict="approve", via="user"
        ),
        ToolFinished(**by(), call_id="1.1", attempt=1, ok=True, content="x"),
    ]
    events = fork(SID, log, DAN, LATER, step=1)
    copy = fold("p0-copy", events)
    assert (copy.status, copy.approval, len(copy.halts), len(copy.steps)) == ("running", None, 1, 1)
    assert [event.type for event in events[-2:]] == ["ToolFinished", "SessionForked"]


@pytest.mark.parametrize(("origin", "shown"), [(None, ORIGIN), ({}, {}), ({"kind": "api"}, {"kind": "api"})])
def test_a_copy_is_shown_where_it_is_said_or_where_the_source_was(origin: Any, shown: Any) -> None:
    assert fold("p0-copy", fork(SID, LOG, BOB, LATER, origin=origin)).origin == shown


# What all commands share


def test_the_stamp_says_who_and_when() -> None:
    assert stamp(ALICE, AT) == {"at": AT, "by": "slack:U1", "by_name": "Alice", "by_owner": ""}
    long = Actor(id="slack:U9", name="n" * 79 + "\ud800" + "n")
    assert stamp(long, AT)["by_name"] == "n" * 79 + "?"
    assert len(stamp(long, AT)["by_name"]) == MAX_NAME


def test_a_text_is_cleaned_before_it_is_measured() -> None:
    assert check_text(" x\ud800 ", "It") == "x?"
    assert check_text(" " * 30_000 + "x", "It") == "x"
    assert check_text("  ", "It", optional=True) == ""
    with pytest.raises(InvalidInput, match="It is empty; please write what you want"):
        check_text("  ", "It")
    with pytest.raises(InvalidInput):
        check_text("x" * 20_001, "It", optional=True)


# files

PLANS = GivenFile(source="F1", name="plan.txt", size=1)
MAP = GivenFile(source="F2", name="map.png", size=2048)


def test_a_launch_takes_words_and_files_along() -> None:
    _, told = begun(context="As agreed", files=[PLANS, MAP])
    assert isinstance(told, ContextAdded)
    assert told.text == "As agreed\n\n(Attached: plan.txt (1 byte), map.png (2,048 bytes))"
    assert (told.kind, told.files, told.by, told.at) == ("mention", (PLANS, MAP), BOB.id, AT)
    _, alone = begun(files=[PLANS])
    assert isinstance(alone, ContextAdded)
    assert alone.text == "(Attached: plan.txt (1 byte))"
    _, words = begun(context=" As agreed ")
    assert isinstance(words, ContextAdded)
    assert (words.text, words.files) == ("As agreed", ())
    assert len(begun(context="  ")) == 1
    with pytest.raises(InvalidInput, match="The context is too long"):
        begun(context="x" * 20_001)


def wrote(number: int, *paths: str, removed: tuple[str, ...] = ()) -> list[Event]:
    """A step whose call wrote these files."""
    *begin, end = step_events(number)
    return [*begin, end.model_copy(update={"artifacts": paths, "removed": removed})]


def copied(log: list[Event], **more: Any) -> SessionForked:
    found = [event for event in fork(SID, log, BOB, LATER, **more) if isinstance(event, SessionForked)]
    return found[-1]


def test_a_copy_has_the_files_of_the_steps_that_it_takes_along() -> None:
    log = [launched(), *wrote(1, "a.txt", "b.txt"), *wrote(2, "c.txt", removed=("a.txt",))]
    assert copied(log, step=1).files == Inherited(into=".", folder=SID, paths=("a.txt", "b.txt"))
    both = copied(log, gone=["c.txt", "other"])
    assert both.files == Inherited(into=".", folder=SID, paths=("b.txt", "c.txt"))
    assert both.missing == ("c.txt",)
    assert copied([launched(), *ONE]).files is None


def test_a_copy_of_a_copy_finds_the_files_where_they_are() -> None:
    log = [launched(), *wrote(1, "a.txt")]
    copy = fork(SID, log, BOB, LATER)
    said = fork("p0-copy", [*copy, ContextAdded(**by(BOB), text="On")], BOB, LATER)
    (again,) = [event for event in said if isinstance(event, SessionForked) and event.source == "p0-copy"]
    # Nothing ran in the copy, so its files are still in the folder of its source.
    assert again.files == Inherited(into=".", folder=SID, paths=("a.txt",))
    ran = fork("p0-copy", [*copy, *wrote(2, "b.txt")], BOB, LATER)
    (later,) = [event for event in ran if isinstance(event, SessionForked) and event.source == "p0-copy"]
    assert later.files == Inherited(into=".", folder="p0-copy", paths=("a.txt", "b.txt"))


def test_a_copy_of_a_sub_agent_has_the_files_that_it_began_with_and_did_not_remove() -> None:
    inputs = (
        Inherited(into="inputs/look", folder="p0/agents/look-p0-look", paths=("a.md", "b.md", "c.md")),
        Inherited(into=".", folder="p0/agents/look-p0-look", paths=("d.md", "e.md")),
    )
    lineage = Lineage(
        parent="p0", call_id="1.1", name="tell", root="p0", depth=1, requesters=(), folder="f", inputs=inputs
    )
    gone = ("inputs/look/b.md", "inputs/look/c.md", "e.md")
    log = [launched(lineage=lineage), *wrote(1, "x.md", removed=gone), *wrote(2, "inputs/look/c.md")]
    found = copied(log).files
    assert found
    assert found.paths == ("inputs/look/a.md", "d.md", "x.md", "inputs/look/c.md")


def test_those_who_asked_for_it_besides_the_actor_are_recorded() -> None:
    (event,) = begun(asked_by=["slack:U9", BOB.id, "slack:U3"])
    assert isinstance(event, SessionLaunched)
    assert event.asked_by == ("slack:U3", "slack:U9")


def test_the_copy_of_a_session_that_waits_for_its_first_approval_runs() -> None:
    answer, started, finished = step_events(1)
    log = [launched(), answer, started]
    waits = pause(fold(SID, log), CAROL, AT, conditions=[Manual(type="approval")], approvers=[Approvers()])
    events = fork(SID, [*log, *waits, finished], BOB, LATER)
    assert events[:-1] == [*log, finished]
    assert fold("p0-copy", events).status == "running"
