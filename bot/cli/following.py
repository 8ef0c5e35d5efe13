"""`launch --wait`: what happens goes by on standard error until the session has ended or needs somebody."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext, suppress
from typing import Any

from bot.cli.showing import advice, log_lines, standing
from bot.cli.terminal import DIM, console, is_terminal, show, text
from supervisor.client import Session
from supervisor.states import SessionState


async def follow(session: Session, until: str, timeout: float | None, *, quiet: bool) -> SessionState:
    """The session as it stood when we stopped looking."""
    showing = None if quiet else asyncio.create_task(_show(session))
    try:
        with suppress(TimeoutError):
            await session.wait(timeout, until="person" if until == "person" else "ended")
        if showing and session.ended:
            # Its last lines are on their way.
            with suppress(TimeoutError):
                async with asyncio.timeout(5):
                    await showing
    finally:
        if showing:
            showing.cancel()
            await asyncio.gather(showing, return_exceptions=True)
    state = await session.refresh()
    if not quiet and not state.ended:
        show(text((f"{state.id} {standing(state)}", "yellow")), err=True)
        for line in advice(state):
            show(text((f"  {line}", DIM)), err=True)
    return state


async def _show(session: Session) -> None:
    """Lines as they come; on a terminal with a line below that says what it is doing."""
    import sys

    screen = console(err=True)
    show(text((f"{session.id}", "bold"), f"  {session.state.persona}"), err=True)
    live = screen.status(f"{session.id} runs") if is_terminal(sys.stderr) else nullcontext()
    with live as status:
        async for event in session.events():
            for line in log_lines([event], short=True, wrapped=screen.is_terminal):
                screen.print(line, soft_wrap=not screen.is_terminal)
            if event.type in ("ApprovalRequested", "QuestionAsked", "Paused", "OutcomeLost"):
                await _asked(session, screen)
            if status is not None:
                status.update(_doing(event.type, session))


async def _asked(session: Session, screen: Any) -> None:
    state = await session.backend.get(session.id)
    for line in advice(state):
        screen.print(text((f"           → {line}", "yellow")), soft_wrap=True)


def _doing(event_type: str, session: Session) -> Any:
    waiting = event_type in ("ApprovalRequested", "QuestionAsked", "Paused", "OutcomeLost")
    return text((f"{session.id} {'waits for somebody' if waiting else 'runs'}", DIM))
