"""`flagman notify`: how a person is told of what waits for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.client import Json, reach

if TYPE_CHECKING:
    from bot.sdk.http_backend import HttpBackend

app = typer.Typer()


@app.command(rich_help_panel="Decisions")
def notify(
    way: Annotated[
        str | None, typer.Argument(help="`place`, `direct` or `both`; without it, as it is.")
    ] = None,
    quiet: Annotated[
        str | None, typer.Option(help="Hours without direct messages, as `22:00-07:00`, or `off`.")
    ] = None,
    json: Json = False,
) -> None:
    """Choose how you are told of what waits for you: the person who owns the key."""

    async def work(remote: HttpBackend) -> None:
        from bot.cli.terminal import as_json, done
        from supervisor.contract.notifications import NotificationsRequest

        if way is None and quiet is None:
            chosen = await remote.notifications()
        else:
            chosen = await remote.choose_notifications(NotificationsRequest.of(way=way, quiet=quiet))
        if json:
            as_json(chosen)
        else:
            done(f"Told by: {chosen.way}{f', quiet {chosen.quiet}' if chosen.quiet else ''}.")

    reach(work)
