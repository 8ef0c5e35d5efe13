"""`flagman schedule add | list | pause | resume | delete | run`."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bot.cli.client import Json, reach

if TYPE_CHECKING:
    from bot.sdk.http_backend import HttpBackend

app = typer.Typer(no_args_is_help=True, help="Sessions that are launched by the clock.")
Schedule = Annotated[str, typer.Argument(metavar="ID", help="As `flagman schedule list` shows it.")]


@app.command()
def add(
    cron: Annotated[str, typer.Argument(help="Five fields like `0 9 * * MON-FRI`, or @daily.")],
    persona: Annotated[str, typer.Argument()],
    task: Annotated[str, typer.Argument()],
    zone: Annotated[str | None, typer.Option(help="Its time zone (default: yours).")] = None,
    channel: Annotated[str | None, typer.Option(help="The id of the Slack channel to show it in.")] = None,
    json: Json = False,
) -> None:
    """Launch a session at each of these times."""

    async def work(remote: HttpBackend) -> None:
        from bot.cli.terminal import as_json, clock, done, local_zone

        body = {
            "cron": cron,
            "persona": persona,
            "task": task,
            "zone": zone or local_zone(),
            "channel": channel,
        }
        found = await remote.call("POST", "/v1/schedules", body)
        if json:
            as_json(found)
        else:
            times = ", ".join(clock(datetime.fromisoformat(due)) for due in found["next_times"])
            done(f"Schedule {found['id']} launches {persona} next at {times}.")

    reach(work)


@app.command("list")
def list_(json: Json = False) -> None:
    """All schedules, the next due first."""

    async def work(remote: HttpBackend) -> None:
        from bot.cli.terminal import as_json, hint, table

        rows = (await remote.call("GET", "/v1/schedules"))["schedules"]
        if json:
            as_json(rows)
        elif not rows:
            hint('No schedules. Add one: flagman schedule add "0 9 * * MON" sre "weekly report"')
        else:
            table(
                ("ID", "NEXT", "CRON", "PERSONA", "TASK", "LAST"),
                [
                    (
                        (row["id"], "bold"),
                        (_due(row), "" if row["due"] else "yellow"),
                        f"{row['cron']} ({row['zone']})",
                        row["persona"],
                        row["task"],
                        (row["last_problem"], "red") if row["last_problem"] else (row["last_session"] or ""),
                    )
                    for row in rows
                ],
                wide=4,
            )

    reach(work)


@app.command()
def pause(schedule: Schedule, json: Json = False) -> None:
    """Launch nothing until it is resumed."""
    _act("POST", f"{schedule}/pause", f"Schedule {schedule} is paused.", json)


@app.command()
def resume(schedule: Schedule, json: Json = False) -> None:
    """Go on from now."""
    _act("POST", f"{schedule}/resume", f"Schedule {schedule} goes on.", json)


@app.command()
def delete(schedule: Schedule) -> None:
    """Forget it; sessions that it launched stay."""
    _act("DELETE", schedule, f"Schedule {schedule} is deleted.", False)


@app.command()
def run(schedule: Schedule, json: Json = False) -> None:
    """Launch it once now, besides its times."""

    async def work(remote: HttpBackend) -> None:
        from bot.cli.terminal import as_json, done, is_terminal, show

        found = await remote.call("POST", f"/v1/schedules/{schedule}/run")
        if json:
            as_json(found)
        elif is_terminal():
            done(f"Launched {found['persona']} as {found['id']}.")
        else:
            show(found["id"])

    reach(work)


def _act(method: str, path: str, sentence: str, json: bool) -> None:
    async def work(remote: HttpBackend) -> None:
        from bot.cli.terminal import as_json, done

        found = await remote.call(method, f"/v1/schedules/{path}")
        if json:
            as_json(found)
        else:
            done(sentence)

    reach(work)


def _due(row: dict[str, Any]) -> str:
    from bot.cli.terminal import clock

    return clock(datetime.fromisoformat(row["due"])) if row["due"] else "paused"
