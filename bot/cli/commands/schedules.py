"""`flagman schedule add | list | pause | resume | delete | run`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bot.cli.client import Json, reach
from bot.cli.completion import personas

if TYPE_CHECKING:
    from bot.sdk.http_backend import HttpBackend

app = typer.Typer(no_args_is_help=True, help="Sessions that are launched by the clock.")
Schedule = Annotated[str, typer.Argument(metavar="ID", help="As `flagman schedule list` shows it.")]


@app.command()
def add(
    cron: Annotated[str, typer.Argument(help="Five fields like `0 9 * * MON-FRI`, or @daily.")],
    persona: Annotated[str, typer.Argument(autocompletion=personas)],
    task: Annotated[str, typer.Argument()],
    zone: Annotated[str | None, typer.Option(help="Its time zone (default: yours).")] = None,
    channel: Annotated[str | None, typer.Option(help="The id of the Slack channel to show it in.")] = None,
    overlap: Annotated[
        str,
        typer.Option(
            help="Where the one before has not ended: `skip` this one, `queue` it, or `replace` that one."
        ),
    ] = "skip",
    json: Json = False,
) -> None:
    """Launch a session at each of these times."""

    async def work(remote: HttpBackend) -> None:
        from bot.cli.terminal import as_json, clock, done, local_zone
        from supervisor.contract.requests import ScheduleRequest

        request = ScheduleRequest.of(
            cron=cron,
            persona=persona,
            task=task,
            zone=zone or local_zone(),
            channel=channel,
            overlap=overlap,
        )
        found = await remote.add_schedule(request)
        if json:
            as_json(found)
        else:
            times = ", ".join(map(clock, found.next_times))
            done(f"Schedule {found.id} launches {persona} next at {times}.")

    reach(work)


@app.command("list")
def list_(json: Json = False) -> None:
    """All schedules, the next due first."""

    async def work(remote: HttpBackend) -> None:
        from bot.cli.terminal import as_json, clock, hint, table

        rows = await remote.schedules()
        if json:
            as_json([row.model_dump(mode="json") for row in rows])
        elif not rows:
            hint('No schedules. Add one: flagman schedule add "0 9 * * MON" sre "weekly report"')
        else:
            table(
                ("ID", "NEXT", "CRON", "PERSONA", "TASK", "LAST"),
                [
                    (
                        (row.id, "bold"),
                        (", ".join(map(clock, row.next_times)), "") if row.due else ("paused", "yellow"),
                        f"{row.cron} ({row.zone})",
                        row.persona,
                        row.task,
                        (row.last_problem, "red") if row.last_problem else (row.last_session or ""),
                    )
                    for row in rows
                ],
                wide=4,
            )

    reach(work)


@app.command()
def pause(schedule: Schedule, json: Json = False) -> None:
    """Launch nothing until it is resumed."""
    _act(lambda remote: remote.pause_schedule(schedule), f"Schedule {schedule} is paused.", json)


@app.command()
def resume(schedule: Schedule, json: Json = False) -> None:
    """Go on from now."""
    _act(lambda remote: remote.resume_schedule(schedule), f"Schedule {schedule} is resumed.", json)


@app.command()
def delete(schedule: Schedule) -> None:
    """Forget it; sessions that it launched stay."""
    _act(lambda remote: remote.delete_schedule(schedule), f"Schedule {schedule} is deleted.", False)


@app.command()
def run(schedule: Schedule, json: Json = False) -> None:
    """Launch it once now, besides its times."""

    async def work(remote: HttpBackend) -> None:
        from bot.cli.terminal import as_json, done, is_terminal, show

        found = await remote.run_schedule(schedule)
        if json:
            as_json(found)
        elif is_terminal():
            done(f"Launched {found.persona} as {found.id}.")
        else:
            show(found.id)

    reach(work)


def _act(verb: Callable[[HttpBackend], Awaitable[Any]], sentence: str, json: bool) -> None:
    async def work(remote: HttpBackend) -> None:
        from bot.cli.terminal import as_json, done

        found = await verb(remote)
        if json:
            as_json(found)
        else:
            done(sentence)

    reach(work)
