"""`flagman approve | deny | respond | settle`: calls are shown in full before the decision."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bot.cli.client import REFUSED, USAGE, Json, SessionId, reach, refuse
from bot.cli.completion import calls_that_wait

if TYPE_CHECKING:
    from bot.cli.pending import PendingCall
    from bot.sdk.http_backend import HttpBackend
    from supervisor.contract.models import DecisionsResult, SessionView
    from supervisor.core.commands.approvals import Verdict

app = typer.Typer()
PANEL = "Decisions"
CALL_VERDICTS, CHILD_VERDICTS = ("run-again", "done", "failed"), ("retry", "skip", "stop")
Calls = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[CALL]...",
        help="Such as 1.1; all that wait when none is named, those of its sub-agents too.",
        autocompletion=calls_that_wait,
    ),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Show the calls, and do not ask.")]


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
    """Let proposed calls run, after showing each in full.

    On a terminal it asks about each: approve, deny with a reason, respond, edit, view or skip. In a pipe say --yes.
    The exit code is 1 when a call was not decided.
    """
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
def respond(
    session_id: SessionId,
    answer: Annotated[str, typer.Argument(help="What the agent reads in place of a result.")],
    calls: Calls = None,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Answer proposed calls in place of running them: they do not run, and the agent reads the answer."""
    _decide(session_id, calls or [], "respond", answer, yes, json)


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

    A sub-agent is done again (retry), the plan continues without it (skip), or the rest of it is stopped (stop).
    """
    if verdict not in CALL_VERDICTS + CHILD_VERDICTS:
        refuse("VERDICT: write run-again, done or failed; of a sub-agent retry, skip or stop.", USAGE)
    if result and verdict in CHILD_VERDICTS:
        refuse("--result: is for a call that was cut off.", USAGE)

    async def work(remote: HttpBackend) -> None:
        from bot.cli.terminal import as_json, done
        from bot.sdk import Session

        if verdict in CHILD_VERDICTS:
            session = await Session.load(session_id, backend=remote)
            chosen: Any = verdict
            await session.decide_child(what, chosen)
            found: Any = session.state
        else:
            found = await _settle_call(
                remote, session_id, what, verdict.replace("-", "_"), result, quiet=json
            )
        if json:
            as_json(found)
        else:
            kind = "Sub-agent" if verdict in CHILD_VERDICTS else "Call"
            done(f"{kind} {what} of {session_id}: {verdict}.")

    reach(work)


async def _settle_call(
    remote: HttpBackend, session_id: str, call_id: str, verdict: str, result: str, *, quiet: bool
) -> SessionView:
    """Read the call, show it, and send the decision on the attempt that was shown."""
    from bot.cli.output import call
    from supervisor.contract.requests import OutcomeRequest
    from supervisor.contract.views import calls_seen

    state = await remote.get(session_id)
    (seen,) = calls_seen(state, [call_id])
    for one in state.calls:
        if one.call_id == call_id:
            call(one, err=quiet)
    request = OutcomeRequest.of(verdict=verdict, result=result, digest=seen.digest, request=seen.request)
    return await remote.decide_outcome(session_id, call_id, request)


def _decide(
    session_id: str,
    calls: list[str],
    verdict: Verdict,
    reason: str,
    yes: bool,
    json: bool,
) -> None:
    async def work(remote: HttpBackend) -> int | None:
        from bot.cli.pending import pending_calls
        from bot.cli.terminal import as_json, show, text
        from supervisor.contract.requests import DecisionsRequest
        from supervisor.contract.views import calls_seen

        state = await remote.get(session_id)
        found = await pending_calls(remote, state, calls)
        if not yes and not sys.stdin.isatty():
            refuse(_no_terminal(session_id, verdict, found))
        if verdict == "approve" and found and not (yes or json):
            from bot.cli.review import review

            gone = set(calls) - {one.call.call_id for one in found}
            for call_id in sorted(gone):
                show(text((_not_waiting(state, call_id), "red")), err=True)
            return 0 if await review(remote, found) and not gone else REFUSED
        if found and not _shown(found, verdict, yes=yes, quiet=json):
            return REFUSED
        # Only the calls that were shown are decided, even if they were changed or others proposed in the meantime.
        owners = {one.session.id: one.session for one in found} or {session_id: state}
        complete = True
        for owner in owners.values():
            named = calls or [one.call.call_id for one in found if one.session.id == owner.id]
            request = DecisionsRequest.of(verdict=verdict, reason=reason, calls=calls_seen(owner, named))
            done = await remote.decide_each(owner.id, request)
            complete = _told(verdict, done, quiet=json) and complete
        if json:
            as_json(await remote.get(session_id))
        return 0 if complete else REFUSED

    reach(work)


def _told(verdict: Verdict, done: DecisionsResult, *, quiet: bool) -> bool:
    """Say what happened to each call, with `quiet` only to those that were refused; returns whether all are decided."""
    from bot.cli.terminal import done as say
    from bot.cli.terminal import show, text

    past = {"approve": "Approved", "deny": "Denied", "respond": "Answered"}[verdict]
    decided = ", ".join(result.call_id for result in done.results if result.decided)
    if decided and not quiet:
        say(f"{past} {decided} of {done.session.id}.")
    waiting = {call.call_id for call in done.session.calls if call.phase == "awaiting"}
    if more := ", ".join(
        result.call_id for result in done.results if result.call_id in waiting and result.decided
    ):
        show(text(f"Others have yet to approve {more} before it runs."), err=quiet)
    refused = [result for result in done.results if not result.decided]
    for result in refused:
        show(text((f"{result.call_id} of {done.session.id}: {result.detail}", "red")), err=True)
    return not refused


def _not_waiting(state: SessionView, call_id: str) -> str:
    from bot.cli.pending import own_calls

    waiting = ", ".join(one.call.call_id for one in own_calls(state))
    return (
        f"No call {call_id} of {state.id} waits for an approval. "
        f"{f'These do: {waiting}.' if waiting else 'None does.'}"
    )


def _no_terminal(session_id: str, verdict: str, found: list[PendingCall]) -> str:
    named = " ".join(one.call.call_id for one in found if one.session.id == session_id)
    answer = " ANSWER" if verdict == "respond" else ""
    command = f"flagman {verdict} {session_id}{answer} {named}".rstrip()
    return (
        f"Nobody can be asked, since standard input is no terminal: `flagman show {session_id}` shows the calls, and "
        f"`{command} --yes` decides."
    )


def _shown(found: list[PendingCall], verdict: str, *, yes: bool, quiet: bool) -> bool:
    """Show the calls, and ask unless `yes`; `quiet` leaves standard output to JSON. Returns whether to decide."""
    from bot.cli.pending import show_pending
    from bot.cli.terminal import show

    show_pending(found, err=quiet)
    show(err=quiet)
    many = "this call" if len(found) == 1 else f"these {len(found)} calls"
    ask = "Answer, in place of running," if verdict == "respond" else verdict.capitalize()
    return yes or typer.confirm(f"{ask} {many}?", default=False)


def _change(session_id: str, calls: list[str], given: str | None, yes: bool, json: bool) -> None:
    wanted = None if given is None else _arguments(sys.stdin.read() if given == "-" else given)

    async def work(remote: HttpBackend) -> int | None:
        from bot.cli.editor import edit
        from bot.cli.pending import pending_calls, show_pending
        from bot.cli.review import approve_changed
        from bot.cli.terminal import as_json

        state = await remote.get(session_id)
        found = await pending_calls(remote, state, calls)
        if len(found) != 1:
            refuse(
                f"Other arguments are for one call, and {len(found)} wait here; name one."
                if len(calls) != 1
                else _not_waiting(state, calls[0]),
                USAGE,
            )
        (one,) = found
        if not yes and not sys.stdin.isatty():
            refuse(_no_terminal(session_id, "approve", found))
        show_pending(found, err=json)
        arguments = edit(one.call) if wanted is None else wanted
        if arguments is None or not await approve_changed(remote, one, arguments, yes=yes, quiet=json):
            return REFUSED
        if json:
            as_json(await remote.get(one.session.id))
        return 0

    reach(work)


def _arguments(text: str) -> dict[str, Any]:
    from bot.cli.editor import parse

    found = parse(text)
    if isinstance(found, str):
        refuse(f"--arguments: {found}", USAGE)
    return found
