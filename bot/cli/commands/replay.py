"""`flagman replay`: shows a session event by event, with the state after each."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.client import reach, refuse

if TYPE_CHECKING:
    from bot.cli.frames import Frame
    from bot.sdk.http_backend import HttpBackend
    from supervisor.contract.models import EventView

app = typer.Typer()
# Seconds between two checks of the size of the screen.
LOOK_SECONDS = 0.5


@app.command(rich_help_panel="Sessions")
def replay(
    what: Annotated[str, typer.Argument(metavar="ID|FILE", help="A session, or the file of a SESSION_LOG.")],
    json: Annotated[
        bool, typer.Option("--json", help="One event a line with the state after it, as JSON.")
    ] = False,
) -> None:
    """Step through a session: what happened, and how it stood after it. In a pipe all of it is printed."""
    file = Path(what)
    if file.is_file():
        _play(*_read_log(file), as_json=json)
        return

    async def work(remote: HttpBackend) -> None:
        state = await remote.get(what)
        events = await _events(remote, what)
        _play(f"{state.id}  {state.persona}  {state.task}", state.id, events, as_json=json)

    reach(work)


async def _events(remote: HttpBackend, session_id: str) -> list[EventView]:
    found: list[EventView] = []
    after: int | None = 0
    while after is not None:
        page = await remote.event_page(session_id, after=after, limit=200)
        found += page.events
        after = page.next
    return found


def _read_log(file: Path) -> tuple[str, str, list[EventView]]:
    """Return title, session id and events of a SESSION_LOG, verified except for its signature."""
    from bot.resume_hints import hints_of
    from supervisor.contract.views import event_view
    from supervisor.core.errors import VerificationError
    from supervisor.session_log.verify import verify

    try:
        found = verify(file.read_bytes(), (), hints_of)
    except OSError as error:
        refuse(f"{file} cannot be read ({error.strerror}).")
    except VerificationError as error:
        refuse(f"{file}: {error}")
    session = found.session
    events = [event_view(version, fact) for version, fact in enumerate(found.events, start=1)]
    return f"{session.id}  {session.persona}  {session.task}", session.id, events


def _play(title: str, session_id: str, events: Sequence[EventView], *, as_json: bool) -> None:

    from bot.cli.frames import frames
    from bot.cli.terminal import is_terminal
    from supervisor.core.text.visible import json_text

    found = list(frames(session_id, events))
    if as_json:
        for frame in found:
            sys.stdout.write(json_text(frame.row()) + "\n")
    elif is_terminal() and is_terminal(sys.stdin) and sys.platform != "win32":
        _step_through(title, found)
    else:
        _print(found)


def _print(found: Sequence[Frame]) -> None:
    from bot.cli.output import log_lines
    from bot.cli.replay_screen import state_lines
    from bot.cli.terminal import show, text

    for frame in found:
        for line in log_lines([frame.event]):
            show(line)
        for line in state_lines(frame):
            show(text(" " * 11).append_text(line))


def _step_through(title: str, found: Sequence[Frame]) -> None:
    from rich.console import Group
    from rich.live import Live

    from bot.cli import keyboard
    from bot.cli.replay_screen import Size, screen
    from bot.cli.terminal import console
    from supervisor.core.text.visible import one_line

    window = console()
    at: int | None = 0
    asked: str | None = None
    title = one_line(title, 400)
    with keyboard.keyboard(), Live(console=window, screen=True, auto_refresh=False) as live:
        shown: tuple[int, str | None, Size] | None = None
        while at is not None:
            looked_at = (at, asked, Size(window.width, window.height))
            if looked_at != shown:
                live.update(Group(*screen(title, found, *looked_at)), refresh=True)
                shown = looked_at
            key = keyboard.read_key(LOOK_SECONDS)
            if key is not None:
                at, asked = move(at, asked, key, len(found))


def move(at: int, asked: str | None, key: str, count: int) -> tuple[int | None, str | None]:
    """Return the position after a key (None to quit), and the typed part of a number; `asked` is that before it."""
    from bot.cli import keyboard

    if asked is not None:
        return _type(at, asked, key, count)
    last = count - 1
    match key:
        case keyboard.NEXT | keyboard.ENTER:
            return min(at + 1, last), None
        case keyboard.BACK | keyboard.ERASE:
            return max(at - 1, 0), None
        case keyboard.FIRST:
            return 0, None
        case keyboard.LAST:
            return last, None
        case keyboard.GO:
            return at, ""
        case keyboard.QUIT | keyboard.ESCAPE:
            return None, None
    return at, None


def _type(at: int, asked: str, key: str, count: int) -> tuple[int, str | None]:
    from bot.cli import keyboard

    match key:
        case keyboard.ENTER:
            return min(max(int(asked), 1), count) - 1 if asked else at, None
        case keyboard.ERASE:
            return at, asked[:-1]
        case keyboard.ESCAPE | keyboard.QUIT:
            return at, None
    return at, asked + key if key.isdecimal() and len(asked) < 9 else asked
