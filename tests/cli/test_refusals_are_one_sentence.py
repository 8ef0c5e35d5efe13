"""What cannot be done is said in one sentence on standard error, with a code, and never with a traceback."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.served import SCRIPT, Cli, environment


def sentence(cli: Cli, *words: str, code: int = 1, **more: str) -> str:
    done = cli(*words, code=code, **more)
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    return done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("show", "nope-nope"), "There is no session `nope-nope`. `flagman list`"),
        (("launch", "nobody", "do it"), "There is no persona `nobody`. Choose one of: backend-architect"),
        (("launch", "sre", " "), "task"),
        (("schedule", "run", "nope"), "There is no schedule `nope`."),
        (("schedule", "add", "every day", "sre", "x"), "is no cron expression"),
        (("schedule", "add", "0 9 * * MON tail", "sre", "x"), "is no cron expression"),
        (("schedule", "add", "0 0 31 2 *", "sre", "x"), "“0 0 31 2 *” never comes"),
        (("keys", "revoke", "nope"), "There is no key `nope`."),
        (("tail", "../../etc"), "There is no session"),
        (("list", "--status", "asleep"), "status"),
    ],
)
def test_what_is_not_there(cli: Cli, words: tuple[str, ...], said: str) -> None:
    assert said in sentence(cli, *words)


def test_a_wrong_condition_names_the_accepted_forms(cli: Cli) -> None:
    session_id = cli.launched("never paused")
    said = sentence(cli, "pause", session_id, "--until", "when it rains")
    assert "`webhook: redis_ready`" in said
    assert "never comes" in sentence(cli, "pause", session_id, "--until", "cron: 0 0 31 2 *")


def test_deciding_twice_says_who_decided(cli: Cli) -> None:
    session_id = cli.launched("decide twice")
    cli("approve", session_id, "2.2", "--yes")
    assert "already approved by" in sentence(cli, "deny", session_id, "2.2", "--yes")


def test_without_a_terminal_it_wants_to_be_told_yes(cli: Cli) -> None:
    session_id = cli.launched("not without yes")
    assert "--yes" in sentence(cli, "approve", session_id)


def test_data_that_is_no_json(cli: Cli) -> None:
    assert "no JSON" in sentence(cli, "event", "x", "--data", "{", code=2)


def test_a_flagman_that_is_not_there(tmp_path: Path) -> None:
    cli = Cli(tmp_path, environment(FLAGMAN_URL="http://127.0.0.1:1"))
    said = sentence(cli, "list")
    assert "No Flagman answers at http://127.0.0.1:1 (connection refused)" in said
    assert "flagman serve" in said


def test_a_missing_or_wrong_key(cli: Cli, tmp_path: Path) -> None:
    url = cli.json("doctor")[-1]["found"].split(",")[0]
    elsewhere = Cli(tmp_path, environment(FLAGMAN_URL=url))
    assert "FLAGMAN_API_KEY" in sentence(elsewhere, "list")
    assert "not known here" in sentence(elsewhere, "list", FLAGMAN_API_KEY="fm_1_wrong")


def test_a_bad_value_in_the_environment_stops_serve_with_2(tmp_path: Path) -> None:
    cli = Cli(tmp_path)
    assert sentence(cli, "serve", code=2, PORT="x").startswith("Flagman cannot start: PORT: ")
    assert "PORT" in sentence(cli, "list", PORT="x")
    assert "two numbers with a dot" in sentence(cli, "serve", code=2, SLACK_CLIENT_ID="1")


def test_something_else_at_the_address(tmp_path: Path, cli: Cli) -> None:
    url = cli.json("doctor")[-1]["found"].split(",")[0]
    elsewhere = Cli(tmp_path, environment(FLAGMAN_URL=f"{url}/playground"))
    assert "no answer of Flagman" in sentence(elsewhere, "list")


def test_the_script_is_installed() -> None:
    assert Path(SCRIPT).exists()
