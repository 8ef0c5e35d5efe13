"""`flagman gc`: archives sessions that ended long ago, and takes them out of the store."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from bot.cli.client import Json, carry_out

app = typer.Typer()


@app.command(rich_help_panel="SESSION_LOGs")
def gc(
    older_than: Annotated[
        str, typer.Option(help="Sessions that ended longer ago: `30d` (default: FLAGMAN_KEEP).")
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say which.")] = False,
    json: Json = False,
) -> None:
    """Archive sessions that ended long ago as SESSION_LOGs in FLAGMAN_DATA, and take them out of the store.

    Where FLAGMAN_KEEP is set, the clock does it once a day. `flagman restore` brings sessions back.
    """

    async def work() -> None:
        from bot.cli.terminal import as_json

        archived: list[str] = []
        kept: dict[str, str] = {}
        async for step in _steps({"older_than": older_than, "dry_run": dry_run}):
            archived += step["archived"]
            kept |= step["kept"]
        if json:
            as_json({"archived": archived, "kept": kept, "dry_run": dry_run})
        else:
            _say(archived, kept, dry_run=dry_run)

    carry_out(work)


async def _steps(request: dict[str, Any]) -> Any:
    """Yield the steps of the collection, in this process where it reaches the store, else in the running Flagman."""
    from dataclasses import asdict

    from bot.compose import core
    from bot.retention import collect
    from bot.sdk import connect
    from bot.settings import read_settings

    cursor = ""
    settings = read_settings()
    if settings.redis_url:
        async with core(settings) as parts:
            while cursor is not None:
                step = asdict(await collect(parts, request["older_than"], cursor, dry_run=request["dry_run"]))
                cursor = step["next"]
                yield step
        return
    async with connect() as remote:
        while cursor is not None:
            step = await remote.call("POST", "/v1/store/collect", {**request, "cursor": cursor})
            cursor = step["next"]
            yield step


def _say(archived: list[str], kept: dict[str, str], *, dry_run: bool) -> None:
    from bot.cli.terminal import show, text
    from supervisor.core.text.format import count

    for session_id in archived if dry_run else ():
        show(text(session_id))
    for session_id, why in kept.items():
        show(text(("!", "yellow"), f" {session_id} stays: {why}."))
    if dry_run:
        show(text(f"{count(len(archived), 'session')} would be archived."))
    elif archived:
        show(text(("✓", "green"), f" {count(len(archived), 'session')} archived in FLAGMAN_DATA/archive."))
    else:
        show(text("No session to archive."))
