"""`flagman replay` steps through a session, event by event, with the state after each."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from bot.cli import keyboard
from bot.cli.commands.replay import move
from bot.cli.frames import frames
from bot.cli.replay_screen import Size, screen
from supervisor.contract.models import EventView
from supervisor.contract.views import event_view
from supervisor.core.text.format import span
from supervisor.core.times import parse_duration
from tests.cli.served import Cli, Served, until
from tests.cli.terminal import Terminal
from tests.core.build import AT, launched, one_of_each, plan_call, responded, subtask, tool_call

CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@pytest.fixture(scope="module")
def finished(flagman: Served) -> str:
    """A session whose calls were approved and denied."""
    cli = flagman.cli
    session_id = cli.launched("be replayed")
    cli("deny", session_id, "2.2", "--yes", "--reason", "not now")
    cli("approve", session_id, "--yes")
    until(lambda: cli.json("show", session_id)["status"] == "completed")
    return session_id


def events_of(*facts: object) -> list[EventView]:
    return [event_view(n, fact) for n, fact in enumerate(facts, start=1)]  # type: ignore[arg-type]


# All of it, in a pipe


def test_in_a_pipe_all_of_it_is_printed(cli: Cli, finished: str) -> None:
    lines = cli("replay", finished).stdout.splitlines()
    assert "launched sre: be replayed" in lines[0]
    assert lines[1].split() == [
        "status",
        "running",
        "step",
        "0",
        "of",
        "60",
        "after",
        "0.0",
        "s",
        "cost",
        "$0.00",
    ]
    assert any("denied 2.2" in line and "not now" in line for line in lines)
    assert any(line.split()[-3:] == ["2.2", "shell", "denied"] for line in lines)
    assert "status    completed" in lines[-1] or "status    completed" in lines[-4]
    assert "\x1b" not in "".join(lines)


def test_for_programs_each_event_is_a_line_with_the_state_after_it(cli: Cli, finished: str) -> None:
    rows = [json.loads(line) for line in cli("replay", finished, "--json").stdout.splitlines()]
    events = [json.loads(line) for line in cli("log", finished, "--json").stdout.splitlines()]
    assert [row["event"] for row in rows] == events
    assert all(row["after"] for row in rows)
    asked = next(row for row in rows if row["event"]["type"] == "ApprovalRequested")
    assert asked["after"]["waiting_for"] == "human_approval_required"
    assert [call["phase"] for call in asked["after"]["calls"]] == ["awaiting", "awaiting"]
    assert (rows[-1]["after"]["status"], rows[0]["after"]["elapsed_seconds"]) == ("completed", 0)


def test_a_session_log_is_replayed_without_a_flagman(cli: Cli, finished: str) -> None:
    document = cli("log", finished, "--markdown").stdout
    (cli.folder / "SESSION_LOG.md").write_text(document)
    alone = replace(cli, environment={**cli.environment, "FLAGMAN_URL": "http://127.0.0.1:1"})
    replayed = alone("replay", "SESSION_LOG.md").stdout
    assert replayed == cli("replay", finished).stdout
    (cli.folder / "altered.md").write_text(document.replace("not now", "by all means"))
    refused = alone("replay", "altered.md", code=1)
    assert refused.stderr.startswith("altered.md: Changed")
    (cli.folder / "other.md").write_text("# Notes\n")
    assert "no document" in alone("replay", "other.md", code=1).stderr.lower()


def test_a_session_that_is_not_there(cli: Cli) -> None:
    assert "There is no session `none-none`" in cli("replay", "none-none", code=1).stderr


# Step by step, on a terminal


def test_keys_lead_through_it(cli: Cli, finished: str) -> None:
    count = len(cli("log", finished, "--json").stdout.splitlines())
    terminal = Terminal(cli, "replay", finished, columns=80)
    terminal.says("space next   p back   g go to   e end   q quit")
    assert f"1 of {count}" in terminal.seen
    for keys, says in (
        (" ", f"2 of {count}"),
        ("n", f"3 of {count}"),
        ("\x1b[C", f"4 of {count}"),
        ("p", f"3 of {count}"),
        ("e", "── Completed"),
        ("g1", "go to"),
        ("\r", "── SessionLaunched"),
        ("g999\r", f"{count} of {count}"),
    ):
        terminal.raw = ""
        terminal.type(keys)
        terminal.says(says)
        terminal.says("Enter: 1" if keys == "g1" else "q quit")
    frame = terminal.raw.rpartition("\x1b[H")[2]
    lines = CONTROL.sub("", frame).replace("\r", "").splitlines()
    assert max(len(line) for line in lines) <= 80
    terminal.type("q")
    assert terminal.ended() == 0
    # The screen of before is there again, with its cursor.
    assert "\x1b[?1049l" in terminal.raw
    assert "\x1b[?25h" in terminal.raw


def test_ctrl_c_leaves_it_at_once(cli: Cli, finished: str) -> None:
    terminal = Terminal(cli, "replay", finished)
    terminal.says("space next")
    assert terminal.interrupted() == 130
    assert "Traceback" not in terminal.raw


# What a screen holds


@pytest.mark.parametrize(("width", "height"), [(80, 24), (40, 10), (200, 60), (80, 8)])
@pytest.mark.parametrize("kind", list(one_of_each()))
def test_every_event_fits_every_screen(kind: str, width: int, height: int) -> None:
    long = responded(tool_call(arguments={"command": "x" * 5000}), text="words " * 500)
    found = list(frames("p0-test", events_of(launched(task="y" * 3000), long, one_of_each()[kind])))
    for at in range(3):
        lines = screen("z" * 300, found, at, None, Size(width, height))
        assert len(lines) <= height
        assert all(line.cell_len <= width for line in lines)
    if height > 8:
        assert len(lines) == height


def test_sub_agents_and_calls_are_shown_after_each_event() -> None:
    plan = plan_call(*(subtask(f"part-{n}") for n in range(9)))
    (_, frame) = frames("p0-test", events_of(launched(), responded(plan)))
    assert len(frame.children) == 9
    shown = "\n".join(line.plain for line in screen("x", [frame], 0, None, Size(80, 40)))
    assert "1.1 plan_tasks open" in shown
    assert "· part-0 waiting" in shown
    assert "and 3 more" in shown


def test_what_this_flagman_does_not_know_stops_nothing() -> None:
    unknown = EventView(version=2, type="Teleported", at=AT, by="x")
    first, second, third = frames(
        "p0-test", [*events_of(launched()), unknown, *events_of(one_of_each()["Cancelled"])]
    )
    assert second.session is None
    assert second.row()["after"] is None
    shown = "\n".join(line.plain for line in screen("x", [first, second, third], 1, None, Size(80, 24)))
    assert "does not know" in shown
    assert third.session
    assert third.session.status == "cancelled"


def test_going_to_a_number() -> None:
    for typed, leads in (
        (["g", "4", keyboard.ENTER], 3),
        (["g", "0", keyboard.ENTER], 0),
        (["g", keyboard.ENTER], 7),
    ):
        at: int | None = 7
        asked: str | None = None
        for key in typed:
            assert at is not None
            at, asked = move(at, asked, keyboard.GO if key == "g" else key, 10)
        assert (at, asked) == (leads, None)
    assert move(7, "12", keyboard.ERASE, 10) == (7, "1")
    assert move(7, "12", keyboard.ESCAPE, 10) == (7, None)
    assert move(7, "12", "x", 10) == (7, "12")
    assert move(0, None, keyboard.BACK, 10) == (0, None)
    assert move(9, None, keyboard.NEXT, 10) == (9, None)
    assert move(5, None, keyboard.QUIT, 10) == (None, None)


@pytest.mark.parametrize(
    ("given", "shown"), [("1s", "1.0 s"), ("65s", "1 min 5 s"), ("3h", "3 h"), ("51h", "2 d 3 h")]
)
def test_times_are_told_in_two_units(given: str, shown: str) -> None:
    assert span(parse_duration(given)) == shown
