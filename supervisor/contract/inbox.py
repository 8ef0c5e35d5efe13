"""What one actor may decide on: the open requests of the sessions that wait."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from supervisor.contract.access import Access
from supervisor.core.delegation import undecided
from supervisor.core.errors import FlagmanError
from supervisor.core.policy import may_decide
from supervisor.core.records import Child
from supervisor.core.rights import awaited_connection, is_stopped
from supervisor.core.state import Call, Session

Kind = Literal["approval", "question", "outcome", "failure", "pause"]


@dataclass(frozen=True)
class OpenRequest:
    """Something that waits for a decision: about a call, a failed sub-agent, or the session as a whole."""

    kind: Kind
    session: Session
    call: Call | None = None
    child: Child | None = None


async def open_requests(access: Access, session: Session) -> list[OpenRequest]:
    """Return what the actor may decide on in a session; an unanswered question to the directory counts as no."""
    if session.ended:
        return []
    try:
        found = await access.recently(session)
        steers = await access.may_steer(session)
    except FlagmanError:
        return []
    asked = [*session.calls_in("awaiting"), *([session.approval] if session.approval else [])]
    requests = [
        OpenRequest("approval", session, call)
        for call in asked
        if may_decide(session, call, found.actor)
        and not any(found.actor.ids & set(decision.people) for decision in call.decisions)
    ]
    awaited = awaited_connection(session)
    if awaited and awaited.person in found.actor.ids:
        requests.append(OpenRequest("pause", session))
    if not steers:
        return requests
    requests += [OpenRequest("question", session, call) for call in session.calls_in("asking")]
    requests += [OpenRequest("outcome", session, call) for call in session.calls_in("unknown")]
    for call in session.calls_in("delegating"):
        requests += [OpenRequest("failure", session, child=child) for child in undecided(session, call)]
    return [*requests, *([OpenRequest("pause", session)] if is_stopped(session) else [])]
