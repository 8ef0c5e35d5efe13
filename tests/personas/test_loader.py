"""Persona files are read whole or refused with the file, the line and the reason."""

from __future__ import annotations

import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from supervisor.core.errors import PersonaInvalid
from supervisor.core.persona import Approvers
from supervisor.core.policy import evaluate
from supervisor.personas.loader import SHIPPED, load_personas
from supervisor.tools.builtin import builtin_tools
from tests.core.build import fake_tool

BUILTIN = builtin_tools()
TOOLS = {
    **{name: BUILTIN[name] for name in ("shell", "read_file", "write_file", "http_request")},
    "github_list": fake_tool("github_list"),
}

GOOD = """\
---
name: helper
description: Helps.
tools: [shell, "github_*"]
approvals:
  - tool: read_file
    mode: allow
  - tool: shell
    when: {command: "df *"}
    mode: ask
    approvers: {groups: [sre], quorum: 2, exclude_requester: true}
budgets:
  max_steps: 7
  max_cost_usd: 1.50
---

Be kind.
"""


def refusal(folder: Path, text: str, name: str = "helper.md") -> tuple[int, str]:
    (folder / name).write_text(text)
    with pytest.raises(PersonaInvalid) as error:
        load_personas(folder, TOOLS)
    assert error.value.path == str(folder / name)
    return error.value.line, error.value.problem


def test_file_is_read_whole(tmp_path: Path) -> None:
    (tmp_path / "helper.md").write_text(GOOD)
    persona = load_personas(tmp_path, TOOLS)["helper"]
    assert persona.instructions == "Be kind."
    assert persona.tools == ("shell", "github_*")
    assert persona.approvals[1].approvers == Approvers(groups=("sre",), quorum=2, exclude_requester=True)
    assert persona.budgets.max_steps == 7
    assert persona.budgets.max_cost_usd == Decimal("1.5")
    assert persona.budgets.error_threshold == 3


def test_a_rule_names_who_ends_a_pause(tmp_path: Path) -> None:
    (tmp_path / "helper.md").write_text(
        GOOD.replace("- tool: read_file\n    mode: allow", "- tool: approval\n    mode: ask")
    )
    assert load_personas(tmp_path, TOOLS)["helper"].approvals[0].tool == "approval"


def test_windows_line_ends_and_byte_order_mark_are_fine(tmp_path: Path) -> None:
    (tmp_path / "helper.md").write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())
    assert load_personas(tmp_path, TOOLS)["helper"].instructions == "Be kind."


@pytest.mark.parametrize(
    ("old", "new", "line", "problem"),
    [
        ("name: helper", "name: Not A Slug", 2, "`name`: String should match pattern"),
        ("description: Helps.\n", "", 2, "`description` is missing"),
        ("tools: [shell", "toolz: [shell", 4, "there is no key `toolz`"),
        (
            "tools: [shell",
            "tools: [shel",
            4,
            "there is no tool `shel`; there are github_list, http_request, read_file",
        ),
        ('"github_*"', "\n  gitlab_*", 5, "there is no tool `gitlab_*`"),
        ("tools: [shell, ", "tools: shell #", 4, "`tools`: Input should be a valid tuple"),
        ("mode: allow", "mode: yes", 7, "`mode` (approvals 1): Input should be 'allow', 'ask' or 'deny'"),
        ("    mode: ask\n", "", 8, "`mode` (approvals 2) is missing"),
        ("- tool: shell", "- tool: shel", 8, "there is no tool `shel`"),
        (
            "- tool: read_file",
            "- tool: approval",
            6,
            "the rule for pauses until an `approval` has the mode `ask`",
        ),
        ("- tool: shell", "- tool: approval", 8, "the mode `ask` and no `when`"),
        (
            '{command: "df *"}',
            "{command: yes}",
            9,
            "`when.command` (approvals 2): Input should be a valid string",
        ),
        ("quorum: 2", "quorum: 0", 11, "`approvers.quorum` (approvals 2): Input should be greater than"),
        ("groups: [sre]", "users: [U1]", 11, "the quorum is more than the users named"),
        ("  max_steps: 7", "  max_steps: many", 13, "`budgets.max_steps`: Input should be a valid integer"),
        ("  max_cost_usd", "  max_cost", 14, "there is no key `budgets.max_cost`"),
        ("  max_cost_usd: 1.50", "  max_steps: 8", 14, "the key `max_steps` is given twice"),
        ("description: Helps.", "instructions: x", 3, "the instructions are the text below"),
        ("Be kind.", "", 15, "the instructions are missing"),
        ("tools: [shell", "tools: [shell}", 4, "did not find expected|expected ',' or ']'"),
        ("budgets:", "\tbudgets:", 12, "found character '\\t'"),
        ("description: Helps.", "description: 2024-99-99", 2, "a value cannot be read: month must be"),
        ("description: Helps.", "description: \x07", 3, "control character"),
        ("1.50\n---\n", "1.50\n", 1, "no closing line"),
        ("---\nname", "name", 1, "the front matter is missing"),
    ],
)
def test_mistake_is_told_with_its_line(tmp_path: Path, old: str, new: str, line: int, problem: str) -> None:
    assert old in GOOD
    found = refusal(tmp_path, GOOD.replace(old, new, 1))
    assert found[0] == line, found
    assert any(part in found[1] for part in problem.split("|")), found


@pytest.mark.parametrize("text", ["", "---\n---\nx", "---\n- a\n---\nx", "---\njust words\n---\nx"])
def test_what_is_no_persona_is_refused(tmp_path: Path, text: str) -> None:
    line, problem = refusal(tmp_path, text)
    assert line in (1, 2)
    assert "front matter" in problem


