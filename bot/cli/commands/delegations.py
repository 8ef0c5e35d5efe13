"""`flagman delegate to | list | drop`: who decides for whom."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.client import Json, reach

if TYPE_CHECKING:
    from bot.sdk.http_backend import HttpBackend

app = typer.Typer(no_args_is_help=True, help="Who decides on calls for whom, until when.")


@app.command()
def to(
    person: Annotated[str, typer.Argument(help="The id of a member, such as U0GRACE01.")],
    until: Annotated[str, typer.Option(help="`friday` (its end), `2026-12-04`, `in 2d`, `tomorrow 09:00`.")],
    because: Annotated[str, typer.Option(help="Why, for those who read the list.")] = "",
    zone: Annotated[str | None, typer.Option(help="The time zone (default: yours).")] = None,
    json: Json = False,
) -> None:
    """Have another person decide for you: the person who owns the key."""

    async def work(remote: HttpBackend) -> None:
        from bot.cli.terminal import as_json, clock, done, local_zone
        from supervisor.contract.delegations import DelegationRequest

        request = DelegationRequest.of(to=person, until=until, reason=because, zone=zone or local_zone())
        made = await remote.delegate(request)
        if json:
            as_json(made)
        else:
            done(f"{made.to_name or made.to} decides for you until {clock(made.until)} ({made.id}).")

    reach(work)


@app.command("list")
def list_(json: Json = False) -> None:
    """Those that last and concern you; all of them for an admin."""

    async def work(remote: HttpBackend) -> None:
        from bot.cli.terminal import as_json, clock, hint, table

        rows = await remote.delegations()
        if json:
            as_json([row.model_dump(mode="json") for row in rows])
        elif not rows:
            hint("Nobody decides for anybody. Add it: flagman delegate to U0GRACE01 --until friday")
        else:
            table(
                ("ID", "WHO DECIDES", "FOR", "UNTIL", "WHY"),
                [
                    (
                        (row.id, "bold"),
                        row.to_name or row.to,
                        row.by_name or row.by,
                        clock(row.until),
                        row.reason,
                    )
                    for row in rows
                ],
                wide=4,
            )

    reach(work)


@app.command()
def drop(
    delegation: Annotated[str, typer.Argument(metavar="ID", help="As `flagman delegate list` shows it.")],
) -> None:
    """End it at once; decisions that were made by it stay."""

    async def work(remote: HttpBackend) -> None:
        from bot.cli.terminal import done

        await remote.drop_delegation(delegation)
        done(f"Delegation {delegation} has ended.")

    reach(work)
