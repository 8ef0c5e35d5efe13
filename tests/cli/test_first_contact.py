"""What a newcomer meets: where Flagman is found, what a shell completes, and what is wrong before anybody approves."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.served import Cli, Served, environment, served, until
from tests.cli.terminal import Terminal

# However slow this machine is just now.
PATIENT = """
import sys
from bot.cli import completion, main
completion.SECONDS = 60
sys.argv = ["flagman"]
main()
"""
EVIL = 'list $(touch ran) `touch ran` \\$(touch ran) "it\'s"; touch ran'


def refusal(cli: Cli, *words: str, code: int = 1, **more: str) -> str:
    """The one sentence on standard error, without line breaks."""
    return " ".join(cli(*words, code=code, **more).stderr.split())


def test_another_folder_is_told_where_was_looked_and_how_to_point(flagman: Served, tmp_path: Path) -> None:
    port = flagman.url.rpartition(":")[2]
    cli = Cli(tmp_path, environment(PORT="1"))
    said = refusal(cli, "list")
    assert said.startswith("No Flagman answers at http://127.0.0.1:1 ")
    for words in (
        f"in {tmp_path}/.flagman.",
        "`flagman serve`",
        "FLAGMAN_DATA",
        "FLAGMAN_URL",
        "FLAGMAN_API_KEY",
    ):
        assert words in said
    said = refusal(cli, "list", PORT=port)
    assert f"there is none in {tmp_path}/.flagman/cli.key, and FLAGMAN_API_KEY is not set" in said
    assert "FLAGMAN_DATA" in said
    assert json.loads(cli("list", "--json", FLAGMAN_DATA=str(flagman.folder / ".flagman")).stdout) is not None
    (tmp_path / ".flagman").mkdir()
    (tmp_path / ".flagman" / "cli.key").write_text('{"url": "http://127.0.0.1:1", "key": "fm_1_x"}')
    assert f"The Flagman that wrote {tmp_path}/.flagman/cli.key has ended" in refusal(cli, "list")
    said = refusal(cli, "list", FLAGMAN_URL=flagman.url)
    assert f"the key in {tmp_path}/.flagman/cli.key is for http://127.0.0.1:1" in said


def test_doctor_makes_nothing_and_a_wrong_address_of_clients_stops_no_server(tmp_path: Path) -> None:
    with served(
        tmp_path, FLAGMAN_URL="nonsense", FLAGMAN_USER="U0ADA0001", FLAGMAN_ADMINS="U0KEN0001"
    ) as flagman:
        rows = {row["what"]: row for row in json.loads(flagman.cli("doctor", "--json", code=None).stdout)}
        assert rows["Store"]["state"] == "note"
        assert "This key lacks the scope `admin`" in rows["Store"]["found"]
        session_id = flagman.cli.launched()
        assert "for U0ADA0001" in flagman.cli("show", session_id).stdout
        said = flagman.cli("notify", "dm", "--quiet", "22:00-07:00").stdout
        assert said == "You are told by direct messages alone, but not from 22:00 to 07:00.\n"
        assert "in the thread" in flagman.cli("notify", "thread").stdout
        assert "say `thread`, `dm` or `both`" in refusal(flagman.cli, "notify", "pigeon", code=2)


def test_a_person_whom_slack_does_not_know_is_told(tmp_path: Path) -> None:
    with served(tmp_path, FLAGMAN_USER="U0NOBODY1") as flagman:
        assert "FLAGMAN_USER: Slack knows no active account U0NOBODY1" in flagman.process.output
        rows = {row["what"]: row for row in json.loads(flagman.cli("doctor", "--json", code=1).stdout)}
        assert "FLAGMAN_USER" in rows["Running Flagman"]["mend"]
        assert rows["Store"]["state"] == "note"


def offered(cli: Cli, line: str) -> str:
    variables = {"_FLAGMAN_COMPLETE": "complete_zsh", "_TYPER_COMPLETE_ARGS": line}
    done = subprocess.run(
        [sys.executable, "-c", PATIENT],
        cwd=cli.folder,
        env={**cli.environment, "PYTHONPATH": str(Path(__file__).parents[2]), **variables},
        capture_output=True,
        text=True,
    )
    assert done.stderr == ""
    return done.stdout


def test_a_shell_completes_sessions_personas_and_calls(cli: Cli, tmp_path: Path) -> None:
    session_id = cli.launched(EVIL)
    assert '"sre":"Investigates' in offered(cli, "flagman launch s")
    sessions = offered(cli, f"flagman approve {session_id[:4]}")
    assert f'"{session_id}":"paused sre list touch ran touch ran' in sessions
    calls = offered(cli, f"flagman deny {session_id} 2.1 ")
    assert '"2.2":"shell' in calls
    assert '"2.1"' not in calls
    assert session_id not in offered(Cli(tmp_path), "flagman show ")
    # The scripts of shells evaluate what is offered.
    for offer in (sessions, calls):
        script = ["bash", "-c", "_arguments() { :; }; eval $1", "-", offer]
        subprocess.run(script, cwd=tmp_path)
    assert not (tmp_path / "ran").exists()


def test_a_key_that_sees_no_others_is_told_so(cli: Cli) -> None:
    session_id = cli.launched("be seen by few")
    key = cli("keys", "create", "approver", "--scope", "read", "--scope", "approve").stdout.strip()
    for one in (session_id, "no-such"):
        said = refusal(cli, "show", one, FLAGMAN_API_KEY=key)
        assert said.startswith(f"There is no session `{one}`. This key sees what it or its owner launched;")
        assert "`read_all`" in said


def test_keys_are_refused_in_plain_words_and_listed_with_their_owners(cli: Cli) -> None:
    assert "small letters" in refusal(cli, "keys", "create", "Bad_Name")
    assert "one scope of: launch" in refusal(cli, "keys", "create", "x", "--scope", "bad")
    assert "the id of a person" in refusal(cli, "keys", "create", "x", "--owner", "bob")
    made = cli.json("keys", "create", "of-ada", "--owner", "U0ADA0001")
    assert f"{made['id']}\tof-ada\tU0ADA0001\tlaunch read\t" in cli("keys", "list").stdout
    terminal = Terminal(cli, "keys", "list")
    assert terminal.ended() == 0
    assert "OWNER" in terminal.seen


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("in", "30m", "look", "at", "it"), "look at it"),
        (("in 30m", "look at it"), "look at it"),
        (("tomorrow", "09:00"), ""),
        (("tomorrow", "at", "09:00,", "call", "her"), "call her"),
        (("09:00", "tomorrow is too late"), "tomorrow is too late"),
    ],
)
def test_a_reminder_takes_words_without_quotes(cli: Cli, words: tuple[str, ...], text: str) -> None:
    session_id = cli.launched("be remembered")
    assert json.loads(cli("remind", session_id, *words, "--json").stdout)["text"] == text
    assert "is no time that can be read" in refusal(cli, "remind", session_id, "some", "day")


def test_words_need_no_quotes(cli: Cli) -> None:
    session_id = cli("launch", "sre", "check", "the", "disk").stdout.strip()
    assert cli.json("show", session_id)["task"] == "check the disk"
    cli("tell", session_id, "be", "quick")
    assert "be quick" in cli("log", session_id).stdout
    assert "say who does what" in refusal(cli, "launch", code=2)
    assert "say what to do" in refusal(cli, "launch", "sre", code=2)


def test_what_will_be_refused_or_is_missing_is_told_before_anybody_approves(tmp_path: Path) -> None:
    front = (
        "name: deployer\ndescription: Deploys.\ntools: [shell]\n"
        "sandbox: {network: true, read: [/srv/none], env: [NONE]}\n"
        "approvals:\n  - tool: shell\n    mode: ask\n    approvers: {groups: [sre], quorum: 2}\n"
    )
    personas = tmp_path / "personas"
    personas.mkdir()
    file = personas / "deployer.md"
    file.write_text(f"---\n{front}---\nDeploy.\n")
    with served(tmp_path, FLAGMAN_PERSONAS="personas") as flagman:
        cli = flagman.cli
        terminal = Terminal(cli, "launch", "deployer", "report on the disk", "--wait", "--until", "person")
        assert terminal.ended() == 3
        told = " ".join(terminal.seen.split())
        missing = (
            "Its commands are refused here: ",
            "read /srv/none, which is not there",
            "NONE, which is not set",
        )
        for words in (*missing, "approvers @sre · 0 of 2 approvals", "sha256 ", "or flagman deny "):
            assert words in told
        (row,) = cli.json("personas")
        (session,) = cli.json("list")
        for words in missing:
            assert words in " ".join(row["notes"])
            assert words in " ".join(session["calls"][0]["notes"])
        listed = Terminal(cli, "list", columns=120)
        assert listed.ended() == 0
        assert "waiting for an approval (0 of 2, @s" in listed.seen
        ada, grace = (
            cli("keys", "create", name, "--scope", "admin", "--owner", owner).stdout.strip()
            for name, owner in (("ada", "U0ADA0001"), ("grace", "U0GRACE01"))
        )
        first = cli("approve", session["id"], "--yes", FLAGMAN_API_KEY=ada).stdout
        assert "Others have yet to approve 1.1 before it runs." in first
        shown = cli("show", session["id"]).stdout
        assert "approvers @sre · 1 of 2 approvals" in shown
        assert "approved so far by ada" in shown
        second = cli("approve", session["id"], "--yes", FLAGMAN_API_KEY=grace).stdout
        assert "Others" not in second
        # The file is changed while Flagman runs.
        file.write_text(f"---\n{front.replace('[sre]', '[nobody-at-all]')}---\nDeploy.\n")
        (personas / "newer.md").write_text("---\nname: newer\n")
        until(lambda: any(row["name"] == "newer.md" for row in cli.json("personas")))
        rows = json.loads(cli("doctor", "--json", code=1).stdout)
        there = "".join(
            row["found"] for row in rows if row["what"] == "Personas there" and row["state"] == "wrong"
        )
        assert "nobody-at-all" in there
        assert "newer.md: There is a mistake in line 1 of newer.md" in there
        assert "names what is not there" in refusal(cli, "launch", "deployer", "do it")
        os.rename(personas / "newer.md", personas / "newer.txt")
        until(lambda: [row["name"] for row in cli.json("personas")] == ["deployer"])
