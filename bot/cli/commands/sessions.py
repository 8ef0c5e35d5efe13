"""`flagman list | show | log | tail`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli import completion
from bot.cli.client import Json, SessionId, reach

if TYPE_CHECKING:
    from bot.sdk.http_backend import HttpBackend
    from supervisor.contract.models import SessionView, UnreadableView

app = typer.Typer()
PANEL = "Sessions"


@app.command("list", rich_help_panel=PANEL)
def list_(
    status: Annotated[
        str | None, typer.Option("--status", "-s", help="running, paused, completed, failed or cancelled.")
    ] = None,
    persona: Annotated[
        str | None,
        typer.Option(
            "--persona", "-p", help="Only those of this persona.", autocompletion=completion.personas
        ),
    ] = None,
    parent: Annotated[
        str | None,
        typer.Option(
            help="Only the sub-agents that this session launched.", autocompletion=completion.sessions
        ),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=1000, help="How many at most.")] = 20,
    json: Json = False,
) -> None:
    """The newest sessions first."""

    async def work(remote: HttpBackend) -> None:
        from bot.cli.labels import status_phrase
        from bot.cli.terminal import DIM, STATUS_STYLES, ago, as_json, hint, is_terminal, table
        from supervisor.core.text.format import count

        rows, unreadable, archived = await _newest(remote, status, persona, parent, limit)
        if json:
            lost = [{"id": row.id, "status": "unreadable", "problem": row.problem} for row in unreadable]
            as_json([*(row.model_dump(mode="json") for row in rows), *lost])
            return
        for row in unreadable:
            typer.echo(row.problem, err=True)
        if archived:
            more = f"{count(archived, 'session')} in FLAGMAN_DATA/archive; `flagman show ID` says where."
            typer.echo(f"Archived: {more}", err=True)
        if not rows:
            hint('No sessions. Start one: flagman launch sre "check the disk"')
            return
        table(
            ("ID", "STATUS", "PERSONA", "TASK", "CHANGED"),
            [
                (
                    (row.id, "bold"),
                    (status_phrase(row) if is_terminal() else row.status, STATUS_STYLES.get(row.status, "")),
                    row.persona,
                    row.task,
                    (ago(row.changed_at), DIM),
                )
                for row in rows
            ],
            wide=3,
        )

    reach(work)


async def _newest(
    remote: HttpBackend, status: str | None, persona: str | None, parent: str | None, limit: int
) -> tuple[list[SessionView], list[UnreadableView], int]:
    """Return the newest sessions, those that cannot be read, and how many were archived."""
    found: list[SessionView] = []
    unreadable: list[UnreadableView] = []
    archived = 0
    cursor: str | None = None
    while len(found) < limit:
        page = await remote.page(
            status=status, persona=persona, parent=parent, cursor=cursor, limit=min(limit - len(found), 100)
        )
        found += page.sessions
        unreadable += page.unreadable
        archived = page.archived
        cursor = page.next
        if cursor is None:
            break
    return found, unreadable, archived


@app.command(rich_help_panel=PANEL)
def show(session_id: SessionId, json: Json = False) -> None:
    """How a session stands: its plan as a tree, and the calls it proposes in full."""

    async def work(remote: HttpBackend) -> None:
        from bot.cli.output import session
        from bot.cli.terminal import as_json
        from bot.cli.tree import subagents_of

        state = await remote.get(session_id)
        if json:
            as_json(state)
        else:
            session(state, await subagents_of(remote, state))

    reach(work)


@app.command(rich_help_panel=PANEL)
def log(
    session_id: SessionId,
    markdown: Annotated[bool, typer.Option("--markdown", help="The SESSION_LOG as a document.")] = False,
    json: Annotated[bool, typer.Option("--json", help="One event a line, as JSON.")] = False,
) -> None:
    """All that happened in a session."""

    async def work(remote: HttpBackend) -> None:
        from bot.cli.output import log_lines
        from bot.cli.terminal import is_terminal, show
        from supervisor.core.text.visible import escaped_json

        if markdown:
            sys.stdout.write(await remote.session_log(session_id))
            return
        after: int | None = 0
        while after is not None:
            page = await remote.event_page(session_id, after=after)
            for event in page.events:
                if json:
                    sys.stdout.write(escaped_json(event.model_dump_json()) + "\n")
                    continue
                for line in log_lines([event], wrapped=is_terminal()):
                    show(line)
            after = page.next

    reach(work)


@app.command(rich_help_panel=PANEL)
def tail(
    session_id: SessionId,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="How much of the past to show.")] = 20,
    json: Annotated[bool, typer.Option("--json", help="One event a line, as JSON.")] = False,
) -> None:
    """What happens in a session, as it happens, until it has ended."""

    async def work(remote: HttpBackend) -> None:
        from bot.cli.output import log_lines
        from bot.cli.terminal import is_terminal, show
        from supervisor.core.text.visible import escaped_json

        state = await remote.get(session_id)
        async for event in remote.events(session_id, max(state.version - lines, 0)):
            if json:
                sys.stdout.write(escaped_json(event.model_dump_json()) + "\n")
                sys.stdout.flush()
                continue
            for line in log_lines([event], wrapped=is_terminal()):
                show(line)

    reach(work)
