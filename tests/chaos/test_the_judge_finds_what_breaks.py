"""The judge of a campaign finds each fault that is planted in a world that was right."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.effect import main as run_effect
from tests.chaos.judge import (
    Button,
    CallSeen,
    MessageSeen,
    Planned,
    SessionSeen,
    Whisper,
    World,
    judge,
)
from tests.chaos.record import Act, Effect, Recorder, read_acts, read_ledger

DONE, ASKED, LOST = "m00001", "m00002", "m00003"


def act(number: int, mark: str, verdict: str, *, answer: Any = "acknowledged", **more: Any) -> Act:
    given = {
        "kind": "decision",
        "who": "alice",
        "via": "http",
        "session_id": f"s-{mark[:6]}",
        "at": 1.0,
        **more,
    }
    return Act(number, mark=mark, verdict=verdict, answer=answer, **given)


def ran(mark: str) -> list[Effect]:
    return [Effect(mark, "begin", 7, 1.0), Effect(mark, "end", 7, 2.0)]


def message(mark: str, key: str, body: str = "", *buttons: Button) -> MessageSeen:
    return MessageSeen(f"s-{mark}", key, body, buttons)


# A session that ended with one call approved and one denied, one that waits for an approval, one with a lost outcome.
RIGHT = World(
    planned=[
        Planned(DONE, (f"{DONE}-1", f"{DONE}-2")),
        Planned(ASKED, (f"{ASKED}-1",)),
        Planned(LOST, (f"{LOST}-1",)),
    ],
    acts=[
        *(act(n, mark, "", kind="launch") for n, mark in enumerate((DONE, ASKED, LOST))),
        act(4, f"{DONE}-1", "approve"),
        act(5, f"{DONE}-2", "deny"),
        act(6, f"{LOST}-1", "approve"),
    ],
    effects=[*ran(f"{DONE}-1"), Effect(f"{LOST}-1", "begin", 7, 1.0)],
    sessions=[
        SessionSeen(DONE, f"s-{DONE}", "completed", ""),
        SessionSeen(
            ASKED,
            f"s-{ASKED}",
            "paused",
            "human_approval_required",
            (CallSeen(f"{ASKED}-1", "1.1", "awaiting"),),
        ),
        SessionSeen(
            LOST, f"s-{LOST}", "paused", "outcome_unknown", (CallSeen(f"{LOST}-1", "1.1", "unknown"),)
        ),
    ],
    messages=[
        message(DONE, "card", DONE, Button("session_log")),
        message(DONE, "ask:r1:0", f"Decided {DONE}-1 {DONE}-2", Button("call_view", ("1.1",))),
        message(DONE, "end"),
        message(ASKED, "card", ASKED, Button("session_cancel")),
        message(ASKED, "ask:r1:0", f"Approval needed {ASKED}-1", Button("call_approve", ("1.1",))),
        message(LOST, "card", LOST, Button("session_cancel")),
        message(LOST, "ask:r1:0", f"Decided {LOST}-1"),
        message(LOST, "lost:1.1:1", f"Outcome unknown {LOST}-1", Button("outcome_run_again", ("1.1",))),
    ],
)


def test_a_world_that_is_right_has_no_findings() -> None:
    assert list(judge(RIGHT).sentences()) == []


def with_effects(*more: Effect) -> World:
    return replace(RIGHT, effects=[*RIGHT.effects, *more])


def without_effects(mark: str, *what: str) -> World:
    return replace(RIGHT, effects=[e for e in RIGHT.effects if e.mark != mark or e.what not in what])


def with_acts(*more: Act) -> World:
    return replace(RIGHT, acts=[*RIGHT.acts, *more])


def with_session(mark: str, **changes: Any) -> World:
    return replace(RIGHT, sessions=[replace(s, **changes) if s.mark == mark else s for s in RIGHT.sessions])


def with_messages(*more: MessageSeen, instead_of: str = "") -> World:
    kept = [m for m in RIGHT.messages if not instead_of or f"{m.session_id} {m.key}" != instead_of]
    return replace(RIGHT, messages=[*kept, *more])


PLANTED: dict[str, tuple[Callable[[], World], str, str]] = {
    "a second run": (lambda: with_effects(*ran(f"{DONE}-1")), "doubled", f"{DONE}-1 began 2 times"),
    "a second run of a call that is cut off": (
        lambda: with_effects(Effect(f"{LOST}-1", "begin", 8, 3.0)),
        "doubled",
        f"{LOST}-1 began 2 times",
    ),
    "an approval without a run": (
        lambda: without_effects(f"{DONE}-1", "begin", "end"),
        "lost",
        f"{DONE}-1 was approved and did not run",
    ),
    "an approval by an earlier request": (
        lambda: replace(
            without_effects(f"{DONE}-1", "begin", "end"),
            acts=[
                *RIGHT.acts[:3],
                act(4, f"{DONE}-1", "approve", answer="refused", told="approve"),
                *RIGHT.acts[4:],
            ],
        ),
        "lost",
        f"{DONE}-1 was approved and did not run",
    ),
    "a run that was cut off and of which nobody was asked": (
        lambda: without_effects(f"{DONE}-1", "end"),
        "lost",
        f"{DONE}-1 was approved, began and never ended",
    ),
    "a run of a denied call": (
        lambda: with_effects(*ran(f"{DONE}-2")),
        "unapproved",
        f"{DONE}-2 was denied and ran",
    ),
    "a run of a call that nobody decided on": (
        lambda: with_effects(*ran(f"{ASKED}-1")),
        "unapproved",
        f"{ASKED}-1 ran, and nobody approved it",
    ),
    "a run by an approval that was refused": (
        lambda: replace(
            with_effects(*ran(f"{ASKED}-1")),
            acts=[*RIGHT.acts, act(9, f"{ASKED}-1", "approve", answer="refused")],
        ),
        "unapproved",
        f"{ASKED}-1 ran, and nobody approved it",
    ),
    "a run of a call that nobody knows": (
        lambda: with_effects(*ran("m00009-1")),
        "unapproved",
        "m00009-1 ran, and no session was asked for it",
    ),
    "a run before its approval": (
        lambda: replace(
            RIGHT, effects=[replace(e, at=0.5) if e.mark == f"{DONE}-1" else e for e in RIGHT.effects]
        ),
        "unapproved",
        f"{DONE}-1 ran before a person asked for it",
    ),
    "a second run before a person asked for one": (
        lambda: replace(
            with_effects(*ran(f"{DONE}-1")),
            acts=[*RIGHT.acts, act(9, f"{DONE}-1", "run_again", kind="outcome", at=5.0)],
        ),
        "unapproved",
        f"{DONE}-1 ran before a person asked for it",
    ),
    "a run that differs from its approval": (
        lambda: replace(
            RIGHT, acts=[replace(a, form="edited") if a.mark == f"{DONE}-1" else a for a in RIGHT.acts]
        ),
        "unapproved",
        f"{DONE}-1 did not run as it was approved",
    ),
    "two verdicts that both count": (
        lambda: with_acts(act(9, f"{DONE}-1", "deny", who="bob")),
        "lost",
        f"{DONE}-1 was said to be approved and to be denied",
    ),
    "an end without a call of the plan": (
        lambda: replace(RIGHT, planned=[Planned(DONE, (f"{DONE}-1", f"{DONE}-2", f"{DONE}-3"))]),
        "lost",
        f"{DONE}-3 was never asked for",
    ),
    "a launch without a session": (
        lambda: replace(RIGHT, sessions=RIGHT.sessions[1:]),
        "lost",
        f"session {DONE} was launched and is not there",
    ),
    "a session that does not go on": (
        lambda: with_session(ASKED, status="running", waiting_for=""),
        "stuck",
        "is running and waits for nothing",
    ),
    "a wait that does not end": (
        lambda: with_session(DONE, status="paused", waiting_for="scheduled"),
        "stuck",
        "waits for scheduled, and nobody is asked",
    ),
    "a decision without a consequence": (
        lambda: with_acts(act(9, f"{ASKED}-1", "deny")),
        "stuck",
        "waits for human_approval_required, and nobody is asked",
    ),
    "a request that is not shown": (
        lambda: with_messages(instead_of=f"s-{ASKED} ask:r1:0"),
        "stuck",
        "waits for human_approval_required, and nobody is asked",
    ),
    "a lost outcome that is not shown": (
        lambda: with_messages(instead_of=f"s-{LOST} lost:1.1:1"),
        "stuck",
        "waits for outcome_unknown, and nobody is asked",
    ),
    "live buttons of a decided call": (
        lambda: with_messages(
            message(DONE, "ask:r1:0", f"{DONE}-1 {DONE}-2", Button("call_deny", ("1.2",))),
            instead_of=f"s-{DONE} ask:r1:0",
        ),
        "unconverged",
        "1.2 has 1 messages with approval buttons, not no",
    ),
    "live buttons of an outcome that is known": (
        lambda: with_messages(message(DONE, "lost:1.1:1", "", Button("outcome_done", ("1.1",)))),
        "unconverged",
        "1.1 has 1 messages with outcome buttons, not no",
    ),
    "a message that stands twice": (
        lambda: with_messages(message(ASKED, "card", ASKED)),
        "unconverged",
        "card stands 2 times",
    ),
    "a second request for one call": (
        lambda: with_messages(
            message(ASKED, "ask:r2:0", f"Approval needed {ASKED}-1", Button("call_approve", ("1.1",)))
        ),
        "unconverged",
        f"{ASKED}-1 has 2 request messages",
    ),
    "a session without a card": (
        lambda: with_messages(instead_of=f"s-{LOST} card"),
        "unconverged",
        "has no card",
    ),
    "an end that is not shown": (
        lambda: with_messages(instead_of=f"s-{DONE} end"),
        "unconverged",
        "is completed, and no message says so",
    ),
    "a button to pause what has ended": (
        lambda: with_messages(
            message(DONE, "card", DONE, Button("session_pause")), instead_of=f"s-{DONE} card"
        ),
        "unconverged",
        "is completed, with the buttons session_pause",
    ),
}


@pytest.mark.parametrize("what", PLANTED)
def test_it_finds(what: str) -> None:
    plant, kind, sentence = PLANTED[what]
    findings = judge(plant())
    assert findings.any
    assert any(sentence in found for found in getattr(findings, kind)), list(findings.sentences())


ALLOWED: dict[str, Callable[[], World]] = {
    "a run by an approval that was not answered": lambda: replace(
        with_effects(*ran(f"{ASKED}-1")),
        acts=[*RIGHT.acts, act(9, f"{ASKED}-1", "approve", answer="unanswered")],
    ),
    "a click that was taken back": lambda: replace(
        with_acts(act(9, f"{ASKED}-1", "approve", who="U1", via="slack")),
        whispers=[Whisper(f"s-{ASKED}", "U1")],
    ),
    "a second run that a person asked for": lambda: replace(
        with_effects(*ran(f"{DONE}-1")),
        acts=[*RIGHT.acts, act(9, f"{DONE}-1", "run_again", kind="outcome")],
    ),
    "a run that was cut off and of which a person said that it failed": lambda: replace(
        without_effects(f"{DONE}-1", "end"),
        acts=[*RIGHT.acts, act(9, f"{DONE}-1", "failed", kind="outcome")],
    ),
}


@pytest.mark.parametrize("what", ALLOWED)
def test_it_allows(what: str) -> None:
    assert list(judge(ALLOWED[what]()).sentences()) == []


def test_acts_and_effects_are_read_as_they_were_written(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "acts")
    sent = recorder.sent("decision", f"{DONE}-1", "approve", "alice", "http", "s-1")
    lost = recorder.sent("decision", f"{DONE}-2", "deny", "bob", "http", "s-1")
    recorder.answered(sent, "acknowledged")
    recorder.close()
    assert read_acts(tmp_path / "acts") == [replace(sent, answer="acknowledged"), lost]
    run_effect(str(tmp_path / "ledger"), DONE, "1", "0", "edited")
    with (tmp_path / "ledger").open("a") as file:
        file.write('{"session": "m0')
    assert [(e.mark, e.what, e.form) for e in read_ledger(tmp_path / "ledger")] == [
        (f"{DONE}-1", "begin", "edited"),
        (f"{DONE}-1", "end", "edited"),
    ]


@pytest.mark.parametrize("name", ["effect", "record", "judge", "observer", "requests"])
def test_recorder_and_judge_share_no_code_with_flagman(name: str) -> None:
    tree = ast.parse(Path(__file__).with_name(f"{name}.py").read_text())
    imported = {
        module
        for node in ast.walk(tree)
        for module in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    ours = ("bot", "handlers", "supervisor", "storage", "tests")
    foreign = {m for m in imported if m.split(".")[0] in ours and not m.startswith("tests.chaos.")}
    assert not foreign
    assert imported
