"""A persona names its servers; a rule for a server that it does not name, or that there is not, is a mistake."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from supervisor.core.errors import PersonaInvalid
from supervisor.core.persona import Persona
from supervisor.core.policy import evaluate
from supervisor.core.tool_calls import tools_of
from supervisor.mcp.tools import server_tool
from supervisor.personas.loader import load_personas
from supervisor.tools.builtin import builtin_tools
from tests.core.build import redefined, tool_call
from tests.support.scenario import write_persona

SERVERS = ("github", "time")


def load(folder: Path, servers: tuple[str, ...] = SERVERS, **front: Any) -> Persona:
    write_persona(folder, **{"tools": ["read_file"], **front})
    return load_personas(folder, builtin_tools(), servers)["ops"]


def test_rules_for_the_tools_of_its_servers_are_taken(tmp_path: Path) -> None:
    persona = load(
        tmp_path,
        tools=["github__*"],
        mcp_servers=["github"],
        approvals=[
            {"tool": "github__get_*", "mode": "allow"},
            {"tool": "github__delete_repo", "when": {"repo": "shop"}, "mode": "deny"},
            {"tool": "github__*", "mode": "ask"},
        ],
    )
    assert evaluate(persona, "github__get_issue", {}, changes=True).mode == "allow"
    assert evaluate(persona, "github__delete_repo", {"repo": "shop"}, changes=True).mode == "deny"
    assert evaluate(persona, "github__anything", {}, changes=True).mode == "ask"


@pytest.mark.parametrize(
    ("front", "servers", "problem"),
    [
        ({"mcp_servers": ["gitlab"]}, SERVERS, "there is no MCP server `gitlab`; there are github, time"),
        (
            {"mcp_servers": ["github"]},
            (),
            "there is no MCP server `github`; FLAGMAN_MCP names no file with one",
        ),
        (
            {"tools": ["github__*"]},
            SERVERS,
            "`github__*` is of an MCP server; name `github` in `mcp_servers`",
        ),
        ({"tools": ["gitlab__*"], "mcp_servers": ["github"]}, SERVERS, "there is no tool `gitlab__*`"),
        (
            {"mcp_servers": ["github"], "approvals": [{"tool": "time__x", "mode": "allow"}]},
            SERVERS,
            "`time__x` is of an MCP server",
        ),
        (
            {
                "mcp_servers": ["github"],
                "approvals": [{"tool": "github__*", "mode": "ask"}, {"tool": "github__x", "mode": "deny"}],
            },
            SERVERS,
            "this rule is never reached, since rule 1 takes its calls",
        ),
    ],
)
def test_a_name_that_protects_nothing_is_a_mistake(
    tmp_path: Path, front: dict[str, Any], servers: tuple[str, ...], problem: str
) -> None:
    with pytest.raises(PersonaInvalid) as error:
        load(tmp_path, servers, **front)
    assert problem in str(error.value)


def test_personas_that_were_pinned_before_keep_their_digest(tmp_path: Path) -> None:
    persona = load(tmp_path)
    assert "mcp_servers" not in persona.model_dump(mode="json")
    assert load(tmp_path, mcp_servers=["github"]).digest != persona.digest


def test_a_tool_is_for_those_who_name_its_server_all_the_way_up(tmp_path: Path) -> None:
    definition = redefined(tool_call()).definition
    assert definition

    async def none(*_: Any) -> Any:
        raise AssertionError

    tool = server_tool(
        definition.model_copy(update={"server": "github"}), none, None, builtin_tools()["shell"].timeout
    )
    persona = load(tmp_path, tools=["*"], mcp_servers=["github"])
    others = load(tmp_path, tools=["*"])
    assert tool.name in tools_of(persona, {tool.name: tool})
    assert tool.name not in tools_of(others, {tool.name: tool}), "a `*` names no server"
    below = persona.model_copy(update={"under": others})
    assert tool.name not in tools_of(below, {tool.name: tool})
