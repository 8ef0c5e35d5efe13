"""The file that FLAGMAN_MCP names: the format that MCP users know, and one sentence for each mistake in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from supervisor.core.errors import InvalidInput
from supervisor.mcp.config import Server, read_servers

ENVIRONMENT = {"TOKEN": "ghx-0123456789abcdef", "EMPTY": ""}


def read(folder: Path, text: str) -> dict[str, Server]:
    path = folder / "mcp.json"
    path.write_text(text)
    return read_servers(path, ENVIRONMENT)


def test_variables_are_filled_in_and_what_they_held_is_masked(tmp_path: Path) -> None:
    entries = {
        "git-hub": {
            "command": "npx",
            "args": ["-y", "${PACKAGE:-server-github}"],
            "env": {"TOKEN": "${TOKEN}", "MODE": "${EMPTY:-read}"},
            "provide": {"*": {"owner": "acme"}, "create_issue": {"repo": "shop"}},
        },
        "api": {
            "type": "http",
            "url": "https://mcp.example.com/",
            "headers": {"Authorization": "Bearer abc"},
        },
        "off": {"command": "x", "disabled": True},
    }
    servers = read(tmp_path, json.dumps({"mcpServers": entries}))
    assert set(servers) == {"git-hub", "api"}
    github, api = servers["git-hub"], servers["api"]
    assert (github.args, dict(github.env)) == (
        ("-y", "server-github"),
        {"TOKEN": ENVIRONMENT["TOKEN"], "MODE": "read"},
    )
    assert github.secrets == {ENVIRONMENT["TOKEN"]}
    assert api.secrets == {"Bearer abc", "abc"}
    assert github.provided("create_issue") == {"owner": "acme", "repo": "shop"}
    assert github.provided("list_issues") == {"owner": "acme"}
    assert ENVIRONMENT["TOKEN"] not in repr(github)


def test_a_server_that_people_connect_is_read(tmp_path: Path) -> None:
    entry = {
        "url": "https://x/",
        "auth": "oauth",
        "client_id": "me",
        "client_secret": "${TOKEN}",
        "scopes": ["a"],
    }
    server = read(tmp_path, json.dumps({"mcpServers": {"host": entry}}))["host"]
    assert server.oauth
    assert (server.oauth.client_id, server.oauth.scopes) == ("me", ("a",))
    assert server.oauth.client_secret == ENVIRONMENT["TOKEN"]
    assert ENVIRONMENT["TOKEN"] in server.secrets
    assert ENVIRONMENT["TOKEN"] not in repr(server)


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ({}, "host: it has either a command or a url"),
        ({"command": "x", "url": "http://x"}, "host: it has either a command or a url"),
        ({"command": 7}, "host.command: Input should be a valid string"),
        ({"command": "x", "args": ["a", 1]}, "host.args.1: Input should be a valid string"),
        ({"command": "x", "cwd": "/"}, "host.cwd: there is no such key"),
        ({"command": "x", "env": {"A": "${NOT_SET}"}}, "host.env.A: the variable NOT_SET is not set"),
        ({"command": "x", "args": ["${EMPTY}"]}, "host.args.0: the variable EMPTY is not set"),
        ({"command": "x", "headers": {}}, "host.headers: that is for a server with a url"),
        ({"url": "http://x", "network": True}, "host.network: that is for a server with a command"),
        ({"url": "ftp://x"}, "host.url: it must begin with http:// or https:// and a host"),
        ({"url": "http://x", "headers": {"A": "b\r\nC: d"}}, "host.headers.A: it has a character"),
        ({"command": "x", "read": ["relative"]}, "host.read.0: String should match"),
        ({"command": "x", "timeout": 0}, "host.timeout: Input should be greater than or equal to 1"),
        ({"command": "x", "args": ["${secret:a}"]}, "host.args: a secret stands in `env` or `headers`"),
        ({"command": "x", "auth": "oauth"}, "host.auth: that is for a server with a url"),
        ({"url": "http://x", "auth": "basic"}, "host.auth: Input should be 'oauth'"),
        ({"url": "http://x", "client_id": "a"}, 'host.client_id: that is for a server with "auth": "oauth"'),
        (
            {"url": "http://x", "auth": "oauth", "client_secret": "a"},
            "host.client_secret: it needs a client_id",
        ),
        ({"url": "http://x", "auth": "oauth", "scopes": ["a b"]}, "host.scopes.0: String should match"),
        (
            {"url": "http://x", "auth": "oauth", "client_id": "a", "client_secret": "${secret:a}"},
            "host.client_secret: it comes from the environment",
        ),
        (
            {"url": "http://x", "auth": "oauth", "headers": {"authorization": "Bearer a"}},
            "host.headers: a server with auth gets the Authorization of each person",
        ),
        ([], "host: Input should be a valid dictionary"),
    ],
)
def test_a_mistake_is_named_with_its_place(tmp_path: Path, entry: Any, problem: str) -> None:
    with pytest.raises(InvalidInput) as error:
        read(tmp_path, json.dumps({"mcpServers": {"host": entry}}))
    assert str(error.value).startswith(f"FLAGMAN_MCP: {tmp_path / 'mcp.json'}: mcpServers.{problem}")
    assert str(error.value).endswith(".")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "line 1: it is no JSON"),
        ("[]", "it must be an object"),
        ('{"mcpServers": {}, "servers": {}}', "there is no key `servers`"),
        ('{"mcpServers": {"a__b": {"command": "x"}}}', "mcpServers.a__b: the name has at most"),
        ('{"mcpServers": {"ä": {"command": "x"}}}', "mcpServers.ä: the name has at most"),
        ("[" * 100_000, "it is"),
    ],
)
def test_what_is_no_such_file_is_said(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(InvalidInput, match=problem):
        read(tmp_path, text)
    with pytest.raises(InvalidInput, match="cannot be read"):
        read_servers(tmp_path / "none.json", {})
