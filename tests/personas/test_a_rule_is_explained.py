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


def test_hours_and_schemas_are_told_for_a_time(tmp_path: Path) -> None:
    rule = """  - tool: write_file
    hours: {days: MON-FRI, from: "09:00", to: "17:00", zone: Europe/Berlin}
    arguments:
      properties: {content: {type: string, maxLength: 5}}
      required: [content]
    mode: allow
"""
    (tmp_path / "desk.md").write_text(DESK.replace("approvals:\n", f"approvals:\n{rule}"))
    cli = Cli(tmp_path)

    def said(at: str, code: int = 0) -> str:
        call = '{"path": "a.md", "content": "x"}'
        words = ("policy", "test", "desk", "write_file", call, "--at", at)
        done = cli(*words, code=code, FLAGMAN_PERSONAS=str(tmp_path))
        return " ".join((done.stdout + done.stderr).split())

    assert said("2026-12-02T12:00").startswith("allow: rule 1 decides")
    outside = said("2026-12-05T12:00")
    assert outside.startswith("ask: no rule")
    assert "it is within MON-FRI 09:00 to 17:00 Europe/Berlin: no" in outside
    assert "the arguments fit the schema: yes" in outside
    # Without an offset it is a time of the reader's zone, here that of Berlin.
    assert said("2026-12-02T17:00").startswith("ask")
    assert said("2026-12-02T17:00+02:00").startswith("allow")
    assert "--at" in said("noon", code=2)
