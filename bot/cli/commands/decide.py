"""`flagman approve | deny | settle`: calls are shown in full before the decision."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from bot.cli.client import REFUSED, USAGE, Json, SessionId, reach, refuse

if TYPE_CHECKING:
    from bot.cli.pending import PendingCall
    from bot.sdk.http_backend import HttpBackend

app = typer.Typer()
PANEL = "Decisions"
CALL_VERDICTS, CHILD_VERDICTS = ("run-again", "done", "failed"), ("retry", "skip", "stop")
Calls = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[CALL]...",
        help="Such as 1.1; all that wait when none is named, those of its sub-agents too.",
    ),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@app.command(rich_help_panel=PANEL)
def approve(
    session_id: SessionId,
    calls: Calls = None,
    edit: Annotated[
        bool, typer.Option("--edit", "-e", help="Change the arguments in $EDITOR first; one call.")
    ] = False,
    arguments: Annotated[
        str | None,
        typer.Option(
            metavar="JSON", help="With these instead; `-` reads them from standard input; one call."
        ),
    ] = None,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Let proposed calls run, after showing each in full."""
    if edit and arguments is not None:
        refuse("--edit: the arguments are given already.", USAGE)
    if edit or arguments is not None:
        _change(session_id, calls or [], arguments, yes, json)
    else:
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
    what: Annotated[
        str,
        typer.Argument(metavar="CALL|SUB-AGENT", help="A call that was cut off, or a sub-agent that failed."),
    ],
    verdict: Annotated[
        str,
        typer.Argument(help="Of a call run-again, done or failed; of a sub-agent retry, skip or stop."),
    ],
    result: Annotated[str, typer.Option(help="What came of the call; the agent reads it.")] = "",
    json: Json = False,
) -> None:
    """Say what became of a call that was cut off, or what next of a sub-agent that failed.

    A sub-agent is done again (retry), the plan goes on without it (skip), or the rest of it is stopped (stop).
    """
    if verdict not in CALL_VERDICTS + CHILD_VERDICTS:
        refuse("VERDICT: write run-again, done or failed; of a sub-agent retry, skip or stop.", USAGE)
    if result and verdict in CHILD_VERDICTS:
        refuse("--result: is for a call that was cut off.", USAGE)

    async def work(remote: HttpBackend) -> None:
        from bot.cli.terminal import as_json, done
        from bot.sdk import Session
        from supervisor.contract.requests import OutcomeRequest

        if verdict in CHILD_VERDICTS:
            session = await Session.load(session_id, backend=remote)
            chosen: Any = verdict
            await session.decide_child(what, chosen)
            found: Any = session.state
        else:
            request = OutcomeRequest.of(verdict=verdict.replace("-", "_"), result=result)
            found = await remote.decide_outcome(session_id, what, request)
        if json:
            as_json(found)
        else:
            kind = "Sub-agent" if verdict in CHILD_VERDICTS else "Call"
            done(f"{kind} {what} of {session_id}: {verdict}.")

    reach(work)


def _decide(
    session_id: str,
    calls: list[str],
    verdict: Literal["approve", "deny"],
    reason: str,
    yes: bool,
    json: bool,
) -> None:
    async def work(remote: HttpBackend) -> int | None:
        from bot.cli.pending import pending_calls
        from bot.cli.terminal import as_json, done
        from supervisor.contract.requests import DecisionRequest

        def request(digest: str | None) -> DecisionRequest:
            return DecisionRequest.of(verdict=verdict, reason=reason, digest=digest)

        state = await remote.get(session_id)
        found = await pending_calls(remote, state, calls)
        if not yes and found and not _confirm(session_id, found, verdict):
            return REFUSED
        # Only the calls that were shown are decided, even if others were proposed in the meantime.
        shown = {one.call.call_id: one.call.digest for one in found}
        for call_id in calls:
            state = await remote.decide(session_id, call_id, request(shown.get(call_id)))
        if not calls:
            for one in found:
                await remote.decide(one.session.id, one.call.call_id, request(one.call.digest))
            state = await remote.get(session_id)
        if json:
            as_json(state)
        else:
            _told(verdict, session_id, calls, found, done)
        return 0

    reach(work)


def _told(verdict: str, session_id: str, calls: list[str], found: list[PendingCall], done: Any) -> None:
    past = "Approved" if verdict == "approve" else "Denied"
    if calls:
        done(f"{past} {', '.join(calls)} of {session_id}.")
        return
    for owner in dict.fromkeys(one.session.id for one in found):
        named = ", ".join(one.call.call_id for one in found if one.session.id == owner)
        done(f"{past} {named} of {owner}.")


def _confirm(session_id: str, found: list[PendingCall], verdict: str) -> bool:
    from bot.cli.pending import show_pending
    from bot.cli.terminal import show

    if not sys.stdin.isatty():
        refuse(f"Say --yes to {verdict} without being asked; `flagman show {session_id}` shows the calls.")
    show_pending(found)
    show()
    many = "this call" if len(found) == 1 else f"these {len(found)} calls"
    return typer.confirm(f"{verdict.capitalize()} {many}?", default=False)


def _change(session_id: str, calls: list[str], given: str | None, yes: bool, json: bool) -> None:
    wanted = None if given is None else _arguments(sys.stdin.read() if given == "-" else given)

    async def work(remote: HttpBackend) -> int | None:
        from bot.cli.editor import edit, show_difference
        from bot.cli.pending import pending_calls, show_pending
        from bot.cli.terminal import as_json, done
        from supervisor.contract.requests import DecisionRequest

        found = await pending_calls(remote, await remote.get(session_id), calls)
        if len(found) != 1:
            refuse(f"Other arguments are for one call, and {len(found)} wait here; name it.", USAGE)
        (one,) = found
        if not yes and not sys.stdin.isatty():
            refuse("Say --yes to approve without being asked.")
        if not yes:
            show_pending(found)
        arguments = edit(one.call) if wanted is None else wanted
        if arguments is None:
            return REFUSED
        if not yes:
            show_difference(one.call, arguments)
            if not typer.confirm("Approve it like this?", default=False):
                return REFUSED
        request = DecisionRequest.of(verdict="approve", digest=one.call.digest, arguments=arguments)
        state = await remote.decide(one.session.id, one.call.call_id, request)
        if json:
            as_json(state)
        elif any(c.call_id == one.call.call_id and c.phase == "awaiting" for c in state.calls):
            done(f"Changed {one.call.call_id} of {one.session.id}; it waits for others to approve it.")
        else:
            done(f"Approved {one.call.call_id} of {one.session.id} as changed.")
        return 0

    reach(work)


def _arguments(text: str) -> dict[str, Any]:
    from bot.cli.editor import parse

    found = parse(text)
    if isinstance(found, str):
        refuse(f"--arguments: {found}", USAGE)
    return found
