"""`flagman verify` and `flagman restore`: what a file is worth, and a session back from it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from bot.cli.client import UNVERIFIED
from tests.cli.served import Cli, Served, until
from tests.session_log.written import KEY, OLD_KEY

GOLDEN = Path(__file__).parents[1] / "session_log" / "golden"


@pytest.fixture
def folder(tmp_path: Path) -> Cli:
    """A place without any key, with the golden documents."""
    for path in GOLDEN.iterdir():
        shutil.copy(path, tmp_path)
    return Cli(tmp_path)


def signature_in(path: Path) -> str:
    return next(line for line in path.read_text().splitlines() if line.startswith("signature: "))


def changed(folder: Cli, name: str, old: str, new: str) -> None:
    path = folder.folder / name
    path.write_text(path.read_text().replace(old, new, 1))


def test_a_file_is_verified_without_any_flagman(folder: Cli) -> None:
    said = folder("verify", "release.md", "plan.md", FLAGMAN_SECRET_KEY=f"{OLD_KEY},{KEY}").stdout
    assert said.count("the signature is good") == 2
    assert "session ab12-cd34, 42 events" in said
    assert not (folder.folder / ".flagman").exists(), "no key is made"


def test_without_a_key_nothing_is_called_verified(folder: Cli) -> None:
    done = folder("verify", "copy.md", code=UNVERIFIED)
    assert "copy.md: not verified: there is no key to check its signature with" in done.stderr
    assert not done.stdout
    (row,) = json.loads(folder("verify", "copy.md", "--json", code=UNVERIFIED).stdout)
    assert (row["intact"], row["signed"], row["signature"]) == (True, False, "not checked")
    (folder.folder / ".flagman").mkdir()
    (folder.folder / ".flagman" / "secret_key").write_text(KEY)
    assert "the signature is good" in folder("verify", "copy.md").stdout


@pytest.mark.parametrize("key", ["", KEY])
def test_a_file_without_a_signature_is_not_verified_by_any_key(folder: Cli, key: str) -> None:
    changed(folder, "copy.md", signature_in(folder.folder / "copy.md"), "signature: none")
    done = folder("verify", "copy.md", code=UNVERIFIED, FLAGMAN_SECRET_KEY=key)
    assert "copy.md: not verified: it carries no signature" in done.stderr
    assert "good" not in done.stdout + done.stderr


def test_a_key_file_holds_the_keys(folder: Cli) -> None:
    keys = folder.folder / "keys"
    keys.write_text(f"another-key-0123456789abcdef, {KEY}\n")
    other = "another-key-0123456789abcdef"
    done = folder("verify", "copy.md", "--key-file", str(keys), FLAGMAN_SECRET_KEY=other)
    assert "the signature is good" in done.stdout
    keys.write_text(" \n")
    assert "holds no key" in folder("verify", "copy.md", "--key-file", str(keys), code=1).stderr
    refused = folder("verify", "copy.md", "--key-file", "nowhere", code=1, FLAGMAN_SECRET_KEY=KEY)
    assert "--key-file: nowhere cannot be read" in refused.stderr


def test_a_changed_file_weighs_more_than_one_not_verified(folder: Cli) -> None:
    changed(folder, "plan.md", "# SESSION_LOG", "# Session log")
    done = folder("verify", "copy.md", "plan.md", code=1)
    assert "not verified" in done.stderr
    assert "Changed text" in done.stderr


def test_a_changed_file_is_told_by_line_and_kind(folder: Cli) -> None:
    changed(folder, "release.md", "Never skip it.", "Skip it.")
    changed(folder, "plan.md", '"type":"Completed"', '"type":"Failed"')
    done = folder("verify", "release.md", "copy.md", code=1, FLAGMAN_SECRET_KEY=KEY)
    assert "✗ release.md: Changed text: line " in done.stderr
    assert "Skip it." in done.stderr
    assert "✓ copy.md" in done.stdout
    another = folder("verify", "copy.md", code=1, FLAGMAN_SECRET_KEY="another-key-0123456789abcdef")
    assert "signed with another FLAGMAN_SECRET_KEY" in another.stderr
    assert "It cannot be read" in folder("verify", "nowhere.md", code=1).stderr


def test_programs_get_json(folder: Cli) -> None:
    changed(folder, "plan.md", "# SESSION_LOG", "# Session log")
    done = folder("verify", "release.md", "plan.md", "--json", code=1, FLAGMAN_SECRET_KEY=KEY)
    good, bad = json.loads(done.stdout)
    assert (good["intact"], good["session"], good["events"], good["signed"]) == (True, "ab12-cd34", 42, True)
    assert (bad["intact"], bad["kind"]) == (False, "changed text")
    assert bad["line"] > 1


def test_what_a_running_flagman_writes_verifies_beside_it(flagman: Served, cli: Cli) -> None:
    session_id = cli.launched("look at the log")
    path = flagman.folder / ".flagman" / "logs" / f"{session_id}.md"
    until(path.exists)
    until(lambda: "waiting_for: human_approval_required" in path.read_text())
    assert "the signature is good" in cli("verify", str(path)).stdout
    cli("approve", session_id, "--yes")
    until(lambda: "\nstatus: completed\n" in path.read_text())
    assert cli("log", session_id, "--markdown").stdout == path.read_text()


def test_what_is_here_is_not_restored(flagman: Served, cli: Cli) -> None:
    session_id = cli.launched("stay here")
    path = flagman.folder / "stays.md"
    path.write_text(cli("log", session_id, "--markdown").stdout)
    refused = cli("restore", str(path), code=1)
    assert f"✗ {path}: Session `{session_id}` is here already" in refused.stderr
    path.write_text("# A shopping list\n")
    (row,) = json.loads(cli("restore", str(path), "--json", code=1).stdout)
    assert (row["restored"], row["code"]) == (False, "session_log_altered")
    assert "It cannot be read" in cli("restore", "nowhere.md", code=1).stderr
    cli("cancel", session_id)


def test_sessions_of_another_house_come_back_and_go_on(flagman: Served, cli: Cli, tmp_path: Path) -> None:
    """The data folder is gone; only the logs and the key were kept."""
    from tests.cli.served import served

    kept = tmp_path / "kept"
    with served(tmp_path) as first:
        session_id = first.cli.launched("come back")
        logs = tmp_path / ".flagman" / "logs"
        path = logs / f"{session_id}.md"
        until(path.exists)
        until(lambda: "waiting_for: human_approval_required" in path.read_text())
    shutil.copytree(logs, kept)
    key = (tmp_path / ".flagman" / "secret_key").read_text()
    shutil.rmtree(tmp_path / ".flagman")
    with served(tmp_path, FLAGMAN_SECRET_KEY=key) as second:
        again = second.cli
        again("show", session_id, code=1)
        back = again("restore", str(kept / path.name)).stdout
        assert f"✓ {kept / path.name}: session {session_id} is back, paused." in back
        assert again.json("show", session_id)["waiting_for"] == "human_approval_required"
        again("approve", session_id, "--yes")
        until(lambda: again.json("show", session_id)["status"] == "completed")
