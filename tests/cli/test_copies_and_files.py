"""Copies, files, and going on when a budget is used up, on the command line."""

from __future__ import annotations

import json

from tests.cli.served import Cli, Served, until
from tests.cli.terminal import Terminal


def written(cli: Cli, task: str) -> str:
    """A session that has written its report."""
    session_id = cli.launched(task)
    cli("approve", session_id, "--yes")
    until(lambda: cli.json("show", session_id)["status"] == "completed")
    return session_id


def test_a_copy_goes_on_from_a_step(cli: Cli) -> None:
    session_id = written(cli, "be copied")
    copy = cli("fork", session_id, "--at", "1", "--message", "be brief").stdout.strip()
    until(lambda: cli.json("show", copy)["waiting_for"] == "human_approval_required")
    shown = cli.json("show", copy)
    assert shown["forked_from"] == {"id": session_id, "step": 1, "missing": []}
    assert f"copy of   {session_id}, up to step 1" in cli("show", copy).stdout
    assert "choose from 0 to" in cli("fork", session_id, "--at", "99", code=1).stderr
    assert cli("fork", session_id, "--at", "-1", code=2).stderr
    assert "There is no session" in cli("fork", "none-none", code=1).stderr
    first = cli.json("fork", session_id, "--at", "0", "--idempotency-key", "k")
    assert cli.json("fork", session_id, "--at", "0", "--idempotency-key", "k")["id"] == first["id"]
    waited = cli("fork", session_id, "--at", "0", "--wait", "--until", "person", code=3)
    assert "waiting for an approval" in waited.stderr


def test_files_are_listed_read_and_saved(cli: Cli) -> None:
    session_id = written(cli, "write a file")
    (file,) = cli.json("files", session_id)
    assert file["path"] == "report.md"
    assert cli("files", session_id).stdout == f"report.md\t{file['size']}\n"
    content = cli("files", session_id, "report.md").stdout
    assert content.startswith("# Report")
    assert len(content.encode()) == file["size"]
    assert "report.md is in saved.md" in cli("files", session_id, "report.md", "-o", "saved.md").stdout
    assert (cli.folder / "saved.md").read_text() == content
    (cli.folder / "folder").mkdir(exist_ok=True)
    cli("files", session_id, "report.md", "--output", "folder")
    assert (cli.folder / "folder" / "report.md").read_text() == content
    assert cli("files", session_id, "report.md", "-o", "-").stdout == content
    assert "no file `none`" in cli("files", session_id, "none", code=1).stderr
    assert "cannot be written" in cli("files", session_id, "report.md", "-o", "no/where", code=1).stderr
    assert "say which file" in cli("files", session_id, "-o", "x", code=2).stderr
    assert cli.json("files", cli.launched("write nothing")) == []


def test_nothing_in_a_file_steers_the_terminal(cli: Cli) -> None:
    session_id = cli.launched("write something bad")
    bad = {"path": "bad.txt", "content": "\x1b[2J\u202eevil"}
    cli("approve", session_id, "2.1", "--yes", "--arguments", json.dumps(bad))
    until(lambda: cli.json("show", session_id)["artifacts"])
    terminal = Terminal(cli, "files", session_id, "bad.txt")
    assert terminal.ended() == 0
    assert "\x1b[2J" not in terminal.raw
    assert "\\u001b[2J" in terminal.seen
    assert cli("files", session_id, "bad.txt").stdout == bad["content"]


def stopped(cli: Cli, persona: str) -> tuple[str, str]:
    done = cli("launch", persona, "look and report", "--wait", "--until", "person", code=3)
    return done.stderr.split()[0], done.stderr


def test_a_budget_that_is_used_up_says_how_to_go_on(staffed: Served) -> None:
    session_id, said = stopped(staffed.cli, "steps")
    assert "paused: budget limit reached" in said
    assert f"flagman resume {session_id}   gives it as much again" in said
    shown = staffed.cli("show", session_id).stdout
    assert "1 of 1 steps" in shown
    assert staffed.cli.json("resume", session_id)["budget"]["steps"]["limit"] == 2


def test_a_full_context_is_summed_up(staffed: Served) -> None:
    session_id, said = stopped(staffed.cli, "context")
    assert "paused: context limit reached" in said
    assert f"flagman resume {session_id} --compact   sums up" in said
    assert f"flagman resume {session_id}   raises the limit" in said
    assert "of 10 of context" in staffed.cli("show", session_id).stdout
    staffed.cli("resume", session_id, "--compact")
    until(lambda: "summed up the steps" in staffed.cli("log", session_id).stdout)
