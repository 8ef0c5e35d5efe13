"""Carries out `fork`: launches a copy of a session that continues from a step, in its own thread."""

from __future__ import annotations

from handlers.blocks.text import escape
from handlers.context import ListenerContext
from handlers.listeners.commands.parser import Command
from handlers.origin import Place
from supervisor.contract.requests import ForkRequest
from supervisor.core.events import Actor
from supervisor.core.text.format import not_here
from supervisor.core.text.visible import one_line


async def fork(flagman: ListenerContext, command: Command, actor: Actor, place: Place, delivery: str) -> str:
    """Carry out `fork <id> [at <step>] [message]`."""
    session = await flagman.sessions(actor).fork(
        command.session_id,
        ForkRequest.of(step=command.step, message=command.rest),
        origin=place.origin(),
        idempotency_key=f"slack:{delivery}",
    )
    step = session.forked_from.step if session.forked_from else 0
    copied = f"Copied `{command.session_id}` {f'at step {step}' if step else 'at its beginning'}"
    begun = f":twisted_rightwards_arrows: {copied} as `{session.id}`; it posts in a thread of its own."
    missing = session.forked_from.missing if session.forked_from else []
    names = [escape(one_line(flagman.mask(path), 80)) for path in missing]
    return f"{begun} Not taken along: {not_here(names)}." if missing else begun
