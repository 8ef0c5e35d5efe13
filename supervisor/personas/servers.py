"""Checks what a persona says of MCP servers, whose tools are known only while there is a connection to them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from fnmatch import fnmatchcase

from supervisor.core.persona import ApprovalRule, Persona
from supervisor.personas.frontmatter import Location

BETWEEN = "__"


def server_problems(persona: Persona, servers: Collection[str]) -> Iterator[tuple[Location, str]]:
    """Names of servers that there are not, and globs for the tools of a server that the persona does not name."""
    for index, name in enumerate(persona.mcp_servers):
        if name not in servers:
            known = (
                f"there are {', '.join(sorted(servers))}" if servers else "FLAGMAN_MCP names no file with one"
            )
            yield ("mcp_servers", index), f"there is no MCP server `{name}`; {known}"
    named: list[tuple[Location, str]] = [
        (("approvals", n, "tool"), r.tool) for n, r in enumerate(persona.approvals)
    ]
    named += [
        ((key, n), glob) for key in ("tools", "delegates") for n, glob in enumerate(getattr(persona, key))
    ]
    for location, glob in named:
        server = glob.partition(BETWEEN)[0]
        if BETWEEN in glob and server in servers and server not in persona.mcp_servers:
            yield location, f"`{glob}` is of an MCP server; name `{server}` in `mcp_servers`"


def server_of(glob: str, persona: Persona) -> bool:
    """Whether a glob is for tools of servers that the persona names, such as `github__*`."""
    server, between, _ = glob.partition(BETWEEN)
    return bool(between) and any(fnmatchcase(name, server) for name in persona.mcp_servers)


def of_servers(persona: Persona) -> str:
    """Return the further names of tools that the persona may use, as the end of a sentence."""
    return "".join(f", {name}{BETWEEN}…" for name in persona.mcp_servers)


def never_reached(rules: Sequence[ApprovalRule], index: int) -> str:
    """Why a rule for tools of a server never decides: an earlier one takes its calls; empty where it can."""
    for number, earlier in enumerate(rules[:index], start=1):
        if earlier.unconditional and fnmatchcase(rules[index].tool, earlier.tool):
            return f"this rule is never reached, since rule {number} takes its calls"
    return ""
