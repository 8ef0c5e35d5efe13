"""Tools in files and packages: a mistake stops the start with one sentence, and doctor and policy know them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from bot.own_tools import all_tools, own_tools
from bot.settings import Settings
from supervisor.core.errors import InvalidInput
from tests.cli.served import Cli
from tests.support.scenario import write_persona
from tests.tools.own.test_the_example_in_slack import EXAMPLE

HEAD = "from flagman import tool\n\n"
ONE = '@tool\nasync def restart(name: str) -> str:\n    """Restart."""\n    return name\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "tools"
    folder.mkdir()
    return folder


def refusal(folder: Path) -> str:
    with pytest.raises(InvalidInput) as raised:
        own_tools(Settings(tools=folder))
    return str(raised.value)


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("x = (\n", 1, "was never closed"),
        (f"{HEAD}raise OSError('no such host')\n", 3, "OSError: no such host."),
        (f"{HEAD}import sys\nsys.exit()\n", 4, "it ends the process"),
        (f"{HEAD}@tool\nasync def restart(name: str) -> str:\n    return name\n", 3, "needs a docstring"),
        (f'{HEAD}@tool\ndef restart(name: str) -> str:\n    """R."""\n', 3, "must be an async function"),
        (
            f'{HEAD}@tool\nasync def restart(name) -> str:\n    """R."""\n',
            3,
            "`name` of the tool `restart` needs",
        ),
        (HEAD + ONE.replace("restart", "shell"), 3, "the name `shell` is taken by a built-in tool"),
        (HEAD + ONE.replace("restart", "approval"), 3, "the name `approval` is taken"),
        (HEAD + ONE.replace("restart", "acme__go"), 3, "`acme__go` is no name for a tool"),
        (HEAD + ONE.replace("@tool", "@tool(control=True)"), 3, "`control` is for tools of Flagman itself"),
    ],
)
def test_a_mistake_is_named_with_its_file_and_line(folder: Path, text: str, line: int, said: str) -> None:
    (folder / "mine.py").write_text(text)
    problem = refusal(folder)
    assert problem.startswith(f"FLAGMAN_TOOLS: {folder}/mine.py:{line}: "), problem
    assert said in problem
    assert "\n" not in problem


def test_two_files_with_one_name_and_files_without_tools(folder: Path) -> None:
    (folder / "a.py").write_text(HEAD + ONE)
    (folder / "_shared.py").write_text("raise OSError\n")
    assert all_tools(Settings(tools=folder))["restart"].changes, "its calls need an approval"
    other = folder.parent / "other"
    folder.rename(other)
    (other / "b.py").write_text(HEAD + "\n" + ONE)
    problem = refusal(other)
    assert "b.py:4: the name `restart` is taken by that of" in problem
    assert "a.py:3" in problem
    empty = folder.parent / "empty"
    empty.mkdir()
    (empty / "c.py").write_text(HEAD)
    assert "c.py: there is no tool in it" in refusal(empty)
    assert "is no folder" in refusal(folder.parent / "none")


def test_a_package_brings_tools_by_its_entry_point(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = folder.parent / "site"
    info = site / "acme_ops-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "acme_ops.py").write_text(HEAD + ONE + "\n\nTEXT = 'none'\n")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-ops\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[flagman.tools]\nops = acme_ops\n")
    monkeypatch.syspath_prepend(str(site))
    (folder / "a.py").write_text(HEAD + ONE.replace("restart", "reload"))
    found = own_tools(Settings(tools=folder))
    assert {name: one.source for name, one in found.items()} == {
        "reload": f"{folder}/a.py:3",
        "restart": "the package acme-ops",
    }
    (info / "entry_points.txt").write_text("[flagman.tools]\nops = acme_ops:TEXT\n")
    folder = folder.rename(folder.parent / "again")
    assert refusal(folder) == (
        "flagman.tools: ops of the package acme-ops: `acme_ops:TEXT` is no tool, no list of tools and no module "
        "with tools."
    )
    sys.modules.pop("acme_ops")


def test_doctor_and_policy_know_them_and_a_mistake_stops_the_start(tmp_path: Path) -> None:
    rules = [{"tool": "set_flag", "when": {"flag": "banner"}, "mode": "allow"}]
    write_persona(tmp_path / "personas", tools=["*_flag*"], approvals=rules)
    cli = Cli(tmp_path)
    more: dict[str, Any] = {
        "FLAGMAN_TOOLS": str(EXAMPLE.parent),
        "FLAGMAN_PERSONAS": str(tmp_path / "personas"),
    }
    rows = {row["what"]: row for row in json.loads(cli("doctor", "--json", **more).stdout)}
    assert f"set_flag (changes), {EXAMPLE}:" in rows["Own tools"]["found"]
    asked = cli("policy", "test", "ops", "set_flag", '{"flag": "cart", "on": true}', **more).stdout
    assert asked.startswith("ask: no rule")
    assert cli("policy", "test", "ops", "list_flags", **more).stdout.startswith("allow: no rule")
    bad = tmp_path / "bad"
    bad.mkdir()
    (bad / "mine.py").write_text("x = (\n")
    done = cli("serve", code=2, **{**more, "FLAGMAN_TOOLS": str(bad)})
    assert f"FLAGMAN_TOOLS: {bad}/mine.py:1: '(' was never closed." in done.stderr
    (row,) = [
        row
        for row in json.loads(cli("doctor", "--json", code=1, **{**more, "FLAGMAN_TOOLS": str(bad)}).stdout)
        if row["what"] == "Own tools"
    ]
    assert row["state"] == "wrong"
