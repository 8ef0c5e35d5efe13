"""The verbs: launch, pause, resume, decide, answer, cancel. Each is one append, safe to repeat."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Sequence
from typing import Literal

from storage.errors import IdempotencyKeyKnown, VersionConflict
from storage.log import Claim
from supervisor.changes import TRIES, checked
from supervisor.core.conversation import Json
from supervisor.core.digest import digest
from supervisor.core.errors import (
    FlagmanError,
    IdempotencyConflict,
    IllegalEvent,
)
from supervisor.core.events import (
    Actor,
    ApprovalDecided,
    Cancelled,
    ContextAdded,
    Event,
    OutcomeDecided,
    QuestionAnswered,
    SessionLaunched,
)
from supervisor.core.fold import apply
from supervisor.core.policy import permission, right_to_decide
from supervisor.core.session import Session
from supervisor.core.text import clean
from supervisor.waiting import Waiting

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_log = logging.getLogger("flagman.supervisor")
Heard = Literal["answered", "noted"]


def new_session_id() -> str:
    """Forty random bits as `xxxx-xxxx`; a collision is noticed by the append and another one taken."""
    letters = "".join(secrets.choice(_ALPHABET) for _ in range(8))
    return f"{letters[:4]}-{letters[4:]}"


class Supervisor(Waiting):
    """What Slack, API and command line ask for; every method raises FlagmanError or StorageError."""

    async def launch(
        self,
        persona: str,
        task: str,
        actor: Actor,
        *,
        origin: Json | None = None,
        idempotency_key: str | None = None,
    ) -> Session:
        """A new session, queued to run. The same key and request give the same session again."""
        chosen, task = self.personas.get(persona), checked(task, "The task")
        event = SessionLaunched(
            **self._by(actor),
            task=task,
            persona=chosen.name,
            persona_digest=chosen.digest,
            budgets=chosen.budgets,
            origin=clean(origin or {}),
        )
        request = digest([persona, task, actor.id])
        blobs = {chosen.digest: chosen.model_dump_json(exclude_defaults=True).encode()}
        for _ in range(TRIES):
            session_id = new_session_id()
            claim = Claim(idempotency_key, f"{session_id} {request}".encode()) if idempotency_key else None
            session = apply(session_id, None, event)
            try:
                await self.sessions.append(None, session, [event], blobs=blobs, claim=claim)
            except VersionConflict:
                continue
            except IdempotencyKeyKnown as known:
                return await self._launched_before(idempotency_key or "", known.value.decode(), request)
            return session
        raise FlagmanError("No free session id could be found; please try again.")

    async def _launched_before(self, key: str, remembered: str, request: str) -> Session:
        session_id, _, first = remembered.partition(" ")
        if first != request:
            raise IdempotencyConflict(key)
        return await self.sessions.load(session_id)

    async def get(self, session_id: str) -> Session:
        return await self.sessions.load(session_id)

    async def recent(
        self, index: Literal["all", "running", "paused", "ended"] = "all", *, limit: int = 20
    ) -> list[Session]:
        """The newest sessions of an index; one that cannot be read is left out (its id is in the log file)."""
        rows = await self._log.index(index, limit=limit)
        found: list[Session] = []
        for session_id, _ in rows:
            try:
                found.append(await self.sessions.load(session_id))
            except FlagmanError as error:
                _log.error("%s", error)
        return found

    async def decide(
        self,
        session_id: str,
        call_ids: Sequence[str],
        verdict: Literal["approve", "deny"],
        actor: Actor,
        *,
        reason: str = "",
        digests: dict[str, str] | None = None,
    ) -> Session:
        """Approve or deny calls, all or none. `digests` names what the person saw; a difference is refused."""
        reason = checked(reason, "The reason", optional=True)

        def events(session: Session) -> list[Event]:
            decided: list[Event] = []
            for call_id in call_ids:
                call = session.call(call_id)
                seen = (digests or {}).get(call_id, call.call.digest)
                if not call.call.digest.startswith(seen):
                    raise IllegalEvent("That message shows another call; please use the newest one.")
                via = right_to_decide(session, call, actor)
                decided.append(
                    ApprovalDecided(
                        **self._by(actor),
                        call_id=call_id,
                        digest=call.call.digest,
                        verdict=verdict,
                        reason=reason,
                        via=via,
                    )
                )
            return decided

        return await self._change(session_id, events)

    async def answer(self, session_id: str, call_id: str, answer: str, actor: Actor) -> Session:
        """Answer a question of the agent."""
        answer = checked(answer, "The answer")

        def events(session: Session) -> list[Event]:
            if session.call(call_id).phase != "asking":
                raise IllegalEvent("That question was already answered.")
            return [QuestionAnswered(**self._by(actor), call_id=call_id, answer=answer)]

        return await self._change(session_id, events)

    async def tell(
        self,
        session_id: str,
        text: str,
        actor: Actor,
        *,
        kind: Literal["reply", "mention", "command", "api"],
        delivery: str = "",
    ) -> tuple[Session, Heard]:
        """Hand a person's words to the session: the answer to its open question, or context for its next step.

        The same `delivery` again raises IdempotencyKeyKnown and changes nothing.
        """
        text = checked(text, "The message")
        heard: Heard = "noted"

        def events(session: Session) -> list[Event]:
            nonlocal heard
            asking = session.calls_in("asking")
            if len(asking) == 1:
                heard = "answered"
                return [QuestionAnswered(**self._by(actor), call_id=asking[0].call_id, answer=text)]
            heard = "noted"
            return [ContextAdded(**self._by(actor), text=text, kind=kind)]

        claim = Claim(delivery, session_id.encode()) if delivery else None
        return await self._change(session_id, events, claim), heard

    async def cancel(self, session_id: str, actor: Actor, *, reason: str = "") -> Session:
        """End it: a tool under way is interrupted where it allows that, and nothing new starts."""
        reason = checked(reason, "The reason", optional=True)
        return await self._change(session_id, lambda _: [Cancelled(**self._by(actor), reason=reason)])

    async def decide_outcome(
        self,
        session_id: str,
        call_id: str,
        verdict: Literal["run_again", "done", "failed"],
        actor: Actor,
        *,
        result: str = "",
    ) -> Session:
        """Say what became of a call that was cut off."""
        result = checked(result, "The result", optional=True)

        def events(session: Session) -> list[Event]:
            call = session.call(call_id)
            if call.phase != "unknown":
                raise IllegalEvent("That call no longer needs a decision.")
            via = permission(session, call, actor) if verdict == "run_again" else "anyone"
            return [
                OutcomeDecided(**self._by(actor), call_id=call_id, verdict=verdict, result=result, via=via)
            ]

        return await self._change(session_id, events)
