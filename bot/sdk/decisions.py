"""Decides on calls with the digests with which they were read, so that only what was read is decided on."""

from __future__ import annotations

from collections.abc import Sequence

from bot.sdk.backend import Backend
from supervisor.contract.models import SessionView
from supervisor.contract.requests import AnswerRequest, CallSeen, DecisionRequest, DecisionsRequest
from supervisor.contract.views import calls_seen
from supervisor.core.commands.approvals import Verdict
from supervisor.core.errors import DigestRequired, FlagmanError, InvalidInput, rebuild_error
from supervisor.core.messages import Json


async def decide(
    backend: Backend,
    read: SessionView,
    call_ids: Sequence[str],
    verdict: Verdict,
    reason: str,
    arguments: Json | None = None,
) -> tuple[SessionView, FlagmanError | None]:
    """Decide on these calls as they were `read`, or on all that waited then.

    Returns the session after it, and the first refusal where several calls were decided on. Raises InvalidInput for a
    call that was not read, and as the backend.
    """
    chosen = call_ids or [call.call_id for call in read.calls if call.phase == "awaiting"]
    if not chosen:
        raise InvalidInput(
            f"Session {read.id} had no call that waits for an approval when it was read last.{_elsewhere(read)}"
        )
    if arguments is not None and len(chosen) != 1:
        raise InvalidInput("Other arguments are for one call; name it.")
    seen = calls_seen(read, chosen)
    if len(seen) > 1:
        return await _decide_each(backend, read.id, seen, verdict, reason)
    shown = seen[0].model_dump(exclude={"call_id"})
    request = DecisionRequest.of(verdict=verdict, reason=reason, arguments=arguments, **shown)
    try:
        return await backend.decide(read.id, seen[0].call_id, request), None
    except DigestRequired:
        raise InvalidInput(
            f"Session {read.id} had no call {chosen[0]} when it was read last; call refresh(), and look at it."
        ) from None


async def _decide_each(
    backend: Backend, session_id: str, seen: Sequence[CallSeen], verdict: Verdict, reason: str
) -> tuple[SessionView, FlagmanError | None]:
    """Decide on several calls; the text of the refusal names each of them."""
    request = DecisionsRequest.of(verdict=verdict, reason=reason, calls=list(seen))
    done = await backend.decide_each(session_id, request)
    refused = [result for result in done.results if not result.decided]
    if not refused:
        return done.session, None
    each = " ".join(f"{r.call_id}: {r.detail or 'decided.'}" for r in done.results)
    return done.session, rebuild_error(refused[0].code, each, refused[0].fields)


def _elsewhere(read: SessionView) -> str:
    """Return a sentence that names the sub-agents with such calls, or empty."""
    found = [n for n in read.needs if n.waiting_for == "human_approval_required"]
    names = ", ".join(f"`{need.name}` ({need.session_id})" for need in found)
    return f" But these sub-agents have: {names}." if names else ""


def answer_request(answer: str | Json, call_id: str | None, action: str) -> AnswerRequest:
    """Return the request for an answer in words or by fields, or for none."""
    given = {"answer": answer} if isinstance(answer, str) else {"content": answer}
    return AnswerRequest.of(call_id=call_id, action=action, **given)
