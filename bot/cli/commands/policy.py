"""`flagman policy test`: what the rules of a persona say of a call, without a running Flagman."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.client import USAGE, Json, carry_out, refuse

if TYPE_CHECKING:
    from datetime import datetime

    from supervisor.core.policy import Explanation
    from supervisor.personas.loader import PersonaFile
    from supervisor.tools.contract import Tool

app = typer.Typer(no_args_is_help=True, help="What the rules of personas say.")


@app.callback()
def policy() -> None:
    """Keep `test` a command of its own."""


@app.command("test")
def evaluate(
    persona: Annotated[str, typer.Argument(help="The name of a persona.")],
    tool: Annotated[str, typer.Argument(help="The name of a tool.")],
    arguments: Annotated[str, typer.Argument(metavar="JSON", help="The arguments of the call.")] = "{}",
    at: Annotated[
        str | None,
        typer.Option(
            help="For rules with hours: the time, such as `2026-12-05T12:00` in your zone (default: now)."
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Say which rule decides on a call, and why; nothing runs.

    Reads the persona files, as `flagman serve` does (FLAGMAN_PERSONAS). The persona is taken as one that a person
    launches: as a sub-agent it is also under the rules of who launched it.
    """

    async def work() -> None:
        from bot.cli.editor import parse
        from bot.cli.terminal import as_json
        from supervisor.core.errors import InvalidArguments
        from supervisor.core.policy import explain

        file, known = await _loaded(persona, tool)
        found = parse(arguments)
        if isinstance(found, str):
            refuse(f"JSON: {found}", USAGE)
        try:
            given = known.validate(found)
        except InvalidArguments as error:
            refuse(str(error), USAGE)
        explained = explain(file.persona, tool, given, changes=known.changes, at=_time(at))
        lines = {number: file.front.line(("approvals", number - 1)) for number in explained.rules}
        if json:
            as_json({**explained.model_dump(mode="json"), "file": str(file.path), "lines": lines})
        else:
            _show(explained, file, lines)

    carry_out(work)


def _time(text: str | None) -> datetime:
    """The time of an option, in the reader's zone where it names none; now without one."""
    from datetime import UTC, datetime

    from bot.cli.terminal import local_zone
    from supervisor.core.times import zone_named

    if text is None:
        return datetime.now(UTC)
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        refuse(f"--at: “{text}” is no time; write it like 2026-12-05T12:00 or 2026-12-05T12:00+01:00.", USAGE)
    return found if found.tzinfo else found.replace(tzinfo=zone_named(local_zone()))


async def _loaded(persona: str, tool: str) -> tuple[PersonaFile, Tool]:
    """The file of the persona and the tool of these names; refuses names that there are not.

    For a tool of an MCP server it is asked which tools it has.
    """
    from bot.mcp_servers import configured, tools_of_server
    from bot.own_tools import all_tools
    from bot.settings import read_settings
    from supervisor.personas.loader import SHIPPED, load_files

    settings = read_settings()
    tools = all_tools(settings)
    servers = configured(settings)
    files = {file.persona.name: file for file in load_files(settings.personas or SHIPPED, tools, servers)}
    if persona not in files:
        refuse(f"There is no persona `{persona}`; there are {', '.join(sorted(files))}.", USAGE)
    server = tool.partition("__")[0]
    if server in servers and server in files[persona].persona.mcp_servers:
        tools |= await tools_of_server(settings, servers[server])
    if tool not in tools:
        refuse(f"There is no tool `{tool}`; there are {', '.join(sorted(tools))}.", USAGE)
    return files[persona], tools[tool]


def _show(explained: Explanation, file: PersonaFile, lines: dict[int, int]) -> None:
    from bot.cli.labels import rule_line
    from bot.cli.terminal import show, text

    decision = explained.decision
    style = {"allow": "green", "ask": "yellow", "deny": "red"}[decision.mode]
    changes = "may change something" if decision.mode == "ask" else "only reads"
    why = f"no rule of {file.path} matches, and the tool {changes}."
    if explained.rule:
        why = f"rule {explained.rule} decides ({file.path}, line {lines[explained.rule]})."
    show(text((decision.mode, style), f": {why}"))
    for rule in decision.rules if decision.mode == "ask" else ():
        show(f"  approved by: {rule_line(rule)}")
    if decision.reason:
        show(f"  reason: {decision.reason}")
    for number, sentences in explained.rules.items():
        for said in sentences:
            show(f"  rule {number} (line {lines[number]}): {said}")
