"""Decides on calls with the digests with which they were read, so that only what was read is decided on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from supervisor.contract.requests import CallSeen, DecisionRequest, DecisionsRequest
from supervisor.contract.views import calls_seen
from supervisor.core.errors import DigestRequired, InvalidInput, rebuild_error
from supervisor.core.messages import Json

if TYPE_CHECKING:
    from bot.sdk.session import Session


async def decide(
    session: Session,
    call_ids: Sequence[str],
    verdict: Literal["approve", "deny"],
    reason: str,
    arguments: Json | None = None,
) -> None:
    """Decide on these calls as last read, or on all that waited then. Raises InvalidInput for one that was not read."""
    chosen = call_ids or [call.call_id for call in session.pending_approvals]
    if not chosen:
        raise InvalidInput(
            f"Session {session.id} had no call that waits for an approval when it was read last.{_elsewhere(session)}"
        )
    if arguments is not None and len(chosen) != 1:
        raise InvalidInput("Other arguments are for one call; name it.")
    seen = calls_seen(session.state, chosen)
    if len(seen) > 1:
        await _decide_each(session, seen, verdict, reason)
        return
    shown = seen[0].model_dump(exclude={"call_id"})
    request = DecisionRequest.of(verdict=verdict, reason=reason, arguments=arguments, **shown)
    try:
        session.state = await session.backend.decide(session.id, seen[0].call_id, request)
    except DigestRequired:
        raise InvalidInput(
            f"Session {session.id} had no call {chosen[0]} when it was read last; call refresh(), and look at it."
        ) from None


async def _decide_each(
    session: Session, seen: Sequence[CallSeen], verdict: Literal["approve", "deny"], reason: str
) -> None:
    """Decide on several calls. Raises the first refusal when all others are decided; its text names each call."""
    request = DecisionsRequest.of(verdict=verdict, reason=reason, calls=list(seen))
    done = await session.backend.decide_each(session.id, request)
    session.state = done.session
    refused = [result for result in done.results if not result.decided]
    if refused:
        each = " ".join(f"{r.call_id}: {r.detail or 'decided.'}" for r in done.results)
        raise rebuild_error(refused[0].code, each, refused[0].fields)


def _elsewhere(session: Session) -> str:
    """Return a sentence that names the sub-agents with such calls, or empty."""
    found = [n for n in session.needs if n.waiting_for == "human_approval_required"]
    names = ", ".join(f"`{need.name}` ({need.session_id})" for need in found)
    return f" But these sub-agents have: {names}." if names else ""
