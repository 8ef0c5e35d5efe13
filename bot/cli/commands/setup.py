"""`flagman personas | doctor | setup`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bot.cli.client import REFUSED, Json, carry_out, reach, refuse

if TYPE_CHECKING:
    from bot.sdk.http_backend import HttpBackend
    from bot.store_check import Finding

app = typer.Typer()
MARKS = {"ok": ("✓", "green"), "note": ("!", "yellow"), "wrong": ("✗", "red")}


@app.command(rich_help_panel="Sessions")
def personas(json: Json = False) -> None:
    """Who can be launched, and what is wrong with their files."""

    async def work(remote: HttpBackend) -> None:
        from bot.cli.terminal import as_json, beside, is_terminal, show, table, text

        rows = [row.model_dump(mode="json") for row in await remote.personas()]
        if json:
            as_json(rows)
            return
        table(
            ("NAME", "DOES"),
            [((row["name"], "bold"), row["description"]) for row in rows if row["description"]],
            wide=1,
        )
        for row in rows:
            for mark, style, said in _wrong(row):
                line = text((mark, style), " ", (row["name"], "bold")), text(said)
                if is_terminal():
                    show(beside(*line))
                else:
                    show(*line, err=True)

    reach(work)


@app.command(rich_help_panel="Setup")
def doctor(
    unpark: Annotated[
        bool, typer.Option("--unpark", help="Try sessions again at once that could not go on.")
    ] = False,
    json: Json = False,
) -> None:
    """Look at tokens, scopes, store, model, clocks and folders, and say how to mend what is wrong.

    Reads the same environment as `flagman serve`. The exit code is 1 when something is wrong.
    """

    async def work() -> int:
        from bot.cli.terminal import as_json
        from bot.doctor import examine, reaching
        from bot.settings import read_settings
        from bot.store_check import Finding
        from supervisor.core.errors import InvalidInput

        found: list[Finding] = []

        def note(finding: Finding) -> None:
            found.append(finding)
            if not json:
                _show(finding)

        try:
            settings = read_settings()
        except InvalidInput as error:
            note(Finding("Environment", "wrong", str(error), "set it right; the README has a table of all"))
        else:
            async for finding in examine(settings, unpark=unpark):
                note(finding)
            async for finding in reaching():
                note(finding)
        if json:
            as_json([finding.row() for finding in found])
        return REFUSED if any(finding.state == "wrong" for finding in found) else 0

    carry_out(work)


@app.command(rich_help_panel="Setup")
def setup(
    check: Annotated[
        bool, typer.Option("--check", help="Ask nothing; look at the tokens that the environment has.")
    ] = False,
    place: Annotated[
        str,
        typer.Option(
            "--to", help="The id of a channel with the bot, or of a person, for a message with a button."
        ),
    ] = "",
    seconds: Annotated[
        float, typer.Option("--wait", min=1, max=3600, help="How long to wait for the click and the rest.")
    ] = 120,
    url: Annotated[
        str,
        typer.Option(
            "--url", help="The public https address of Flagman, for HTTP mode in place of Socket Mode."
        ),
    ] = "",
    file: Annotated[
        Path, typer.Option("--env", help="The file to which the tokens are written, if you agree.")
    ] = Path(".env"),
    json: Json = False,
) -> None:
    """Create the app in Slack, take its tokens one by one, and prove that all of it arrives.

    The exit code is 1 when something is wrong. Nothing is written without your consent.
    """

    async def work() -> int:
        from bot.cli.terminal import as_json, hint, is_terminal
        from bot.setup.walk import Walk

        found: list[Finding] = []

        def note(finding: Finding) -> None:
            found.append(finding)
            if not json:
                _show(finding)

        asks = not check and not json
        if asks and not is_terminal(sys.stdin):
            refuse(
                "This asks for tokens, so it needs a terminal; use --check to look at those of the environment.",
                2,
            )
        ask = typer.prompt if asks else None
        # A link is not broken into lines, so that it can be copied.
        await Walk(note, typer.echo if asks else hint, ask, file, url, place, seconds).go()
        if json:
            as_json([finding.row() for finding in found])
        return REFUSED if any(finding.state == "wrong" for finding in found) else 0

    carry_out(work)


def _wrong(row: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """What is wrong with a persona, each with its mark."""
    if problem := row.get("problem"):
        yield *MARKS["wrong"], problem
    for note in row.get("notes", ()):
        yield *MARKS["note"], note


def _show(finding: Finding) -> None:
    from bot.cli.terminal import DIM, beside, is_terminal, show, text

    mark, style = MARKS[finding.state]
    head, said = text((mark, style), " ", (f"{finding.what:<18}", "bold")), text(finding.found)
    mend = text((f"→ {finding.mend}", DIM if finding.state == "note" else style))
    if is_terminal():
        show(beside(head, said))
        if finding.mend:
            show(beside(text(" " * 20), mend))
        return
    show(text(head.plain, " ", said.plain, f"  {mend.plain}" if finding.mend else ""))
