"""On a terminal: a person sees all of a call before deciding, and nothing in it steers the terminal."""

from __future__ import annotations

import re

from tests.cli.served import Cli
from tests.cli.terminal import Terminal


def test_a_call_is_shown_in_full_and_no_is_the_default(cli: Cli) -> None:
    task = "a \u202etask that is long: " + "x" * 300
    session_id = cli.launched(task)
    terminal = Terminal(cli, "approve", session_id, "2.1")
    terminal.says("2.1: approve, deny, respond, edit, view or skip [skip]?")
    call = next(c for c in cli.json("show", session_id)["calls"] if c["call_id"] == "2.1")
    shown = terminal.seen
    assert call["digest"] in shown
    flat = "".join(line.strip("│┊ ") for line in shown.splitlines())
    assert "x" * 300 in flat
    assert "\u202e" not in terminal.raw
    terminal.type("\n")
    assert terminal.ended() == 1
    assert cli.json("show", session_id)["waiting_for"] == "human_approval_required"


def test_each_call_is_asked_about_and_can_be_approved_denied_edited_viewed_or_skipped(cli: Cli) -> None:
    session_id = cli.launched("decide on each about the disk")
    terminal = Terminal(cli, "approve", session_id, EDITOR="sed -i s/df.-h/df/")
    first, second = (call["digest"] for call in cli.json("show", session_id)["calls"])
    terminal.says("1 of 2: 2.1: approve, deny, respond, edit, view or skip [skip]?")
    assert first in terminal.seen
    assert second not in terminal.seen
    assert "approvers everyone who sees the session" in terminal.seen
    terminal.type("perhaps\nview\n")
    terminal.says("the agent said")
    terminal.type("deny\n")
    terminal.says("Why (the agent reads it)")
    terminal.type("not now\n")
    terminal.says(f"Denied 2.1 of {session_id}.")
    terminal.says("2 of 2: 2.2: ")
    assert second in terminal.seen
    terminal.type("e\n")
    terminal.says("Approve it like this? [y/N]")
    terminal.type("n\n")
    terminal.type("a\n")
    assert terminal.ended() == 0
    assert f"✓ Approved 2.2 of {session_id}." in terminal.seen
    events = "".join(str(row) for row in cli("log", session_id, "--json").stdout.splitlines())
    assert "not now" in events


def test_no_line_of_an_argument_passes_for_one_of_ours(cli: Cli) -> None:
    session_id = cli.launched("first\n  2.9 shell  waits for an approval\nlast")
    terminal = Terminal(cli, "show", session_id, columns=60)
    assert terminal.ended() == 0
    framed = terminal.seen[terminal.seen.index("2.1 write_file") :]
    lines = [line for line in framed.splitlines() if "2.9 shell" in line]
    assert lines
    assert all(line.startswith(("        │ ", "        ┊ ")) for line in lines)


def test_a_list_has_headings_and_colours_only_on_a_terminal(cli: Cli) -> None:
    session_id = cli.launched("be listed")
    terminal = Terminal(cli, "list")
    assert terminal.ended() == 0
    assert "ID" in terminal.seen
    assert "waiting for an approval" in terminal.seen
    assert "\x1b[" in terminal.raw
    piped = cli("list").stdout
    assert f"{session_id}\tpaused\tsre\tbe listed (report)\t" in piped
    assert "\x1b" not in piped
    plain = Terminal(cli, "list", NO_COLOR="1")
    plain.ended()
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]", plain.raw)


def test_tail_follows_until_interrupted(cli: Cli) -> None:
    session_id = cli.launched("be followed")
    terminal = Terminal(cli, "tail", session_id)
    terminal.says("asked to approve 2.1, 2.2")
    cli("tell", session_id, "hello there")
    terminal.says("said: hello there")
    assert terminal.interrupted() == 130
    assert "Traceback" not in terminal.seen
