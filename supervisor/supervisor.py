"""The verbs: launch, pause, resume, decide, answer, cancel. Each is one append, safe to repeat."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Literal

from storage.errors import IdempotencyKeyKnown, VersionConflict
from storage.log import Claim, LogStore
from supervisor.core.conversation import Json
from supervisor.core.digest import digest
from supervisor.core.errors import (
    AlreadyEnded,
    FlagmanError,
    IdempotencyConflict,
    IllegalEvent,
    InvalidInput,
)
from supervisor.core.events import (
    Actor,
    ApprovalDecided,
    BudgetRaised,
    Cancelled,
    ContextAdded,
    Event,
    OutcomeDecided,
    Paused,
    PauseReason,
    QuestionAnswered,
    Resumed,
    SessionLaunched,
)
from supervisor.core.fold import apply
from supervisor.core.persona import Budgets
from supervisor.core.policy import right_to_decide
from supervisor.core.session import Session
from supervisor.core.text import clean, clean_text
from supervisor.personas.library import PersonaLibrary
from supervisor.sessions import Sessions

MAX_TEXT = 20_000
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_TRIES = 50
_log = logging.getLogger("flagman.supervisor")
Heard = Literal["answered", "noted"]


def new_session_id() -> str:
    """Forty random bits as `xxxx-xxxx`; a collision is noticed by the append and another one taken."""
    letters = "".join(secrets.choice(_ALPHABET) for _ in range(8))
    return f"{letters[:4]}-{letters[4:]}"


class Supervisor:
    """What Slack, API and command line ask for; every method raises FlagmanError or StorageError."""

    def __init__(
        self, sessions: Sessions, log: LogStore, personas: PersonaLibrary, clock: Callable[[], datetime]
    ) -> None:
        self.sessions, self.personas = sessions, personas
        self._log, self._clock = log, clock

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
        chosen, task = self.personas.get(persona), _text(task, "The task")
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
        for _ in range(_TRIES):
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
        reason = _text(reason, "The reason", optional=True)

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
        answer = _text(answer, "The answer")

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
        text = _text(text, "The message")
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

    async def pause(
        self, session_id: str, actor: Actor, *, reason: PauseReason = "manual", detail: str = ""
    ) -> Session:
        """Stop at the next boundary until somebody resumes."""
        detail = _text(detail, "The reason", optional=True)

        def events(session: Session) -> list[Event]:
            if session.pause:
                raise IllegalEvent("This session is already paused.")
            return [Paused(**self._by(actor), reason=reason, detail=detail)]

        return await self._change(session_id, events)

    async def resume(
        self,
        session_id: str,
        actor: Actor,
        *,
        trigger: Literal["manual", "webhook", "event", "clock", "token"] = "manual",
        data: Any = None,
        context: str = "",
    ) -> Session:
        """Go on. A session stopped by its budget gets as much again as its persona gave it."""
        context = _text(context, "The context", optional=True)
        budgets = await self._persona_budgets(session_id)

        def events(session: Session) -> list[Event]:
            if not session.pause:
                raise IllegalEvent(_not_paused(session))
            raised: list[Event] = []
            if session.pause.reason == "budget_exceeded":
                raised = [BudgetRaised(**self._by(actor), budgets=_raised(session.budgets, budgets))]
            resumed = Resumed(**self._by(actor), trigger=trigger, data=clean(data), context=context)
            return [*raised, resumed]

        return await self._change(session_id, events)

    async def cancel(self, session_id: str, actor: Actor, *, reason: str = "") -> Session:
        """End it: a tool under way is interrupted where it allows that, and nothing new starts."""
        reason = _text(reason, "The reason", optional=True)
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
        result = _text(result, "The result", optional=True)

        def events(session: Session) -> list[Event]:
            call = session.call(call_id)
            if call.phase != "unknown":
                raise IllegalEvent("That call no longer needs a decision.")
            return [OutcomeDecided(**self._by(actor), call_id=call_id, verdict=verdict, result=result)]

        return await self._change(session_id, events)

    async def _change(
        self, session_id: str, decide: Callable[[Session], list[Event]], claim: Claim | None = None
    ) -> Session:
        """Read, decide, append; somebody else's append in between means deciding again on what is there."""
        for _ in range(_TRIES):
            before = await self.sessions.load(session_id)
            if before.ended:
                _refuse_ended(before, decide)
            events = decide(before)
            after = before
            for event in events:
                after = apply(session_id, after, event)
            try:
                await self.sessions.append(before, after, events, claim=claim)
            except VersionConflict:
                continue
            return after
        raise FlagmanError("The session is changing too quickly; please try again.")

    async def _persona_budgets(self, session_id: str) -> Budgets:
        return (await self.personas.pinned(await self.sessions.load(session_id))).budgets

    def _by(self, actor: Actor) -> dict[str, Any]:
        return {"at": self._clock(), "by": actor.id, "by_name": clean_text(actor.name)[:80]}


def _refuse_ended(session: Session, decide: Callable[[Session], list[Event]]) -> None:
    """Let the verb's own refusal speak first (who decided what); otherwise say that the session has ended."""
    decide(session)
    raise AlreadyEnded(f"This session was already {session.lifecycle}; nothing was changed.")


def _not_paused(session: Session) -> str:
    if session.waiting_for == "human_approval_required":
        return "This session waits for an approval: approve or deny the proposed call to go on."
    if session.waiting_for == "human_input_required":
        return "This session waits for an answer: reply in its thread to go on."
    if session.waiting_for == "outcome_unknown":
        return "This session waits for a decision on a call that was cut off: use its buttons to go on."
    return "This session is not paused; it is running."


def _raised(now: Budgets, more: Budgets) -> Budgets:
    """Each limit raised by what the persona gives at the start."""
    return now.model_copy(
        update={
            "max_steps": now.max_steps + more.max_steps,
            "max_tokens": _sum(now.max_tokens, more.max_tokens),
            "max_cost_usd": _sum(now.max_cost_usd, more.max_cost_usd),
            "max_minutes": _sum(now.max_minutes, more.max_minutes),
        }
    )


def _sum(now: Any, more: Any) -> Any:
    return None if now is None or more is None else now + more


def _text(text: str, what: str, *, optional: bool = False) -> str:
    text = clean_text(text).strip()
    if not text and not optional:
        raise InvalidInput(f"{what} is empty; please write what you want.")
    if len(text) > MAX_TEXT:
        raise InvalidInput(f"{what} is too long: {len(text):,} characters, at most {MAX_TEXT:,}.")
    return text
