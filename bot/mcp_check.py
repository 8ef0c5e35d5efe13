"""Checks the MCP servers for `flagman doctor`: that each can be used, and that personas name tools that there are."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from fnmatch import fnmatchcase

from bot.mcp_servers import configured, tools_of_server
from bot.own_tools import all_tools
from bot.sandbox import find_sandbox
from bot.settings import Settings
from bot.store_check import Finding
from supervisor.core.errors import FlagmanError, InvalidInput
from supervisor.core.text.format import count
from supervisor.mcp.config import secrets_of
from supervisor.personas.loader import SHIPPED, PersonaFile, load_files
from supervisor.personas.servers import server_of
from supervisor.tools.contract import Toolset


async def check_servers(settings: Settings) -> AsyncIterator[Finding]:
    """Connect to each server and count its tools; then read the personas once more, with these."""
    try:
        servers = configured(settings)
    except InvalidInput as error:
        yield Finding("MCP servers", "wrong", str(error), "mend that place in the file")
        return
    tools: Toolset = {}
    away: set[str] = set()
    for server in servers.values():
        what = f"MCP server {server.name}"
        if server.oauth:
            away.add(server.name)
            where = settings.public_address
            said = f"not tried: each person connects it; its sign-in comes back to {where}"
            mend = "FLAGMAN_PUBLIC_URL is the address by which browsers reach Flagman"
            yield Finding(what, "note", said, "" if settings.public_url else mend)
            continue
        if names := secrets_of(server):
            away.add(server.name)
            said = f"not tried: it gets {', '.join(names)}, which a running Flagman alone can read"
            yield Finding(
                what, "note", said, "flagman secrets list says what is set; launch an agent that uses it"
            )
            continue
        try:
            found = await tools_of_server(settings, server)
        except FlagmanError as error:
            away.add(server.name)
            yield Finding(what, "wrong", str(error), "see that it runs, and what its entry in the file says")
            continue
        tools |= found
        guarded = bool(server.url) or (server.sandbox and find_sandbox(settings).sandbox)
        yield Finding(
            what, "ok", count(len(found), "tool") + ("" if guarded else "; it runs without a sandbox")
        )
    for finding in _rules(settings, tools, set(servers), away):
        yield finding


def _rules(settings: Settings, tools: Toolset, servers: set[str], away: set[str]) -> Iterator[Finding]:
    if not servers:
        return
    known = {**all_tools(settings), **tools}
    try:
        files = load_files(settings.personas or SHIPPED, known, servers)
    except FlagmanError as error:
        mend = "mend that line: a rule for what a tool does not have protects nothing"
        yield Finding("Rules for MCP tools", "wrong", str(error), mend)
        return
    for file in files:
        for glob in _of_nothing(file, known, away):
            said = f"{file.path.name}: `{glob}` matches no tool that its server has"
            yield Finding("Rules for MCP tools", "wrong", said, "mend that name, or the server")


def _of_nothing(file: PersonaFile, known: Toolset, away: set[str]) -> Iterator[str]:
    """The globs for tools of servers that match none; those of servers that are away may."""
    persona = file.persona
    for glob in dict.fromkeys(
        (*persona.tools, *persona.delegates, *(rule.tool for rule in persona.approvals))
    ):
        absent = server_of(glob, persona) and not any(fnmatchcase(name, glob) for name in known)
        if absent and not any(fnmatchcase(name, glob.partition("__")[0]) for name in away):
            yield glob
