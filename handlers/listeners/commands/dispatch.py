"""Carries out a command for one person; the same for `/agent`, a mention and a direct message."""

from __future__ import annotations

from dataclasses import dataclass

from handlers.blocks.text import Block, escape, mrkdwn
from handlers.context import Deps
from handlers.listeners.commands import files as filed
from handlers.listeners.commands import fork as copies
from handlers.listeners.commands import pausing as waits
from handlers.listeners.commands import replies as answers
from handlers.listeners.commands.parser import Command
from handlers.origin import Place
from supervisor.core.events import Actor
from supervisor.core.state import Session
from supervisor.session_log.render.transcript import lines


@dataclass(frozen=True)
class Answer:
    """For the asker's eyes only."""

    text: str
    blocks: tuple[Block, ...] = ()


async def carry_out(deps: Deps, command: Command, actor: Actor, place: Place, delivery: str) -> Answer:
    """Do it and say what was done. Raises FlagmanError or StorageError with a sentence for the asker."""
    supervisor = deps.supervisor
    match command.verb:
        case "launch":
            session = await supervisor.launch(
                command.persona,
                command.rest,
                actor,
                origin=place.origin(),
                idempotency_key=f"slack:{delivery}",
            )
            return _say(f":rocket: Launched *{session.persona}* as `{session.id}`; its card appears here.")
        case "fork":
            return _say(await copies.fork(deps, command, actor, place, delivery))
        case "files":
            return _blocks("Files", await filed.files(deps, command, actor, place, delivery))
        case "pause":
            return _say(await waits.pause(deps, command, actor))
        case "resume":
            return _say(await waits.resume(deps, command, actor))
        case "remind":
            return _say(await waits.remind(deps, command, actor))
        case "schedule":
            return _blocks("Schedules", await waits.schedule(deps, command, actor, place))
        case "cancel":
            session = await supervisor.cancel(command.session_id, actor, reason=command.rest)
            return _say(f":no_entry_sign: `{session.id}` is cancelled; nothing it proposed will run.")
        case _:
            return await _look(deps, command)


async def _look(deps: Deps, command: Command) -> Answer:
    supervisor = deps.supervisor
    match command.verb:
        case "list":
            sessions = await supervisor.recent(command.rest)  # type: ignore[arg-type]
            return _blocks("Sessions", answers.session_list(sessions, command.rest, deps.mask, deps.command))
        case "personas":
            return _blocks("Personas", answers.personas(supervisor.personas.all()))
        case "status":
            session = await supervisor.get(command.session_id)
            return _blocks(
                f"{session.id}: {session.status}", answers.status(session, deps.mask, _link(session))
            )
        case "log":
            return await log_of(deps, command.session_id)
        case _:
            return _say(answers.help_text(deps.command))


async def log_of(deps: Deps, session_id: str) -> Answer:
    """The end of a session's log."""
    session = await deps.supervisor.get(session_id)
    events = await deps.supervisor.sessions.events(session_id)
    return _blocks(
        f"Log of {session_id}", answers.log(session, list(lines(events, deps.mask)), _link(session))
    )


def _link(session: Session) -> str:
    place = Place.of(session)
    return f"in {place.shown}" if place and place.shown else ""


def _say(text: str) -> Answer:
    return Answer(text, (mrkdwn(text),))


def _blocks(text: str, blocks: list[Block]) -> Answer:
    return Answer(escape(text), tuple(blocks[:50]))
