"""`flagman notify`: how a person is told of what waits for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.client import USAGE, Json, reach, refuse

if TYPE_CHECKING:
    from bot.sdk.http_backend import HttpBackend

app = typer.Typer()
# What people write, as in Slack, for the words of the API.
WAYS = {"thread": "place", "dm": "direct", "both": "both", "place": "place", "direct": "direct"}


@app.command(rich_help_panel="Decisions")
def notify(
    way: Annotated[str | None, typer.Argument(help="`thread`, `dm` or `both`; without it, as it is.")] = None,
    quiet: Annotated[
        str | None, typer.Option(help="Hours without direct messages, as `22:00-07:00`, or `off`.")
    ] = None,
    json: Json = False,
) -> None:
    """Choose how you are told of what waits for you: the person who owns the key."""

    if way is not None and way not in WAYS:
        refuse(f"`{way}` is no way to be told: say `thread`, `dm` or `both`.", USAGE)

    async def work(remote: HttpBackend) -> None:
        from bot.cli.terminal import as_json, done
        from supervisor.contract.notifications import NotificationsRequest

        if way is None and quiet is None:
            chosen = await remote.notifications()
        else:
            chosen = await remote.choose_notifications(
                NotificationsRequest.of(way=WAYS[way] if way else None, quiet=quiet)
            )
        if json:
            as_json(chosen)
        else:
            words = {
                "place": "in the thread",
                "direct": "by direct messages alone",
                "both": "in the thread and by direct messages",
            }
            hours = f", but not from {chosen.quiet.replace('-', ' to ')}" if chosen.quiet else ""
            done(f"You are told {words[chosen.way]}{hours}.")

    reach(work)
