"""A coordinator on the command line: plans, their trees, approvals of sub-agents, and waiting for a person."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.served import Cli, Served, until
from tests.cli.terminal import Terminal

PLAN = """
subtasks:
  - {id: look, persona: sre, task: report on the disk}
  - id: report
    persona: release-manager
    task: report what was found
    depends_on: [look]
on_failure: ask
"""


@pytest.fixture
def plan(cli: Cli) -> str:
    (cli.folder / "plan.yaml").write_text(PLAN)
    return "plan.yaml"


def needing(cli: Cli, session_id: str) -> list[dict[str, Any]]:
    """What waits for a person, once something does."""
    found: list[dict[str, Any]] = []

    def look() -> bool:
        found[:] = cli.json("show", session_id)["needs"]
        return bool(found)

    until(look)
    return found


def begun(cli: Cli, plan: str, task: str) -> str:
    """A session that carries out the plan, whose first sub-agent waits for an approval."""
    session_id = cli("launch", "--plan", plan, task).stdout.strip()
    needing(cli, session_id)
    cli("approve", session_id, "--yes")
    until_named(cli, session_id, "look")
    return session_id


def until_named(cli: Cli, session_id: str, name: str) -> None:
    """Until this sub-agent needs a person."""
    until(lambda: any(need["name"] == name for need in cli.json("show", session_id)["needs"]))


def test_coordinate_needs_no_persona(cli: Cli) -> None:
    session_id = cli("launch", "--coordinate", "tidy up").stdout.strip()
    (need,) = needing(cli, session_id)
    assert (need["session_id"], need["waiting_for"]) == (session_id, "human_approval_required")
    shown = cli.json("show", session_id)
    assert (shown["persona"], shown["calls"][0]["tool"]) == ("project-coordinator", "plan_tasks")
    named = cli.json("launch", "project-coordinator", "tidy up", "--coordinate")
    assert named["task"] == "tidy up"


def test_a_plan_comes_from_yaml_json_or_a_pipe(cli: Cli, plan: str) -> None:
    wanted = cli.json("launch", "--plan", plan, "how is the disk")
    (cli.folder / "plan.json").write_text(
        json.dumps({"subtasks": [{"id": "a", "persona": "sre", "task": "x"}]})
    )
    for words in (("--plan", "plan.json", "x"), ("project-coordinator", "x", "--plan", "plan.json")):
        assert cli.json("launch", *words)["persona"] == "project-coordinator"
    piped = cli("launch", "--plan", "-", "how is the disk", "--json", given=PLAN)
    assert json.loads(piped.stdout)["persona"] == wanted["persona"]


@pytest.mark.parametrize(
    ("words", "given", "code", "says"),
    [
        (("--plan", "none.yaml", "x"), None, 2, "none.yaml cannot be read (No such file"),
        (("--plan", "-", "x"), "subtasks: [", 2, "neither YAML nor JSON at line 1"),
        (("--plan", "-", "x"), "- a", 2, "--plan: the plan: "),
        (("--plan", "-", "x"), "subtasks: []", 2, "--plan: subtasks: "),
        (
            ("--plan", "-", "x"),
            "subtasks: [{id: A B, persona: sre, task: x}]",
            2,
            "--plan: id (subtasks 1): ",
        ),
        (("--plan", "-", "x"), "subtasks: [{id: a, persona: nobody, task: x}]", 1, "may not launch `nobody`"),
        (("--plan", "-", "-"), "", 2, "standard input"),
        (("sre",), None, 2, "TASK"),
        (("sre", "x", "--coordinate"), None, 1, "`sre` has no sub-agents"),
    ],
)
def test_a_plan_that_cannot_be_used_is_one_sentence(
    cli: Cli, words: tuple[str, ...], given: str | None, code: int, says: str
) -> None:
    done = cli("launch", *words, given=given, code=code)
    assert says in done.stderr.replace("\n", " ")
    assert (done.stdout, len(done.stderr.splitlines())) == ("", 1)


def test_waiting_stops_when_a_sub_agent_needs_a_person(staffed: Served) -> None:
    cli = staffed.cli
    plan = '{"subtasks": [{"id": "look", "persona": "worker", "task": "report on the disk"}]}'
    (cli.folder / "plan.json").write_text(plan)
    done = cli("launch", "lead", "stop for it", "--plan", "plan.json", "--wait", "--until", "person", code=3)
    session_id = done.stderr.split()[0]
    assert done.stdout == ""
    assert "waiting for its sub-agents: look waiting for an approval" in done.stderr
    assert f"flagman approve {session_id}" in done.stderr
    state = cli("launch", "lead", "x", "--plan", "plan.json", "--wait", "--until", "person", "--json", code=3)
    (need,) = json.loads(state.stdout)["needs"]
    assert (need["name"], need["persona"]) == ("look", "worker")


def test_progress_of_sub_agents_goes_by_and_all_is_approved_at_the_parent(cli: Cli, plan: str) -> None:
    waiting = cli.start("launch", "--plan", plan, "go all the way", "--wait")
    found: list[str] = []

    def there() -> bool:
        rows = cli.json("list", "--status", "paused", "--persona", "project-coordinator")
        found[:] = [row["id"] for row in rows if row["task"] == "go all the way"]
        return bool(found)

    until(there)
    (session_id,) = found
    cli("approve", session_id, "--yes")
    for name in ("look", "report"):
        until_named(cli, session_id, name)
        (need,) = cli.json("show", session_id)["needs"]
        assert f"Approved 2.1, 2.2 of {need['session_id']}." in cli("approve", session_id, "--yes").stdout
    out, err = waiting.communicate(timeout=60)
    assert waiting.returncode == 0
    assert "2 of 2 subtasks completed" in out
    for line in (
        "look  said: ",
        "look  asked to approve 2.1, 2.2",
        "report  finished 2.1",
        "look  completed: ",
    ):
        assert line in err
    assert f"→ flagman approve {need['session_id']}" in err
    tree = cli("show", session_id).stdout
    assert "plan      2 of 2 completed" in tree
    assert "├─ ✓ look sre  completed" in tree
    assert "└─ ✓ report release-manager  completed" in tree
    listed = cli.json("list", "--parent", session_id)
    assert {row["persona"] for row in listed} == {"sre", "release-manager"}


def test_a_person_sees_each_call_under_the_session_it_belongs_to(cli: Cli, plan: str) -> None:
    session_id = begun(cli, plan, "show whose it is")
    (need,) = cli.json("show", session_id)["needs"]
    terminal = Terminal(cli, "approve", session_id)
    terminal.says("1 of 2: ")
    terminal.type("skip\n")
    terminal.says("2 of 2: ")
    head = next(line for line in terminal.seen.splitlines() if need["session_id"] in line)
    assert head == f"{need['session_id']}  look  sre  report on the disk"
    for call in cli.json("show", need["session_id"])["calls"]:
        assert call["digest"] in terminal.seen
    terminal.type("\n")
    assert terminal.ended() == 1
    assert cli.json("show", session_id)["needs"] == [need]


def test_the_plan_is_a_tree_on_a_terminal(cli: Cli, plan: str) -> None:
    session_id = begun(cli, plan, "be a tree")
    terminal = Terminal(cli, "show", session_id, columns=80)
    assert terminal.ended() == 0
    assert "├─ ? look sre  waiting for an approval" in terminal.seen
    assert "└─ · report release-manager  after look" in terminal.seen
    assert "\x1b[33m" in terminal.raw
    assert max(len(line) for line in terminal.seen.splitlines()) <= 80


def test_one_that_failed_is_settled(cli: Cli, plan: str) -> None:
    session_id = begun(cli, plan, "settle it")
    (need,) = cli.json("show", session_id)["needs"]
    cli("cancel", need["session_id"])
    until(lambda: any(n["child_id"] for n in cli.json("show", session_id)["needs"]))
    shown = cli("show", session_id).stdout
    assert "waiting for a decision on a sub-agent that failed" in shown
    assert "? look sre  cancelled: retry, skip or stop?" in shown
    assert f"flagman settle {session_id} look retry|skip|stop" in shown
    refused = cli("settle", session_id, "nobody", "skip", code=1)
    assert "no sub-agent `nobody`; it has `look`" in refused.stderr
    assert "retry, skip or stop" in cli("settle", session_id, "look", "perhaps", code=2).stderr
    assert "--result" in cli("settle", session_id, "look", "skip", "--result", "x", code=2).stderr
    settled = cli.json("settle", session_id, "look", "skip")
    assert settled["id"] == session_id
    until(lambda: cli.json("show", session_id)["status"] == "completed")
    assert "– report release-manager  skipped: it needs look" in cli("show", session_id).stdout
    assert cli("settle", session_id, "look", "skip", code=1).stderr


def test_a_plan_file_may_lie_anywhere(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "my plan.yml"
    file.write_text(PLAN)
    assert cli("launch", "--plan", str(file), "from elsewhere").stdout.strip()
