"""`flagman audit`: who decided what, by which right, and who was refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.client import USAGE, Json, reach, refuse

if TYPE_CHECKING:
    from bot.sdk.http_backend import HttpBackend
    from supervisor.contract.audit import AuditPage, AuditQuery, AuditSummary
    from supervisor.core.audit.rows import AuditRow

app = typer.Typer()
FORMATS = ("table", "jsonl", "csv")


@app.command(rich_help_panel="Sessions")
def audit(
    since: Annotated[
        str | None, typer.Option(help="From then on: `today`, `7d` (so long ago), `2026-12-01`, a time.")
    ] = None,
    until: Annotated[str | None, typer.Option(help="Before then, written likewise.")] = None,
    session: Annotated[str | None, typer.Option(help="Of this session.")] = None,
    persona: Annotated[str | None, typer.Option(help="Of sessions of this persona.")] = None,
    tool: Annotated[str | None, typer.Option(help="About calls of this tool.")] = None,
    actor: Annotated[str | None, typer.Option(help="By this person or key: an id or a name.")] = None,
    kind: Annotated[
        str | None,
        typer.Option(
            help="approve, deny, respond, withdraw, escalate, expire, edit, run_again, done, failed, raise_budget, "
            "retry, skip, stop, delegate, undelegate, grant, revoke, granted or refused."
        ),
    ] = None,
    zone: Annotated[str | None, typer.Option(help="The time zone of days (default: yours).")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Rows of a page.")] = 100,
    cursor: Annotated[str | None, typer.Option(help="Continue where the page before ended.")] = None,
    every: Annotated[bool, typer.Option("--all", help="All pages.")] = False,
    format: Annotated[str, typer.Option(help="table, jsonl or csv.")] = "table",
    summary: Annotated[
        bool, typer.Option("--summary", help="How fast and how carefully people decided, of the last week.")
    ] = False,
    json: Json = False,
) -> None:
    """Decisions and refused attempts, the newest first."""
    if format not in FORMATS:
        refuse(f"--format is one of {', '.join(FORMATS)}.", USAGE)

    async def work(remote: HttpBackend) -> None:
        from bot.cli.terminal import as_json, local_zone
        from supervisor.contract.audit import AuditQuery

        query = AuditQuery.of(
            since=since,
            until=until,
            session=session,
            persona=persona,
            tool=tool,
            actor=actor,
            kind=kind,
            zone=zone or local_zone(),
            cursor=cursor,
            limit=limit,
        )
        if summary:
            totals = await remote.audit_summary(query)
            if json:
                as_json(totals)
            else:
                _totals(totals)
        elif json:
            as_json(await remote.audit(query))
        else:
            await _pages(remote, query, format, every=every)

    reach(work)


async def _pages(remote: HttpBackend, query: AuditQuery, format: str, *, every: bool) -> None:
    import sys

    from bot.audit_formats import as_csv, as_json_lines, rows_of
    from bot.cli.terminal import hint

    first = query.cursor is None
    while True:
        page = await remote.audit(query)
        if format == "csv":
            sys.stdout.write(as_csv(rows_of(page), header=first))
        elif format == "jsonl":
            sys.stdout.write(as_json_lines(rows_of(page)))
        else:
            _table(page)
        _missing(page)
        first = False
        if page.next is None or not every:
            break
        query = query.model_copy(update={"cursor": page.next})
    sys.stdout.flush()
    if page.next:
        hint(f"There is more: --cursor {page.next}, or --all.")


def _table(page: AuditPage) -> None:
    from bot.cli.terminal import clock, table

    if page.rows:
        headings = ("TIME", "KIND", "BY", "RIGHT", "SESSION", "TOOL", "AFTER", "WHAT")
        rows = [
            (
                clock(row.at),
                (row.kind, _STYLES.get(row.kind, "")),
                _who(row),
                ", ".join(filter(None, row.rights)),
                row.session_id,
                row.tool,
                _after(row.latency_seconds),
                _what(row),
            )
            for row in page.rows
        ]
        table(headings, rows, wide=7)


_STYLES = {"approve": "green", "deny": "red", "refused": "yellow"}


def _who(row: AuditRow) -> str:
    for_ = row.for_name or row.for_person
    return f"{row.by_name or row.by} for {for_}" if for_ else row.by_name or row.by


def _what(row: AuditRow) -> str:
    from supervisor.core.digest import canonical_json

    if row.kind == "refused":
        return f"{row.attempt}: {row.reason}"
    arguments = row.arguments if isinstance(row.arguments, str) else canonical_json(row.arguments)
    return " · ".join(filter(None, [arguments, row.reason]))


def _after(seconds: float | None) -> str:
    from datetime import timedelta

    from supervisor.core.text.format import span

    return "" if seconds is None else span(timedelta(seconds=seconds))


def _missing(page: AuditPage | AuditSummary) -> None:
    """Name the logs that cannot be read, on standard error."""
    from bot.cli.terminal import show, text

    for unreadable in page.unreadable:
        show(text((f"Not included: {unreadable.problem}", "red")), err=True)
    if page.lost > len(page.unreadable):
        show(text((f"{page.lost - len(page.unreadable)} more logs cannot be read.", "red")), err=True)


def _totals(summary: AuditSummary) -> None:
    from bot.cli.terminal import clock, show, table
    from supervisor.core.text.format import count

    totals = summary.totals
    since = clock(totals.since) if totals.since else "the beginning"
    until = clock(totals.until) if totals.until else "now"
    decisions, refused = count(totals.decisions, "decision"), count(totals.refused, "refused attempt")
    show(f"{decisions} from {since} until {until}, {refused}.")
    show(f"Median time to decide: {_after(totals.median_seconds) or 'none'}.")
    show(
        f"Rubber stamps (approved within {summary.rubber_seconds:g} s, call not opened): "
        f"{totals.rubber_stamps} ({totals.rubber_stamp_rate:.0%} of approvals)."
    )
    for what, shares in (("TOOL", totals.tools), ("PERSON", totals.people)):
        if shares:
            show()
            table(
                (what, "DECISIONS", "APPROVED", "DENIED", "MEDIAN", "RUBBER STAMPS"),
                [
                    (
                        share.name or share.id,
                        str(share.decisions),
                        str(share.approvals),
                        str(share.denials),
                        _after(share.median_seconds),
                        f"{share.rubber_stamps} ({share.rubber_stamp_rate:.0%})",
                    )
                    for share in shares
                ],
                wide=0,
            )
    _missing(summary)
