"""On a terminal: a person sees all of a call before deciding, and nothing in it steers the terminal."""

from __future__ import annotations

import re

from tests.cli.served import Cli
from tests.cli.terminal import Terminal


def test_a_call_is_shown_in_full_and_no_is_the_default(cli: Cli) -> None:
    task = "a \u202etask that is long: " + "x" * 300
    session_id = cli.launched(task)
    terminal = Terminal(cli, "approve", session_id, "2.1")
    terminal.says("Approve this call? [y/N]")
    call = next(c for c in cli.json("show", session_id)["calls"] if c["call_id"] == "2.1")
    shown = terminal.seen
    assert call["digest"] in shown
    flat = "".join(line.strip("│┊ ") for line in shown.splitlines())
    assert "x" * 300 in flat
    assert "\u202e" not in terminal.raw
    terminal.type("\n")
    assert terminal.ended() == 1
    assert cli.json("show", session_id)["waiting_for"] == "human_approval_required"


def test_yes_lets_it_run(cli: Cli) -> None:
    session_id = cli.launched("say yes")
    terminal = Terminal(cli, "approve", session_id)
    terminal.says("Approve these 2 calls? [y/N]")
    terminal.type("y\n")
    assert terminal.ended() == 0
    assert "✓ Approved 2.1, 2.2" in terminal.seen


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
    assert f"{session_id}\tpaused\tsre\tbe listed\t" in piped
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
    terminal.type("\x03")
    assert terminal.ended() == 130
    assert "Traceback" not in terminal.seen
