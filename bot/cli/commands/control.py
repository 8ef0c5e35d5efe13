"""`flagman pause | resume | resume-token | cancel | tell | answer | remind | event`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bot.cli.client import USAGE, Json, SessionId, reach, refuse

if TYPE_CHECKING:
    from bot.sdk.http_backend import HttpBackend
    from supervisor.contract.models import SessionView

app = typer.Typer()
PANEL = "Sessions"
Data = Annotated[str | None, typer.Option("--data", "-d", help="JSON; `-` reads it from standard input.")]


@app.command(rich_help_panel=PANEL)
def pause(
    session_id: SessionId,
    until: Annotated[
        list[str] | None,
        typer.Option(
            "--until",
            "-u",
            help='What resumes it: `webhook: redis_ready`, `event: deploy.finished where env == "prod"`, '
            "`at: 09:00`, `in: 2h`, `cron: 0 9 * * MON-FRI`, `approval`. May be given several times.",
        ),
    ] = None,
    reason: Annotated[str, typer.Option("--reason", "-r", help="Why, for people.")] = "",
    replace: Annotated[
        bool, typer.Option("--replace", help="In place of what it waits for; otherwise besides that.")
    ] = False,
    cascade: Annotated[bool, typer.Option(help="Its sub-agents pause with it, and resume with it.")] = True,
    json: Json = False,
) -> None:
    """Stop at the next step, or add to what a paused session waits for.

    Prints a token that resumes it, once, unless it waits for an approval.
    """

    async def work(remote: HttpBackend) -> None:
        from bot.cli.terminal import as_json, clock, done, hint, is_terminal, local_zone, show
        from supervisor.contract.requests import PauseRequest
        from supervisor.core.text.format import count

        request = PauseRequest.of(
            reason=reason,
            resume_conditions=until or [],
            zone=local_zone(),
            replace=replace,
            cascade=cascade,
        )
        paused = await remote.pause(session_id, request)
        if json:
            as_json(paused)
            return
        for problem in paused.problems:
            typer.echo(problem, err=True)
        if paused.resume_token is None:
            done(f"{session_id} is paused until it is approved.")
            hint(f"  flagman approve {session_id}   or   flagman deny {session_id} --reason …")
            return
        if not is_terminal():
            show(paused.resume_token)
            return
        waits = f" until {' or '.join(paused.conditions)}" if paused.conditions else ""
        below = f", and {count(paused.sub_agents, 'sub-agent')} with it" if paused.sub_agents else ""
        done(f"{session_id} is paused{waits}{below}.")
        expires = f", until {clock(paused.expires_at)}" if paused.expires_at else ""
        hint(f"  flagman resume {session_id}, or flagman resume-token TOKEN once{expires}:")
        show(paused.resume_token)

    reach(work)


@app.command(rich_help_panel=PANEL)
def resume(
    session_id: SessionId,
    context: Annotated[str, typer.Option("--context", "-c", help="What the agent should know now.")] = "",
    data: Data = None,
    trigger: Annotated[
        str,
        typer.Option(
            "--trigger",
            "-t",
            help="What came, of what it waits for: webhook, event, clock or children.",
        ),
    ] = "manual",
    compact: Annotated[
        bool, typer.Option("--compact", help="Sum up its earlier steps first, where its context is full.")
    ] = False,
    when: Annotated[
        str | None,
        typer.Option("--when", "-w", help="At this time instead of now: `in 2h`, `09:00`, `tomorrow 09:00`."),
    ] = None,
    json: Json = False,
) -> None:
    """Resume it, whatever it waits for; one stopped by its budget gets as much again."""
    given = _json(data)

    async def work(remote: HttpBackend) -> None:
        from bot.cli.terminal import local_zone
        from supervisor.contract.requests import ResumeRequest

        request = ResumeRequest.of(
            trigger=trigger, data=given, context=context, compact=compact, when=when, zone=local_zone()
        )
        state = await remote.resume(session_id, request)
        waits = f" {when}, or earlier if somebody resumes it" if when else ""
        _say(state, f"{session_id} resumes{waits}.", json)

    reach(work)


@app.command("resume-token", rich_help_panel=PANEL)
def resume_token(
    token: Annotated[str, typer.Argument(metavar="TOKEN", help="What `flagman pause` printed.")],
    context: Annotated[str, typer.Option("--context", "-c", help="What the agent should know now.")] = "",
    data: Data = None,
    json: Json = False,
) -> None:
    """End the pause that the token is for, once; no other right is needed."""
    given = _json(data)

    async def work(remote: HttpBackend) -> None:
        from supervisor.contract.requests import TokenRequest

        state = await remote.redeem(token, TokenRequest.of(data=given, context=context))
        _say(state, f"{state.id} resumes.", json)

    reach(work)


@app.command(rich_help_panel=PANEL)
def cancel(
    session_id: SessionId,
    reason: Annotated[str, typer.Option("--reason", "-r", help="Why, for people.")] = "",
    json: Json = False,
) -> None:
    """End it; nothing that it proposed will run."""

    async def work(remote: HttpBackend) -> None:
        from supervisor.contract.requests import CancelRequest

        _say(
            await remote.cancel(session_id, CancelRequest.of(reason=reason)),
            f"{session_id} is cancelled.",
            json,
        )

    reach(work)


@app.command(rich_help_panel=PANEL)
def tell(
    session_id: SessionId,
    words: Annotated[list[str], typer.Argument(metavar="TEXT", help="`-` reads it from standard input.")],
    persona: Annotated[
        str | None,
        typer.Option("--persona", "-p", help="It is a note of this persona, which answers nothing."),
    ] = None,
    instead: Annotated[
        bool,
        typer.Option("--instead", help="Withdraw the calls that wait for an approval: it does this instead."),
    ] = False,
    json: Json = False,
) -> None:
    """Say something to the agent: it answers its open question, or is read at its next step."""
    said = sys.stdin.read() if words == ["-"] else " ".join(words)

    async def work(remote: HttpBackend) -> None:
        from supervisor.contract.requests import ContextRequest

        _say(
            (
                await remote.tell(session_id, ContextRequest.of(text=said, persona=persona, instead=instead))
            ).session,
            f"{session_id} was told.",
            json,
        )

    reach(work)


@app.command(rich_help_panel=PANEL)
def answer(
    session_id: SessionId,
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="ANSWER", help="In words, or the fields of a server as JSON."),
    ] = None,
    call: Annotated[str | None, typer.Option(help="Which question, where there are several.")] = None,
    decline: Annotated[bool, typer.Option("--decline", help="Decline what a server asks for.")] = False,
    cancel: Annotated[bool, typer.Option("--cancel", help="Leave it without a choice.")] = False,
    json: Json = False,
) -> None:
    """Answer the open question of the agent, or of a server in the middle of a call."""
    action = "decline" if decline else "cancel" if cancel else "accept"
    if bool(words) == (decline or cancel):
        raise typer.BadParameter("give an answer, or --decline, or --cancel", param_hint="ANSWER")

    async def work(remote: HttpBackend) -> None:
        from supervisor.contract.requests import AnswerRequest

        request = AnswerRequest.of(call_id=call, answer=" ".join(words or []), action=action)
        told = {"decline": "declined", "cancel": "left without a choice"}.get(action)
        said = f"The question of {session_id} was {told}." if told else f"{session_id} has its answer."
        _say(await remote.answer(session_id, request), said, json)

    reach(work)


@app.command(rich_help_panel=PANEL)
def remind(
    session_id: SessionId,
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="WHEN [TEXT]",
            help="When, and what about: `in 30m`, `09:00`, `tomorrow 09:00`, `2026-12-01T09:00`.",
        ),
    ],
    drop: Annotated[bool, typer.Option("--drop", help="Take the reminder with this id back.")] = False,
    json: Json = False,
) -> None:
    """Be reminded in the session's thread; with --drop WHEN is a reminder's id, as `show` tells it."""

    async def work(remote: HttpBackend) -> None:
        from bot.cli.terminal import as_json, clock, done, local_zone
        from supervisor.contract.requests import ReminderRequest

        if drop:
            await remote.drop_reminder(session_id, words[0])
            done(f"Reminder {words[0]} is dropped.")
            return
        when, about = _when(words, local_zone())
        request = ReminderRequest.of(when=when, text=about, zone=local_zone())
        found = await remote.remind(session_id, request)
        if json:
            as_json(found)
        else:
            done(f"{session_id}: reminder {found.id} at {clock(found.due)}.")

    reach(work)


def _when(words: list[str], zone: str) -> tuple[str, str]:
    """Return the time at the beginning of the words and the text after it; in quotes, they are two of the words."""
    from datetime import UTC, datetime

    from supervisor.core.due import leading_due

    if any(" " in word.strip() for word in words):
        return words[0], " ".join(words[1:])
    text = " ".join(words)
    found = leading_due(text, datetime.now(UTC), zone)
    about = found[1] if found else ""
    return text.removesuffix(about).rstrip(" ,;.!?:"), about


@app.command(rich_help_panel="Signals and schedules")
def event(
    type_: Annotated[str, typer.Argument(metavar="TYPE", help="Such as deploy.finished.")],
    data: Data = None,
    event_id: Annotated[str | None, typer.Option("--id", help="The same id again does nothing.")] = None,
    json: Json = False,
) -> None:
    """Tell every session that waits for this event."""
    given = _json(data)

    async def work(remote: HttpBackend) -> None:
        from bot.cli.terminal import as_json, done
        from supervisor.contract.requests import EventRequest
        from supervisor.core.text.format import woken

        found = await remote.emit(EventRequest.of(type=type_, data=given, id=event_id))
        if json:
            as_json(found)
        else:
            done(woken(found.resumed, found.others, repeated=found.repeated))

    reach(work)


def _json(text: str | None) -> Any:
    import json

    if text is None:
        return None
    try:
        return json.loads(sys.stdin.read() if text == "-" else text)
    except (ValueError, RecursionError) as error:
        refuse(f"--data: this is no JSON ({error}).", USAGE)


def _say(state: SessionView, sentence: str, as_document: bool) -> None:
    from bot.cli.terminal import as_json, done

    if as_document:
        as_json(state)
    else:
        done(sentence)
