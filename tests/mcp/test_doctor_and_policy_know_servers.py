"""`flagman doctor` tries each server, and `flagman policy test` knows their tools."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.cli.served import Cli
from tests.mcp.hosted import Hosted, described
from tests.support.scenario import write_persona

RULES = [
    {"tool": "host__say", "when": {"to": "Linus"}, "mode": "allow"},
    {"tool": "host__say", "mode": "deny"},
]


def test_each_server_is_tried_and_rules_are_checked_against_its_tools(hosted: Hosted, tmp_path: Path) -> None:
    hosted.offers(described("say"), described("shout"))
    cli = Cli(tmp_path)
    variables: dict[str, Any] = {
        "FLAGMAN_MCP": str(hosted.file()),
        "FLAGMAN_PERSONAS": str(tmp_path / "personas"),
    }
    write_persona(tmp_path / "personas", tools=["host__*"], mcp_servers=["host"], approvals=RULES)

    def findings(code: int) -> dict[str, Any]:
        rows = json.loads(cli("doctor", "--json", code=code, **variables).stdout)
        return {row["what"]: row for row in rows}

    assert findings(0)["MCP server host"]["found"].startswith("2 tools")
    allowed = cli("policy", "test", "ops", "host__say", '{"to": "Linus"}', **variables).stdout
    assert allowed.startswith("allow: rule 1 decides")
    assert cli("policy", "test", "ops", "host__shout", '{"to": "x"}', **variables).stdout.startswith(
        "ask: no rule"
    )
    hosted.more = {"env": {"TOKEN": "${secret:github}"}}
    hosted.file()
    assert findings(0)["MCP server host"]["state"] == "note"
    hosted.more = {}
    hosted.file()
    misspelt = [{"tool": "host__say", "when": {"too": "Linus"}, "mode": "deny"}]
    write_persona(tmp_path / "personas", tools=["host__*"], mcp_servers=["host"], approvals=misspelt)
    assert "`host__say` has no argument `too`" in findings(1)["Rules for MCP tools"]["found"]
    write_persona(tmp_path / "personas", tools=["host__*", "host__sing"], mcp_servers=["host"])
    assert "`host__sing` matches no tool that its server has" in findings(1)["Rules for MCP tools"]["found"]


def test_a_bad_file_stops_the_start_and_the_doctor_says_so(tmp_path: Path) -> None:
    file = tmp_path / "mcp.json"
    file.write_text('{"mcpServers": {"host": {}}}')
    done = Cli(tmp_path)("serve", code=2, FLAGMAN_MCP=str(file))
    assert f"FLAGMAN_MCP: {file}: mcpServers.host: it has either a command or a url." in done.stderr