def test_first_of_several_mistakes_is_told(tmp_path: Path) -> None:
    text = GOOD.replace("name: helper", "name: H").replace("mode: allow", "mode: x")
    assert refusal(tmp_path, text)[0] == 2


def test_name_used_twice_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text(GOOD)
    line, problem = refusal(tmp_path, GOOD, "b.md")
    assert (line, problem) == (2, "the name `helper` is already used in a.md")


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "x.md").write_bytes(b"---\nname: \xff\n---\n")
    with pytest.raises(PersonaInvalid, match=r"x\.md:1: the file is not UTF-8 text"):
        load_personas(tmp_path, TOOLS)


def test_folder_without_personas_is_refused(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "absent"):
        with pytest.raises(PersonaInvalid, match="holds no persona"):
            load_personas(folder, TOOLS)


def test_digest_names_the_content(tmp_path: Path) -> None:
    (tmp_path / "helper.md").write_text(GOOD)
    first = load_personas(tmp_path, TOOLS)["helper"]
    (tmp_path / "helper.md").write_text(GOOD.replace("max_steps: 7", "max_steps:   7   # the same"))
    assert load_personas(tmp_path, TOOLS)["helper"].digest == first.digest
    (tmp_path / "helper.md").write_text(GOOD.replace("kind", "kinder"))
    assert load_personas(tmp_path, TOOLS)["helper"].digest != first.digest


def test_digest_is_the_same_in_every_process() -> None:
    program = (
        "from supervisor.personas.loader import *; from supervisor.tools.builtin import builtin_tools;"
        "print([p.digest for p in load_personas(SHIPPED, builtin_tools()).values()])"
    )
    runs = [
        subprocess.run(
            [sys.executable, "-c", program], env={"PYTHONHASHSEED": seed}, capture_output=True, check=True
        )
        for seed in ("1", "2")
    ]
    assert runs[0].stdout == runs[1].stdout


def test_shipped_personas_load_and_allow_no_command_unasked() -> None:
    tools = builtin_tools()
    personas = load_personas(SHIPPED, tools)
    assert set(personas) == {"sre", "backend-architect", "release-manager", "project-coordinator"}
    for persona in personas.values():
        assert evaluate(persona, "read_file", {"path": "x"}, changes=False).mode == "allow"
        for call in ({"command": "df -h"}, {"method": "GET", "url": "http://x/"}):
            for name in ("shell", "http_request"):
                assert evaluate(persona, name, call, changes=True).mode == "ask"
        assert evaluate(persona, "write_file", {"path": "/etc/x"}, changes=True).mode == "ask"


def rules(*lines: str) -> str:
    front = "\n".join(f"  {line}" for line in lines)
    return f'---\nname: helper\ndescription: Helps.\ntools: ["*"]\napprovals:\n{front}\n---\nBe kind.\n'


@pytest.mark.parametrize(
    ("lines", "line", "problem"),
    [
        (
            ("- {tool: shell, when: {timeout_s: {gt: 10, lt: 5}}, mode: deny}",),
            6,
            "no number is within these",
        ),
        (
            ("- tool: shell", "  arguments:", "    properties: {comand: {type: string}}", "  mode: deny"),
            8,
            "`shell` has no argument `comand`",
        ),
        (
            ("- tool: shell", "  arguments:", "    properties: {command: {type: integer}}", "  mode: deny"),
            8,
            "`command` is a string, which this schema never fits",
        ),
        (
            ("- tool: shell", "  arguments:", "    properties: {command: {const: ls}}", "  mode: allow"),
            8,
            "name `command` in `required`",
        ),
        (("- tool: shell", "  arguments: {}", "  mode: deny"), 7, "an empty schema holds for every call"),
        (
            ("- tool: shell", "  mode: allow", "  hours: {from: 17:00, zone: UTC}"),
            8,
            "`hours.from` (approvals 1): Value error, write a time in quotes",
        ),
        (("- {tool: shell, when: {comand: rm*}, mode: deny}",), 6, "`shell` has no argument `comand`"),
        (("- {tool: shell, mode: ask}", "- {tool: shell, mode: deny}"), 7, "never reached, since rule 1"),
        (("- {tool: '*', mode: ask}", "- {tool: read_file, mode: allow}"), 7, "never reached, since rule 1"),
        (("- {tool: read_file, when: {host: x}, mode: deny}",), 6, "`read_file` has no argument `host`"),
    ],
)
def test_a_rule_that_can_never_match_is_refused(
    tmp_path: Path, lines: tuple[str, ...], line: int, problem: str
) -> None:
    (tmp_path / "helper.md").write_text(rules(*lines))
    with pytest.raises(PersonaInvalid) as error:
        load_personas(tmp_path, TOOLS)
    assert error.value.line == line
    assert problem in error.value.problem


@pytest.mark.parametrize(
    ("url", "mode"),
    [
        ("https://API.Example.com/x", "allow"),
        ("https://api.example.com./x", "allow"),
        ("https://api.example.com:8443/x", "allow"),
        ("https://api.example.com@evil.net/x", "ask"),
        ("https://evil.net/?api.example.com", "ask"),
        ("https://evil.net#.example.com", "ask"),
        ("https://[broken", "ask"),
        ("", "ask"),
    ],
)
def test_a_rule_on_the_host_looks_at_the_parsed_address(tmp_path: Path, url: str, mode: str) -> None:
    (tmp_path / "helper.md").write_text(
        rules("- {tool: http_request, when: {host: '*.Example.com'}, mode: allow}")
    )
    persona = load_personas(tmp_path, TOOLS)["helper"]
    assert evaluate(persona, "http_request", {"method": "GET", "url": url}, changes=True).mode == mode
