"""`flagman files`: lists and reads the files that a session wrote."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.client import USAGE, Json, SessionId, reach, refuse

if TYPE_CHECKING:
    from bot.sdk.http_backend import HttpBackend
    from supervisor.contract.models import ArtifactView

app = typer.Typer()


@app.command(rich_help_panel="Sessions")
def files(
    session_id: SessionId,
    path: Annotated[str | None, typer.Argument(help="The file to read; all are listed without.")] = None,
    output: Annotated[
        str | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write it there; `-` is standard output."),
    ] = None,
    json: Json = False,
) -> None:
    """List the files that a session wrote, or read one."""
    if output and path is None:
        refuse("--output: say which file.", USAGE)

    async def work(remote: HttpBackend) -> None:
        if path is None:
            await _list(remote, session_id, json)
            return
        content = await remote.artifact(session_id, path)
        if output and output != "-":
            _write(output, path, content)
        else:
            _print(content, raw=output == "-")

    reach(work)


async def _list(remote: HttpBackend, session_id: str, json: bool) -> None:
    from bot.cli.terminal import as_json, hint, table

    found = await remote.artifacts(session_id)
    if json:
        as_json([file.model_dump(mode="json") for file in found])
        return
    if not found:
        hint(f"{session_id} has written no files.")
        return
    table(("PATH", "BYTES"), [(file.path, _size(file)) for file in found], wide=0)


def _size(file: ArtifactView) -> str:
    if file.size is not None:
        return f"{file.size:,}"
    return "removed" if file.removed else "not on this machine"


def _write(output: str, path: str, content: bytes) -> None:
    from bot.cli.terminal import done

    target = Path(output)
    if target.is_dir():
        target /= Path(path).name
    try:
        target.write_bytes(content)
    except OSError as error:
        refuse(f"--output: {target} cannot be written ({error.strerror}).")
    done(f"{path} is in {target} ({len(content):,} bytes).")


def _print(content: bytes, *, raw: bool) -> None:
    """Print a file: unchanged in a pipe or if `raw`; on a terminal as text with visible control characters."""
    from bot.cli.terminal import is_terminal, show, text

    if raw or not is_terminal():
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
        return
    try:
        words = content.decode()
    except UnicodeDecodeError:
        words = "\0"
    if "\0" in words:
        refuse(f"This is not text but {len(content):,} bytes; write it to a file with --output FILE.")
    show(text(words.removesuffix("\n")))
