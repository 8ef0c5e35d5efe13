"""`flagman approve | deny | settle`: a person sees all of a call before it is decided."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from bot.cli.reaching import REFUSED, USAGE, Json, SessionId, reach, refuse

if TYPE_CHECKING:
    from supervisor.client import Session
    from supervisor.remote import Remote
    from supervisor.states import ProposedCall

app = typer.Typer()
PANEL = "Decisions"
Calls = Annotated[
    list[str] | None,
    typer.Argument(metavar="[CALL]...", help="Such as 1.1; all that wait when none is named."),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@app.command(rich_help_panel=PANEL)
def approve(session_id: SessionId, calls: Calls = None, yes: Yes = False, json: Json = False) -> None:
    """Let proposed calls run, after showing each in full."""
    _decide(session_id, calls or [], "approve", "", yes, json)


@app.command(rich_help_panel=PANEL)
def deny(
    session_id: SessionId,
    calls: Calls = None,
    reason: Annotated[str, typer.Option("--reason", "-r", help="Why; the agent reads it.")] = "",
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Refuse proposed calls; the agent reads the reason."""
    _decide(session_id, calls or [], "deny", reason, yes, json)


@app.command(rich_help_panel=PANEL)
def settle(
    session_id: SessionId,
    call: Annotated[str, typer.Argument(help="The call that was cut off.")],
    verdict: Annotated[str, typer.Argument(help="run-again, done or failed.")],
    result: Annotated[str, typer.Option(help="What came of it; the agent reads it.")] = "",
    json: Json = False,
) -> None:
    """Say what became of a call that was cut off while it ran."""
    if verdict not in ("run-again", "done", "failed"):
        refuse("VERDICT: write run-again, done or failed.", USAGE)

    async def work(remote: Remote) -> None:
        from bot.cli.terminal import as_json, done

        body = {"verdict": verdict.replace("-", "_"), "result": result}
        found = await remote.call("POST", f"/v1/sessions/{session_id}/calls/{call}/outcome", body)
        if json:
            as_json(found)
        else:
            done(f"Call {call} of {session_id}: {verdict}.")

    reach(work)


def _decide(
    session_id: str,
    calls: list[str],
    verdict: Literal["approve", "deny"],
    reason: str,
    yes: bool,
    json: bool,
) -> None:
    async def work(remote: Remote) -> int | None:
        from bot.cli.terminal import as_json, done
        from bot.sdk import Session

        session = await Session.load(session_id, backend=remote)
        chosen = _chosen(session, calls)
        if not yes and chosen and not _agreed(session, chosen, verdict):
            return REFUSED
        # Exactly what was shown is what is decided on, even if more was proposed meanwhile.
        digests = {call.call_id: call.digest for call in chosen}
        for call_id in calls or list(digests):
            session.state = await remote.decide(session_id, call_id, verdict, reason, digests.get(call_id))
        if json:
            as_json(session.state)
        else:
            named = ", ".join(calls or digests)
            done(f"{'Approved' if verdict == 'approve' else 'Denied'} {named} of {session_id}.")
        return 0

    reach(work)


def _chosen(session: Session, calls: list[str]) -> list[ProposedCall]:
    """The calls to show. One that is named and not open is left to the server, which says why not."""
    from supervisor.core.errors import InvalidInput

    pending = session.pending_approvals
    if calls:
        return [call for call in pending if call.call_id in calls]
    if not pending:
        raise InvalidInput(f"Session {session.id} has no call that waits for an approval.")
    return pending


def _agreed(session: Session, chosen: list[ProposedCall], verdict: str) -> bool:
    from bot.cli.showing import call
    from bot.cli.terminal import show, text

    if not sys.stdin.isatty():
        refuse(f"Say --yes to {verdict} without being asked; `flagman show {session.id}` shows the calls.")
    show(text((session.id, "bold"), "  ", (session.state.persona, "blue"), "  ", session.state.task))
    for proposed in chosen:
        show()
        call(proposed)
    show()
    many = "this call" if len(chosen) == 1 else f"these {len(chosen)} calls"
    return typer.confirm(f"{verdict.capitalize()} {many}?", default=False)
