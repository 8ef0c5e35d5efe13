"""Each file and each command of the page about MCP servers does what the page says."""

from __future__ import annotations

import asyncio
import json
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from markdown_it import MarkdownIt
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client

from supervisor.mcp.config import OAuth, _Entry, read_servers
from tests.cli.served import Served, served
from tests.mcp.hosted import SCRIPT, described
from tests.readme.examples import ADDRESS, ROOT
from tests.readme.shell import output

PAGE = (ROOT / "docs" / "mcp.md").read_text(encoding="utf-8")
TOKENS = MarkdownIt("commonmark").enable("table").parse(PAGE)
LINES = [
    line
    for token in TOKENS
    if token.type == "fence" and token.info == "sh"
    for line in token.content.splitlines()
]
SPANS = [
    span.content
    for token in TOKENS
    if token.type == "inline"
    for span in token.children or ()
    if span.type == "code_inline"
]
VALUES = {"GITHUB_TOKEN": "ghx-0123456789abcdef", "PAGER_TOKEN": "pgx-0123456789abcdef"}
LABEL = {"type": "object", "properties": {"label": {"type": "string"}}}


def files(language: str) -> list[str]:
    return [token.content for token in TOKENS if token.type == "fence" and token.info == language]


SERVERS, PERSONAL, DESKTOP, VS_CODE = map(json.loads, files("json"))
(PERSONA,) = files("markdown")


@pytest.fixture(scope="module")
def flagman(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A Flagman with the persona and the file of the page, where a server of the tests stands for that of GitHub."""
    folder = tmp_path_factory.mktemp("page")
    for name in ("personas", "github"):
        (folder / name).mkdir()
    (folder / "personas" / "triage.md").write_text(PERSONA)
    tools = [described("list_issues"), {**described("add_label"), "inputSchema": LABEL}]
    (folder / "github" / "tools.json").write_text(json.dumps(tools))
    stands_for = {"command": sys.executable, "args": [str(SCRIPT), str(folder / "github")], "sandbox": False}
    (folder / "mcp.json").write_text(json.dumps({"mcpServers": {"github": stands_for}}))
    places = {"FLAGMAN_PERSONAS": str(folder / "personas"), "FLAGMAN_MCP": str(folder / "mcp.json")}
    with served(folder, **places) as running:
        yield running


def test_nothing_of_the_page_is_left_out_here() -> None:
    assert {token.info for token in TOKENS if token.type == "fence"} == {"sh", "json", "markdown"}
    assert [shlex.split(line, comments=True)[:3] for line in LINES] == [
        ["flagman", "answer", "SESSION"],
        ["flagman", "answer", "SESSION"],
        ["flagman", "keys", "create"],
        ["claude", "mcp", "add"],
    ]
    commands = {span for span in SPANS if span.startswith("flagman ")}
    # Commands without what follows them are only named.
    assert commands - {"flagman connections", "flagman policy test", "flagman show"} == {
        "flagman secrets set NAME",
        "flagman secrets list",
        "flagman doctor",
        'flagman policy test triage github__add_label \'{"label": "bug"}\'',
        "flagman approve ID",
    }


def test_the_file_of_servers_is_read(tmp_path: Path) -> None:
    (tmp_path / "mcp.json").write_text(json.dumps(SERVERS))
    found = read_servers(tmp_path / "mcp.json", VALUES)
    assert found["github"].provided("create_issue") == {"owner": "acme", "repo": "shop"}
    assert found["github"].env == {"GITHUB_PERSONAL_ACCESS_TOKEN": VALUES["GITHUB_TOKEN"]}
    assert found["pager"].headers == {"Authorization": f"Bearer {VALUES['PAGER_TOKEN']}"}
    rows = re.findall(r"^\| (`[^|]+`) \| ", PAGE.partition("| Key |")[2].partition("\n\n")[0], re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert named == _Entry.model_fields.keys() - {"type"}


def test_the_file_of_servers_that_people_connect_is_read(tmp_path: Path) -> None:
    (tmp_path / "mcp.json").write_text(json.dumps(PERSONAL))
    found = read_servers(tmp_path / "mcp.json", {"NOTES_CLIENT_SECRET": "ncs-0123456789abcdef"})
    assert found["github"].oauth == OAuth()
    assert found["notes"].oauth == OAuth("flagman", "ncs-0123456789abcdef", ("read", "write"))


def test_rules_are_tried_and_servers_looked_at(flagman: Served) -> None:
    (line,) = [span for span in SPANS if span.startswith("flagman policy test ")]
    places = f"FLAGMAN_MCP={flagman.folder}/mcp.json FLAGMAN_PERSONAS={flagman.folder}/personas"
    assert "allow" in output(f"{places} {line}", flagman)
    asked = output(f"{places} {line.replace('bug', 'urgent')}", flagman)
    assert "ask" in asked
    assert "2 tools" in output(f"{places} flagman doctor || true", flagman)


def test_a_secret_is_set_listed_and_removed(flagman: Served) -> None:
    flagman.cli("secrets", "set", "NAME", given="a-value-0123456789\n")
    assert "NAME" in output("flagman secrets list", flagman)
    output("flagman secrets remove NAME", flagman)
    assert "NAME" not in output("flagman secrets list", flagman)


def test_an_answer_is_understood(flagman: Served) -> None:
    for line in LINES[:2]:
        line = line.replace("SESSION", "ab12-cd34")
        assert "There is no session" in output(f"{line.partition('#')[0]} 2>&1 || true", flagman)


async def test_clients_reach_it_as_the_page_says(flagman: Served) -> None:
    line = next(line for line in LINES if "keys create" in line)
    printed = await asyncio.to_thread(output, line, flagman)
    (key,) = re.findall(r"\b(?:fl?k|flagman)[-_][\w-]{16,}\b|^\S{24,}$", printed, re.MULTILINE)
    claude = shlex.split(next(line for line in LINES if line.startswith("claude")).replace("$KEY", key))
    address, header = claude[claude.index("flagman") + 1], claude[claude.index("--header") + 1]
    editor = VS_CODE["servers"]["flagman"]
    assert editor["url"] == address
    written = editor["headers"]["Authorization"].replace("${input:flagman-key}", key)
    assert f"Authorization: {written}" == header
    async with httpx2.AsyncClient(headers={"Authorization": written}, timeout=60) as http:
        place = streamable_http_client(address.replace(ADDRESS, flagman.url), http_client=http)
        assert {"launch", "wait"} <= await _tools(place)
    desktop = DESKTOP["mcpServers"]["flagman"]
    given = {**desktop["env"], "FLAGMAN_URL": flagman.url, "FLAGMAN_API_KEY": key}
    assert given.keys() == desktop["env"].keys()
    command = str(Path(sys.executable).parent / Path(desktop["command"]).name)
    program = StdioServerParameters(command=command, args=desktop["args"], env=given)
    assert {"launch", "wait"} <= await _tools(stdio_client(program))


async def _tools(transport: Any) -> set[str]:
    async with Client(transport) as client:
        return {tool.name for tool in (await client.list_tools()).tools}
