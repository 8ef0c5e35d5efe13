"""Carries out a command of a person, from the slash command, a mention or a direct message."""

from __future__ import annotations

from dataclasses import dataclass

from handlers.blocks.running import Running, running_blocks
from handlers.blocks.text import Block, escape, mrkdwn
from handlers.context import ListenerContext
from handlers.listeners.commands import (
    audit,
    connections,
    delegate,
    files,
    fork,
    grants,
    notify,
    pausing,
    replies,
    settings,
)
from handlers.listeners.commands.parser import Command, verb_of
from handlers.origin import Place
from supervisor.contract.requests import CancelRequest, ContextRequest, LaunchRequest
from supervisor.contract.service import SessionService
from supervisor.core.events import Actor
from supervisor.core.state import Session
from supervisor.session_log.render.mask import masked_events


@dataclass(frozen=True)
class Answer:
    """The answer to a command, which only its author sees; `text` is for notifications and screen readers."""

    text: str
    blocks: tuple[Block, ...] = ()


async def as_written(flagman: ListenerContext, markup: str) -> str:
    """Return the text of a command: what the person saw, but ids where the command is about people."""
    word = markup.split(maxsplit=1)[:1]
    if word and verb_of(word[0]) == "settings":
        return settings.names_as_ids(markup)
    return await flagman.people.readable(markup)


_HEARD = {
    "answered": "has its answer",
    "noted": "reads that at its next step",
    "withdrawn": "does that instead; what waited for approval is withdrawn",
}


async def carry_out(
    flagman: ListenerContext, command: Command, actor: Actor, place: Place, delivery: str
) -> Answer:
    """Carry out a command and return the answer. Raises FlagmanError or StorageError.

    `delivery` identifies the request, which is carried out once even if Slack delivers it again.
    """
    sessions = flagman.sessions(actor)
    match command.verb:
        case "launch":
            session = await sessions.launch(
                LaunchRequest.of(persona=command.persona, task=command.rest),
                origin=place.origin(),
                idempotency_key=f"slack:{delivery}",
            )
            return _say(f":rocket: Started *{escape(session.persona)}* (`{session.id}`). {_where(place)}")
        case "fork":
            return _say(await fork.fork(flagman, command, actor, place, delivery))
        case "files":
            return _blocks("Files", await files.files(flagman, command, actor, place, delivery))
        case "pause":
            return _say(await pausing.pause(flagman, command, actor))
        case "resume":
            return _say(await pausing.resume(flagman, command, actor))
        case "remind":
            return _say(await pausing.remind(flagman, command, actor))
        case "schedule":
            return _blocks("Schedules", await pausing.schedule(flagman, command, actor, place))
        case "cancel":
            session = await sessions.cancel(command.session_id, CancelRequest.of(reason=command.rest))
            return _say(cancelled(session.id))
        case "tell":
            told = await sessions.tell(
                command.session_id,
                ContextRequest.of(
                    text=command.rest, persona=command.persona or None, instead=command.instead
                ),
                kind="command",
                delivery=f"slack:{delivery}",
            )
            how = _HEARD[told.heard]
            return _say(f":speech_balloon: `{command.session_id}` {how}.")
        case "settings":
            return _blocks("Settings", await settings.settings(flagman, command, actor, place))
        case "event":
            return _say(await pausing.event(flagman, command, actor, delivery))
        case _:
            return await _look(flagman, command, sessions)


async def _look(flagman: ListenerContext, command: Command, sessions: SessionService) -> Answer:
    match command.verb:
        case "list":
            found = await sessions.listed(command.rest)  # type: ignore[arg-type]
            cards = await flagman.cards([one for one in found if isinstance(one, Session)])
            rows = replies.session_list(found, command.rest, flagman.mask, flagman.command, cards)
            return _blocks("Sessions", rows)
        case "audit":
            return _blocks("Audit", await audit.summary(flagman, command, sessions.actor))
        case "delegate":
            return _blocks("Delegations", await delegate.delegate(flagman, command, sessions.actor))
        case "notify":
            return _say(await notify.notify(flagman, command, sessions.actor))
        case "connect":
            text, blocks = await connections.connect(flagman, command, sessions.actor)
            return Answer(text, blocks)
        case "connections":
            return _blocks("Connections", await connections.connections(flagman, command, sessions.actor))
        case "grants":
            return _blocks("Grants", await grants.grants(flagman, command, sessions.actor))
        case "personas":
            every = await sessions.personas()
            return _blocks("Personas", replies.personas(every))
        case "status":
            session = await sessions.load(command.session_id)
            where, address = await _where_shown(flagman, session)
            running = [Running(call) for call in await flagman.services.running.of(session)]
            now = running_blocks(running, flagman.clock(), flagman.mask)
            shown = replies.status(session, flagman.mask, where, address, now)
            return _blocks(f"{session.id}: {session.status}", shown)
        case "log":
            return await log_of(flagman, command.session_id, sessions.actor)
        case _:
            return _blocks("Help", replies.help_text(flagman.command))


async def log_of(flagman: ListenerContext, session_id: str, actor: Actor) -> Answer:
    """Return the answer with the end of a session's log, which the actor sees."""
    session = await flagman.sessions(actor).load(session_id)
    events = await flagman.supervisor.sessions.events(session_id)
    where, _ = await _where_shown(flagman, session)
    shown = list(masked_events(events, flagman.mask))
    return _blocks(f"Log of {session_id}", replies.log(session, shown, flagman.mask, where))


def cancelled(session_id: str) -> str:
    return f":no_entry_sign: `{session_id}` is cancelled; nothing it proposed will run."


async def _where_shown(flagman: ListenerContext, session: Session) -> tuple[str, str]:
    """Return the channel of a session in mrkdwn, and the address of its card; empty where it is not shown in Slack."""
    place, card = Place.of(session), (await flagman.cards([session])).get(session.id, "")
    return f"in {place.shown}" if place and place.shown else "", card


def _say(text: str) -> Answer:
    return Answer(text, (mrkdwn(text),))


def _blocks(text: str, blocks: list[Block]) -> Answer:
    return Answer(escape(text), tuple(blocks[:50]))


def _where(place: Place) -> str:
    """Return a phrase on where the card appears; whether the bot may post at `place` is not known."""
    if place.thread_ts:
        return "It posts here."
    return "It posts here, or to you directly if Flagman is not in this conversation."
