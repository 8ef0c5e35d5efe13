"""A call is changed before it is approved: in the person's editor, or by a script."""

from __future__ import annotations

import json

from tests.cli.served import Cli, until
from tests.cli.terminal import Terminal


def arguments_of(cli: Cli, session_id: str, call_id: str) -> dict[str, object]:
    """What a call was run with."""
    events = [json.loads(line) for line in cli("log", session_id, "--json").stdout.splitlines()]
    edits = [e["data"]["call"] for e in events if e["type"] == "CallEdited"]
    (found,) = [call["arguments"] for call in edits if call["call_id"] == call_id]
    return dict(found)


def test_a_script_gives_other_arguments(cli: Cli) -> None:
    session_id = cli.launched("change by script")
    done = cli("approve", session_id, "2.2", "--yes", "--arguments", '{"command": "echo mine"}')
    assert "2.2 shell  waiting for an approval" in done.stdout, "it is shown before it is approved"
    assert done.stdout.endswith(f"Approved 2.2 of {session_id} as changed.\n")
    piped = cli(
        "approve", session_id, "--yes", "--arguments", "-", "--json", given='{"path": "a.md", "content": "x"}'
    )
    assert json.loads(piped.stdout)["id"] == session_id
    until(lambda: cli.json("show", session_id)["status"] == "completed")
    assert arguments_of(cli, session_id, "2.2")["command"] == "echo mine"
    assert cli("files", session_id, "a.md").stdout == "x"


def test_what_cannot_be_changed_is_told_why(cli: Cli) -> None:
    session_id = cli.launched("refuse to change")

    def refused(*words: str, code: int) -> str:
        return " ".join(cli("approve", session_id, *words, code=code).stderr.split())

    assert "2 wait here; name one" in refused("--yes", "--arguments", '{"command": "x"}', code=2)
    assert "This is no JSON" in refused("2.2", "--yes", "--arguments", "{", code=2)
    assert "must be a JSON object" in refused("2.2", "--yes", "--arguments", "[]", code=2)
    assert "`order`" in refused("2.2", "--yes", "--arguments", '{"order": "x"}', code=1)
    assert "--yes" in refused("2.2", "--arguments", '{"command": "x"}', code=1)
    assert "given already" in refused("2.2", "--edit", "--arguments", "{}", code=2)
    assert "No call 9.9 of" in refused("9.9", "--yes", "--arguments", "{}", code=2)
    assert [call["phase"] for call in cli.json("show", session_id)["calls"]] == ["awaiting", "awaiting"]


def test_an_editor_opens_and_the_difference_is_shown(cli: Cli) -> None:
    session_id = cli.launched("change the disk by hand")
    terminal = Terminal(cli, "approve", session_id, "2.2", "--edit", EDITOR="sed -i s/df.-h/df/")
    terminal.says("Approve it like this? [y/N]")
    assert '-command: "df -h . && du -sh ."' in terminal.seen
    assert '+command: "df . && du -sh ."' in terminal.seen
    assert "\x1b[32m" in terminal.raw
    terminal.type("y\n")
    assert terminal.ended() == 0
    assert f"Approved 2.2 of {session_id} as changed." in terminal.seen
    assert arguments_of(cli, session_id, "2.2")["command"] == "df . && du -sh ."


def test_no_is_the_default_and_changes_nothing(cli: Cli) -> None:
    session_id = cli.launched("say no to the disk")
    terminal = Terminal(cli, "approve", session_id, "2.2", "-e", EDITOR="sed -i s/df/ls/")
    terminal.says("Approve it like this? [y/N]")
    terminal.type("\n")
    assert terminal.ended() == 1
    for editor, says in (
        ("true", "Nothing was changed, and nothing is decided."),
        ("no-such-editor", "set $EDITOR"),
        ("false", "set $EDITOR"),
    ):
        terminal = Terminal(cli, "approve", session_id, "2.2", "-e", EDITOR=editor)
        assert terminal.ended() == 1
        assert says in " ".join(terminal.seen.split())
    call = next(c for c in cli.json("show", session_id)["calls"] if c["call_id"] == "2.2")
    assert (call["phase"], call["arguments"]["command"]) == ("awaiting", "df -h . && du -sh .")


def test_a_slip_in_the_editor_can_be_mended(cli: Cli) -> None:
    session_id = cli.launched("mend a slip on the disk")
    # The first time it breaks the JSON, the second time it mends it.
    script = "sh -c 'grep -q broken $0 && sed -i s/broken// $0 || sed -i \"1s/{/{broken/;s/df/ls/\" $0'"
    terminal = Terminal(cli, "approve", session_id, "2.2", "-e", EDITOR=script)
    terminal.says("Edit it again? [Y/n]")
    assert "This is no JSON" in terminal.seen
    terminal.type("\n")
    terminal.says("Approve it like this? [y/N]")
    terminal.type("y\n")
    assert terminal.ended() == 0


def test_ctrl_c_at_the_question_decides_nothing(cli: Cli) -> None:
    session_id = cli.launched("be interrupted")
    terminal = Terminal(cli, "approve", session_id)
    terminal.says("skip [skip]?")
    assert terminal.interrupted() == 1
    assert cli.json("show", session_id)["waiting_for"] == "human_approval_required"
