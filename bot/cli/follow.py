"""Follows a session for `launch --wait`: prints events on standard error until it has ended or needs a person."""

from __future__ import annotations

import asyncio
import sys
from contextlib import nullcontext, suppress
from typing import Any

from bot.cli.labels import advice, status_phrase
from bot.cli.output import log_lines, running_words
from bot.cli.pending import all_pending, show_pending
from bot.cli.terminal import DIM, console, is_terminal, show, text
from bot.sdk.session import Session
from supervisor.contract.models import EventView, SessionView
from supervisor.core.errors import FlagmanError

# How often the line about what runs is brought up to date on a terminal.
WATCH_SECONDS = 2.0
ASKING = ("ApprovalRequested", "QuestionAsked", "InputRequested", "Paused", "OutcomeLost")


async def follow(session: Session, until: str, timeout: float | None, *, quiet: bool) -> SessionView:
    """Wait for `until` (`person` or `ended`), at most `timeout` seconds, and return the session as it is then."""
    showing = None if quiet else asyncio.create_task(_show(session))
    try:
        with suppress(TimeoutError):
            await session.wait(timeout, until="person" if until == "person" else "ended")
        if showing and session.ended:
            # The last events may not be printed yet.
            with suppress(TimeoutError):
                async with asyncio.timeout(5):
                    await showing
    finally:
        if showing:
            showing.cancel()
            await asyncio.gather(showing, return_exceptions=True)
    state = await session.refresh()
    if not quiet and not state.ended:
        show(text((f"{state.id} {status_phrase(state)}", "yellow")), err=True)
        backend: Any = session.backend
        show_pending(await all_pending(backend, state), err=True)
        for line in advice(state):
            show(text((f"  {line}", DIM)), err=True)
    return state


async def _show(session: Session) -> None:
    """Print events as they come; on a terminal with a status line below them."""
    screen = console(err=True)
    show(text((f"{session.id}", "bold"), f"  {session.state.persona}"), err=True)
    live = screen.status(f"{session.id} runs") if is_terminal(sys.stderr) else nullcontext()
    with live as status:
        async with asyncio.TaskGroup() as followers:
            lines = _Lines(session, screen, status, followers)
            watching = followers.create_task(lines.watch())
            await lines.follow(session.id, "")
            watching.cancel()


class _Lines:
    """Prints the events of a session and its sub-agents, with the name of the sub-agent on each line."""

    def __init__(self, session: Session, screen: Any, status: Any, followers: asyncio.TaskGroup) -> None:
        self._session, self._screen, self._status = session, screen, status
        self._followers = followers

    async def follow(self, session_id: str, name: str) -> None:
        async for event in self._session.backend.events(session_id, 0):
            if event.type == "ChildLaunched":
                child = f"{name}/{event.data['name']}" if name else str(event.data["name"])
                self._followers.create_task(self.follow(str(event.data["child_id"]), child))
            if not (name and event.type == "SessionLaunched"):
                self._print(event, name)
            if event.type in ASKING:
                await self._show_advice(session_id)
            if self._status is not None and not name:
                doing = "waits for somebody" if event.type in ASKING else "runs"
                self._status.update(text((f"{self._session.id} {doing}", DIM)))

    async def watch(self) -> None:
        """Keep the status line at what runs, if there is one."""
        while self._status is not None:
            await asyncio.sleep(WATCH_SECONDS)
            try:
                running = (await self._session.backend.get(self._session.id)).running
            except FlagmanError:
                # Those who follow the events say what is wrong.
                continue
            if running:
                self._status.update(text((running_words(running[-1], short=True), DIM)))

    def _print(self, event: EventView, name: str) -> None:
        for line in log_lines([event], short=True, wrapped=self._screen.is_terminal, about=name):
            self._screen.print(line, soft_wrap=not self._screen.is_terminal)

    async def _show_advice(self, session_id: str) -> None:
        for line in advice(await self._session.backend.get(session_id)):
            self._screen.print(text((f"           → {line}", "yellow")), soft_wrap=True)
