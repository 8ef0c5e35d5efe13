"""Carries out `files`: lists the files that a session has written, or posts one into the session's thread."""

from __future__ import annotations

from datetime import timedelta

from handlers.blocks.text import Block, context, escape, mrkdwn, preformatted
from handlers.context import ListenerContext
from handlers.listeners.commands.parser import Command
from handlers.origin import Place
from supervisor.artifacts import Artifact
from supervisor.core.events import Actor
from supervisor.core.text.format import count
from supervisor.core.text.visible import one_line, visible

LIST_SHOWN = 2800
REDELIVERED = timedelta(hours=1)


async def files(
    flagman: ListenerContext, command: Command, actor: Actor, place: Place, delivery: str
) -> list[Block]:
    """Carry out `files <id>` or `files <id> <path>`."""
    session = await flagman.sessions(actor).load(command.session_id)
    path = command.rest.strip("`")
    if not path:
        return _list_blocks(session.id, await flagman.files.list(session), flagman)
    name = escape(one_line(flagman.mask(path), 200))
    if await flagman.rows.delivered(f"files:{delivery}"):
        return [mrkdwn(f":outbox_tray: {name} was posted already.")]
    await flagman.rows.deliver(f"files:{delivery}", REDELIVERED)
    there, done = await flagman.files.post(session, path, actor, place)
    channel = f" in {there.shown}" if there.shown else ""
    where = "here" if there == place else f"into the thread of `{session.id}`{channel}"
    return [mrkdwn(f":outbox_tray: {name} {'is posted' if done else 'is being posted'} {where}.")]


def _list_blocks(session_id: str, found: list[Artifact], flagman: ListenerContext) -> list[Block]:
    """Return the list of files, the newest first; files that do not fit are counted."""
    if not found:
        return [mrkdwn(f"`{session_id}` has written no files.")]
    lines: list[str] = []
    for artifact in reversed(found):
        line = f"{visible(flagman.mask(artifact.path))}   {_state(artifact)}"
        if sum(map(len, lines)) + len(line) > LIST_SHOWN:
            break
        lines.append(line)
    left = len(found) - len(lines)
    note = f"`{flagman.command} files {session_id} <path>` posts one into its thread.".replace(
        "<path>", "&lt;path&gt;"
    )
    return [
        mrkdwn(f"*Files of* `{session_id}`"),
        preformatted("\n".join(lines)),
        context(f"{left} more are not shown here. {note}" if left else note),
    ]


def _state(artifact: Artifact) -> str:
    if artifact.size is not None:
        return count(artifact.size, "byte")
    return "removed by the session" if artifact.removed else "not on this machine"
