"""`flagman grants allow | list | revoke`: calls that are allowed in advance, for some time."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.client import REFUSED, USAGE, Json, SessionId, reach, refuse

if TYPE_CHECKING:
    from bot.sdk.http_backend import HttpBackend
    from supervisor.contract.grants import GrantView

app = typer.Typer(no_args_is_help=True, help="Calls that are allowed in advance, for some time.")


@app.command()
def allow(
    session_id: SessionId,
    call: Annotated[str, typer.Argument(metavar="CALL", help="A call that waits, such as 1.1.")],
    until: Annotated[str, typer.Option(help="Within 24 hours: `in 30m`, `18:00`, `today`.")] = "in 30m",
    where: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ARGUMENT=PATTERN",
            help="Such as 'command=kubectl get *'; the others as the call has them.",
        ),
    ] = None,
    channel: Annotated[
        bool, typer.Option("--channel", help="In all sessions of its channel, not in this one alone.")
    ] = False,
    zone: Annotated[str | None, typer.Option(help="The time zone (default: yours).")] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Show the call, and do not ask.")] = False,
    json: Json = False,
) -> None:
    """Approve a call, and allow calls like it without asking, until a time.

    It takes a key that belongs to a person, whose right is looked at again for each call.
    """
    patterns = dict(part.partition("=")[::2] for part in where or [])
    if not all("=" in part for part in where or []):
        refuse("--where: write it as ARGUMENT=PATTERN, such as 'command=kubectl get *'.", USAGE)

    async def work(remote: HttpBackend) -> int:
        from bot.cli.pending import pending_calls, show_pending
        from bot.cli.terminal import as_json, clock, done, local_zone
        from supervisor.contract.grants import GrantRequest
        from supervisor.core.rules.patterns import exactly

        state = await remote.get(session_id)
        found = await pending_calls(remote, state, [call])
        if not found:
            refuse(f"No call {call} of {session_id} waits for an approval.")
        shown = found[0].call
        given = shown.arguments if isinstance(shown.arguments, dict) else {}
        show_pending(found, err=json)
        if not yes and not sys.stdin.isatty():
            refuse("Nobody can be asked, since standard input is no terminal: say --yes.")
        if not yes and not typer.confirm("Approve it, and allow calls like it?", default=False):
            return REFUSED
        request = GrantRequest.of(
            scope="channel" if channel else "session",
            until=until,
            zone=zone or local_zone(),
            arguments={**exactly(given), **patterns},
            digest=shown.digest,
            request=shown.request,
        )
        made = (await remote.allow(session_id, call, request)).grant
        if json:
            as_json(made)
        else:
            done(f"Approved {call} of {session_id}; {_terms(made)} until {clock(made.until)} ({made.id}).")
        return 0

    reach(work)


def _terms(grant: GrantView) -> str:
    patterns = ", ".join(f"{name} is {pattern}" for name, pattern in sorted(grant.arguments.items()))
    return f"{grant.tool} is allowed where {patterns or 'it has no arguments'}"


@app.command("list")
def list_(json: Json = False) -> None:
    """Those that last, in the sessions that you see."""

    async def work(remote: HttpBackend) -> None:
        from bot.cli.terminal import as_json, clock, hint, table

        rows = await remote.grants()
        if json:
            as_json([row.model_dump(mode="json") for row in rows])
        elif not rows:
            hint(
                "Nothing is allowed in advance. Allow it: flagman grants allow SESSION CALL --until 'in 30m'"
            )
        else:
            table(
                ("ID", "WHERE", "PERSONA", "UNTIL", "BY", "WHAT"),
                [
                    (
                        (row.id, "bold"),
                        row.channel or "its session",
                        row.persona,
                        clock(row.until),
                        row.by_name or row.by,
                        _terms(row),
                    )
                    for row in rows
                ],
                wide=5,
            )

    reach(work)


@app.command()
def revoke(
    grant: Annotated[str, typer.Argument(metavar="ID", help="As `flagman grants list` shows it.")],
) -> None:
    """End it at once; what ran by it stays."""

    async def work(remote: HttpBackend) -> None:
        from bot.cli.terminal import done

        await remote.revoke_grant(grant)
        done(f"Grant {grant} has ended.")

    reach(work)
