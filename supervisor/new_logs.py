"""Begins the log of a session that a person or program launches or copies, once for each idempotency key."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from storage.errors import IdempotencyKeyKnown, TooManyClaims, VersionConflict
from storage.log import Claim
from supervisor.core.errors import FlagmanError, IdempotencyConflict, LimitReached
from supervisor.core.events import Event
from supervisor.core.messages import Json
from supervisor.core.persona import Persona
from supervisor.core.reducer import fold
from supervisor.core.state import Session
from supervisor.personas.library import PersonaLibrary
from supervisor.repository import Sessions

TRIES = 50


async def begin(
    sessions: Sessions,
    events: Sequence[Event],
    persona: Persona,
    request: str,
    key: str | None,
    *,
    like: str = "",
) -> Session:
    """Begin a log with these events, or return the session that the key was used for with the same request.

    The persona is stored, too, since the session is pinned to it. Raises IdempotencyConflict for another request, and
    LimitReached where the sender has used too many keys, or too many sessions are open.
    """
    blobs = {persona.digest: persona.model_dump_json(exclude_defaults=True).encode()}
    for _ in range(TRIES):
        try:
            session_id = await sessions.new_id(like=like, idempotency_key=key)
            sender = events[-1].by
            claim = Claim(key, f"{session_id} {request}".encode(), sender=sender) if key else None
            session = fold(session_id, events)
            await sessions.check_room(session, key)
            await sessions.append(None, session, events, blobs=blobs, claim=claim)
        except VersionConflict:
            continue
        except TooManyClaims as full:
            raise too_many(full) from full
        except IdempotencyKeyKnown as known:
            origin = fold("", events).origin
            return await _launched_before(sessions, key or "", known.value.decode(), request, origin)
        return session
    raise FlagmanError("No free session id could be found; please try again.")


async def _launched_before(
    sessions: Sessions, key: str, remembered: str, request: str, origin: Json
) -> Session:
    session_id, _, first = remembered.partition(" ")
    session = await sessions.load(session_id)
    if first != request or session.origin != origin:
        raise IdempotencyConflict(key)
    return session


async def ruled_today(
    personas: PersonaLibrary, session: Session, ruled: Callable[[Persona], Awaitable[Persona]]
) -> Persona:
    """Return the persona the session is pinned to, below the one of today, so that the stricter of both rules.

    `ruled` returns a persona as it would be launched where the session is. Raises PersonaUnusable, and
    PersonaNotFound where there is none of its name any more.
    """
    pinned = await personas.load_pinned(session)
    today = await ruled(await personas.launchable(session.persona))
    # The budgets of a copy are those of its source.
    if pinned.model_copy(update={"under": None, "budgets": today.budgets}) == today:
        return pinned
    return pinned.model_copy(update={"under": today.model_copy(update={"under": pinned.under})})


def too_many(full: TooManyClaims) -> LimitReached:
    """Return the refusal of one more request that is to be remembered."""
    return LimitReached(
        f"You sent {full.most:,} requests that are kept for a day; send this one again later."
    )
