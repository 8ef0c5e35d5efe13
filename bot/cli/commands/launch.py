"""`flagman launch | fork`: launch sessions, and with `--wait` follow them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bot.cli.client import CANCELLED, FAILED, USAGE, WAITING, Json, SessionId, reach, refuse
from bot.cli.completion import personas

if TYPE_CHECKING:
    from bot.sdk.http_backend import HttpBackend
    from supervisor.contract.models import SessionView

app = typer.Typer()
PANEL = "Sessions"
CODES = {"completed": 0, "failed": FAILED, "cancelled": CANCELLED}
Channel = Annotated[str | None, typer.Option(help="The id of the Slack channel to show it in.")]
Key = Annotated[str | None, typer.Option(help="The same key and request give the same session again.")]
Wait = Annotated[bool, typer.Option("--wait", "-w", help="Show what happens until it has ended.")]
Until = Annotated[
    str,
    typer.Option(help="With --wait: `ended`, or `person` to stop as soon as it, or a sub-agent, needs one."),
]
Timeout = Annotated[float | None, typer.Option(help="With --wait: seconds at most.")]


@app.command(rich_help_panel=PANEL)
def launch(
    persona: Annotated[
        str | None,
        typer.Argument(
            metavar="PERSONA",
            help="Who does it: see `flagman personas`. May be left out with --coordinate or --plan.",
            show_default=False,
            autocompletion=personas,
        ),
    ] = None,
    task: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="TASK", help="What to do; `-` reads it from standard input.", show_default=False
        ),
    ] = None,
    context: Annotated[str, typer.Option(help="What to know besides the task.")] = "",
    channel: Channel = None,
    coordinate: Annotated[
        bool, typer.Option("--coordinate", help="Split the task over sub-agents, by project-coordinator.")
    ] = False,
    plan: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Carry out this plan instead of making one: YAML or JSON with `subtasks` (`id`, `persona`, `task`, "
            "`depends_on`) and `on_failure`; `-` reads it from standard input.",
        ),
    ] = None,
    limits: Annotated[
        str,
        typer.Option(help="`steps=20 usd=2 minutes=30`; within those of the persona and the channel."),
    ] = "",
    idempotency_key: Key = None,
    wait: Wait = False,
    until: Until = "ended",
    timeout: Timeout = None,
    json: Json = False,
) -> None:
    """Start a session.

    With --wait the exit code says how it ended: 0 completed, 3 needs somebody or is out of time, 4 failed, 5 cancelled.
    """
    coordinating = coordinate or plan is not None
    if persona is None:
        refuse("PERSONA TASK: say who does what.", USAGE)
    who, words = ("", persona) if coordinating and not task else (persona, " ".join(task or []))
    if not words:
        refuse("TASK: say what to do.", USAGE)
    _check_until(until, wait)
    if words == plan == "-":
        refuse("--plan: standard input is read for the task already.", USAGE)
    given = coordinating if plan is None else _plan(plan)
    said = sys.stdin.read() if words == "-" else words

    async def work(remote: HttpBackend) -> int | None:
        from bot.cli.terminal import done, hint
        from supervisor.contract.requests import LaunchRequest
        from supervisor.contract.settings import limits_request

        request = LaunchRequest.of(
            persona=who or None,
            task=said,
            context=context,
            channel=channel,
            coordinate=given,
            limits=limits_request(limits.split()) if limits else None,
        )
        state = await remote.launch(request, idempotency_key=idempotency_key)
        if not json:
            await _warn(remote, state.persona)
        if wait:
            return await _follow_session(remote, state, until, timeout, json)
        if not _print_session(state, json):
            done(f"Launched {state.persona} as {state.id}.")
            hint(f"  flagman tail {state.id}")
        return 0

    reach(work)


@app.command(rich_help_panel=PANEL)
def fork(
    session_id: SessionId,
    at: Annotated[
        int | None, typer.Option("--at", min=0, help="The last step to copy; 0 is the bare task.")
    ] = None,
    message: Annotated[str, typer.Option("--message", "-m", help="What the copy shall do otherwise.")] = "",
    channel: Channel = None,
    idempotency_key: Key = None,
    wait: Wait = False,
    until: Until = "ended",
    timeout: Timeout = None,
    json: Json = False,
) -> None:
    """Copy a session, which continues by itself from there; what ran before does not run again.

    Without --at the copy is as long as it can be.
    """
    _check_until(until, wait)

    async def work(remote: HttpBackend) -> int | None:
        from bot.cli.terminal import done, hint
        from supervisor.contract.requests import ForkRequest
        from supervisor.core.text.format import not_here

        request = ForkRequest.of(step=at, message=message, channel=channel)
        state = await remote.fork(session_id, request, idempotency_key=idempotency_key)
        if wait:
            return await _follow_session(remote, state, until, timeout, json)
        if not _print_session(state, json):
            step = state.forked_from.step if state.forked_from else 0
            done(f"{state.id} continues from step {step} of {session_id}.")
            if state.forked_from and state.forked_from.missing:
                hint(f"  {not_here(state.forked_from.missing)}")
            hint(f"  flagman tail {state.id}")
        return 0

    reach(work)


def _check_until(until: str, wait: bool) -> None:
    if until not in ("ended", "person"):
        refuse("--until: write `ended` or `person`.", USAGE)
    if until != "ended" and not wait:
        refuse("--until: is for --wait.", USAGE)


async def _warn(remote: HttpBackend, persona: str) -> None:
    """Say on a terminal what is wrong with the persona that was launched."""
    from contextlib import suppress

    from bot.cli.terminal import is_terminal, show, text
    from supervisor.core.errors import FlagmanError

    if not is_terminal(sys.stderr):
        return
    # A key may be there to launch only.
    with suppress(FlagmanError):
        for row in (await remote.call("GET", "/v1/personas"))["personas"]:
            for note in row.get("notes", ()) if row["name"] == persona else ():
                show(text(("! ", "yellow"), (persona, "bold"), "  ", note), err=True)


async def _follow_session(
    remote: HttpBackend, state: SessionView, until: str, timeout: float | None, json: bool
) -> int | None:
    from bot.cli.follow import follow
    from bot.cli.terminal import as_json, show, text
    from bot.sdk import Session

    state = await follow(Session(remote, state), until, timeout, quiet=json)
    if json:
        as_json(state)
    elif state.ended and state.result:
        show(text(state.result))
    return CODES.get(state.status, WAITING)


def _print_session(state: SessionView, json: bool) -> bool:
    """Print the session as JSON, or its id in a pipe. Returns False on a terminal, where nothing is printed."""
    from bot.cli.terminal import as_json, is_terminal, show

    if json:
        as_json(state)
    elif not is_terminal():
        show(state.id)
    return json or not is_terminal()


def _plan(path: str) -> Any:
    """Return the plan in a file, as YAML or JSON; exit with an error if it cannot be read."""
    import yaml

    from supervisor.contract.requests import validate
    from supervisor.core.delegation import Plan
    from supervisor.core.errors import InvalidInput

    try:
        found = yaml.safe_load(sys.stdin.read() if path == "-" else Path(path).read_text("utf-8"))
        return validate(Plan, found, "the plan")
    except OSError as error:
        refuse(f"--plan: {path} cannot be read ({error.strerror}).", USAGE)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f" at line {mark.line + 1}" if mark else ""
        refuse(f"--plan: {path} is neither YAML nor JSON{line}.", USAGE)
    except InvalidInput as error:
        refuse(f"--plan: {error}", USAGE)
