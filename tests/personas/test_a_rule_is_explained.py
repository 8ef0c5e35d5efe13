"""`flagman policy test` says which rule decides on a call, with its line, and runs nothing."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.served import Cli

DESK = """---
name: desk
description: Refunds
tools: [write_file, shell]
approvals:
  - tool: write_file
    when: {path: {within: reports}}
    mode: allow
  - tool: shell
    when: {command: {matches: "(?s).*--force.*"}}
    mode: deny
    reason: Nothing is forced
  - tool: shell
    mode: ask
    approvers: {groups: [sre], quorum: 2}
---
Do.
"""


def test_the_rule_its_line_and_its_approvers_are_said(tmp_path: Path) -> None:
    (tmp_path / "desk.md").write_text(DESK)
    cli = Cli(tmp_path)

    def said(*words: str, code: int = 0) -> str:
        done = cli("policy", "test", *words, code=code, FLAGMAN_PERSONAS=str(tmp_path))
        return " ".join((done.stdout + done.stderr).split())

    written = said("desk", "write_file", '{"path": "reports/a.md", "content": "x"}')
    assert written.startswith(f"allow: rule 1 decides ({tmp_path / 'desk.md'}, line 6).")
    asked = said("desk", "shell", '{"command": "ls"}')
    assert "ask: rule 3 decides" in asked
    assert "approved by: @sre · 2 approvals" in asked
    assert '`command` is {"matches": "(?s).*--force.*"}: no' in asked
    found = json.loads(said("desk", "shell", '{"command": "git push --force"}', "--json"))
    assert (found["rule"], found["decision"]["mode"], found["lines"]["2"]) == (2, "deny", 9)
    assert "no rule of" in said("desk", "http_request", '{"method": "GET", "url": "https://a.example"}')
    assert "there are desk" in said("ops", "shell", code=2)
    assert "there is no such argument" in said("desk", "shell", '{"comand": "ls"}', code=2)
    assert "JSON:" in said("desk", "shell", "ls", code=2)
    (tmp_path / "desk.md").write_text(DESK.replace("{within: reports}", "{gt: 3}"))
    assert "desk.md:7: `path` is a string, which cannot be compared so" in said("desk", "shell", code=1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["desk.md"]
