"""`flagman verify | restore | gc`: SESSION_LOGs as files, and ended sessions that become such."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bot.cli.client import REFUSED, UNVERIFIED, Json, carry_out, reach

if TYPE_CHECKING:
    from bot.sdk.http_backend import HttpBackend

app = typer.Typer()
PANEL = "SESSION_LOGs"
Paths = Annotated[list[Path], typer.Argument(metavar="FILE...", help="SESSION_LOG files.")]


@app.command(rich_help_panel=PANEL)
def verify(
    files: Paths,
    key_file: Annotated[
        Path | None,
        typer.Option(help="The file with the key; otherwise FLAGMAN_SECRET_KEY, or the key in FLAGMAN_DATA."),
    ] = None,
    json: Json = False,
) -> None:
    """Check that Flagman wrote a SESSION_LOG and nothing in it was changed since; needs no running Flagman.

    The exit code is 1 where any of the files was changed, and 6 where one could not be verified, as it carries no
    signature or there is no key to check it with.
    """

    async def work() -> int | None:
        from bot.cli.terminal import as_json
        from bot.secret_key import keys_at_hand

        keys = keys_at_hand(key_file)
        rows = [_verify_file(path, keys) for path in files]
        if json:
            as_json(rows)
        else:
            for row in rows:
                _say_verified(row)
        if not all(row["intact"] for row in rows):
            return REFUSED
        return None if all(row["signed"] for row in rows) else UNVERIFIED

    carry_out(work)


def _verify_file(path: Path, keys: Sequence[str]) -> dict[str, Any]:
    from bot.resume_hints import hints_of
    from supervisor.core.errors import VerificationError
    from supervisor.session_log.verify import verify

    row: dict[str, Any] = {"file": str(path), "intact": False}
    try:
        found = verify(path.read_bytes(), keys, hints_of)
    except VerificationError as altered:
        return {**row, "kind": altered.kind, "line": altered.line, "problem": str(altered)}
    except OSError as error:
        return {**row, "kind": "unreadable", "line": 0, "problem": f"It cannot be read ({error.strerror})."}
    about = {"session": found.session_id, "events": len(found.events), "chain": found.chain}
    signature = {"signed": found.signed, "signature": found.signature}
    return {**row, "intact": True, **about, **signature, "whole": found.whole}


def _say_verified(row: dict[str, Any]) -> None:
    from bot.cli.terminal import show, text

    if not row["intact"] or row["signed"]:
        _say(row, _good(row) if row["intact"] else "")
        return
    why = (
        "it carries no signature, so anybody may have written it"
        if row["signature"] == "unsigned"
        else "there is no key to check its signature with; set FLAGMAN_SECRET_KEY or give --key-file"
    )
    show(text(("?", "yellow"), f" {row['file']}: ", (f"not verified: {why}.", "yellow")), err=True)


def _good(row: dict[str, Any]) -> str:
    whole = (
        ""
        if row["whole"]
        else "; an earlier version wrote it in another format, and its text was not compared"
    )
    about = f"session {row['session']}, {row['events']} events, all as they were written"
    return f"{about}; the signature is good{whole}."


@app.command(rich_help_panel=PANEL)
def restore(files: Paths, json: Json = False) -> None:
    """Bring sessions back from their SESSION_LOGs, under their own ids; sub-agents before who launched them.

    Each is verified first. The exit code is 1 where any of them did not come back.
    """

    async def work(remote: HttpBackend) -> int | None:
        from bot.cli.terminal import as_json
        from supervisor.core.text.format import not_here

        rows = [await _restore_file(remote, path) for path in _order(files)]
        if json:
            as_json(rows)
        else:
            for row in rows:
                gone = f" {not_here(row['missing'])}." if row.get("missing") else ""
                _say(
                    row,
                    f"session {row['session']} is back, {row['status']}.{gone}" if row["restored"] else "",
                )
        return None if all(row["restored"] for row in rows) else REFUSED

    reach(work)


async def _restore_file(remote: HttpBackend, path: Path) -> dict[str, Any]:
    import asyncio

    from supervisor.core.errors import FlagmanError, Unavailable

    row: dict[str, Any] = {"file": str(path), "restored": False}
    try:
        state = await remote.restore(await asyncio.to_thread(path.read_bytes))
    except Unavailable:
        raise
    except FlagmanError as error:
        return {**row, "code": error.code, "problem": str(error)}
    except OSError as error:
        return {**row, "code": "unreadable", "problem": f"It cannot be read ({error.strerror})."}
    files = await remote.artifacts(state.id)
    missing = [file.path for file in files if file.size is None and not file.removed]
    return {**row, "restored": True, "session": state.id, "status": state.status, "missing": missing}


def _order(files: Sequence[Path]) -> list[Path]:
    """Return the files with the deepest sub-agents first; one that is no SESSION_LOG counts as a root session."""
    from supervisor.core.errors import VerificationError
    from supervisor.session_log.render.front import front_of

    parents: dict[str, str] = {}
    ids: dict[Path, str] = {}
    for path in files:
        try:
            front = front_of(path.read_bytes())
        except (OSError, VerificationError):
            continue
        parents[front.session_id], ids[path] = front.parent, front.session_id

    def depth(path: Path) -> int:
        session_id, above = parents.get(ids.get(path, ""), ""), 0
        # A manipulated file may name itself as its parent.
        while session_id in parents and above < len(parents):
            session_id, above = parents[session_id], above + 1
        return above

    return sorted(files, key=depth, reverse=True)


def _say(row: dict[str, Any], good: str) -> None:
    from bot.cli.terminal import show, text

    mark, style = ("✓", "green") if good else ("✗", "red")
    show(text((mark, style), f" {row['file']}: ", good or (row["problem"], style)), err=not good)


@app.command(rich_help_panel=PANEL)
def gc(
    older_than: Annotated[
        str, typer.Option(help="Sessions that ended longer ago: `30d` (default: FLAGMAN_KEEP).")
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say which.")] = False,
    json: Json = False,
) -> None:
    """Archive sessions that ended long ago as SESSION_LOGs in FLAGMAN_DATA, and take them out of the store.

    Where FLAGMAN_KEEP is set, the clock does it once a day. `flagman restore` brings sessions back.
    """

    async def work() -> None:
        from bot.cli.terminal import as_json

        archived: list[str] = []
        kept: dict[str, str] = {}
        async for step in _collected({"older_than": older_than, "dry_run": dry_run}):
            archived += step["archived"]
            kept |= step["kept"]
        if json:
            as_json({"archived": archived, "kept": kept, "dry_run": dry_run})
        else:
            _say_collected(archived, kept, dry_run=dry_run)

    carry_out(work)


async def _collected(request: dict[str, Any]) -> Any:
    """Yield the steps of the collection, in this process where it reaches the store, else in the running Flagman."""
    from dataclasses import asdict

    from bot.retention import collect_here
    from bot.sdk import connect
    from bot.settings import read_settings

    settings = read_settings()
    if settings.redis_url:
        async for done in collect_here(settings, request["older_than"], dry_run=request["dry_run"]):
            yield asdict(done)
        return
    cursor = ""
    async with connect() as remote:
        while cursor is not None:
            step = await remote.call("POST", "/v1/store/collect", {**request, "cursor": cursor})
            cursor = step["next"]
            yield step


def _say_collected(archived: list[str], kept: dict[str, str], *, dry_run: bool) -> None:
    from bot.cli.terminal import show, text
    from supervisor.core.text.format import count

    for session_id in archived if dry_run else ():
        show(text(session_id))
    for session_id, why in kept.items():
        show(text(("!", "yellow"), f" {session_id} stays: {why}."))
    if dry_run:
        show(text(f"{count(len(archived), 'session')} would be archived."))
    elif archived:
        show(text(("✓", "green"), f" {count(len(archived), 'session')} archived in FLAGMAN_DATA/archive."))
    else:
        show(text("No session to archive."))
