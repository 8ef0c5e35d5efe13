"""The verbs: launch, fork, answer, tell, cancel, and those of `deciding` and `waiting`. Each is one append."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from decimal import Decimal
from typing import Literal

from storage.errors import IdempotencyKeyKnown, VersionConflict
from storage.log import Claim
from supervisor.changes import TRIES, checked
from supervisor.core.delegation import PLAN
from supervisor.core.digest import digest
from supervisor.core.errors import (
    FlagmanError,
    IdempotencyConflict,
    IllegalEvent,
    InvalidInput,
)
from supervisor.core.events import (
    Actor,
    Cancelled,
    ContextAdded,
    Event,
    Inherited,
    ModelResponded,
    QuestionAnswered,
    Resumed,
    SessionForked,
    SessionLaunched,
)
from supervisor.core.forking import copied, cut_at
from supervisor.core.messages import Json, ModelReply, ProposedCall, Usage
from supervisor.core.persona import Persona
from supervisor.core.reducer import fold
from supervisor.core.state import Session
from supervisor.core.text.sanitize import clean
from supervisor.deciding import Deciding
from supervisor.screening import screen, tools_of

_log = logging.getLogger("flagman.supervisor")
Heard = Literal["answered", "noted"]


class Supervisor(Deciding):
    """What Slack, API and command line ask for; every method raises FlagmanError or StorageError."""

    async def launch(
        self,
        persona: str,
        task: str,
        actor: Actor,
        *,
        origin: Json | None = None,
        coordinate: bool = False,
        plan: Json | None = None,
        idempotency_key: str | None = None,
    ) -> Session:
        """A new session, queued to run. The same key and request give the same session again.

        `coordinate`: the persona has to be one that splits its task over sub-agents. With a `plan`, the arguments of
        `plan_tasks`, it begins by carrying that out instead of making one. Raises PersonaNotFound, InvalidInput or
        IdempotencyConflict.
        """
        chosen, task = self.personas.get(persona), checked(task, "The task")
        if (coordinate or plan is not None) and PLAN not in tools_of(chosen, self.tools):
            raise InvalidInput(f"`{persona}` has no sub-agents to launch, so it cannot coordinate.")
        event = SessionLaunched(
            **self._by(actor),
            task=task,
            persona=chosen.name,
            persona_digest=chosen.digest,
            budgets=chosen.budgets,
            origin=clean(origin or {}),
        )
        request = digest([persona, task, actor.id, *([] if plan is None else [plan])])
        events: list[Event] = [event, *([] if plan is None else [self._given(chosen, clean(plan), actor)])]
        blobs = {chosen.digest: chosen.model_dump_json(exclude_defaults=True).encode()}
        return await self._begin(events, request, idempotency_key, blobs=blobs)

    async def fork(
        self,
        session_id: str,
        actor: Actor,
        *,
        step: int | None = None,
        words: str = "",
        origin: Json | None = None,
        idempotency_key: str | None = None,
    ) -> Session:
        """A new session with the log of this one up to the end of a step, from where it goes on by itself.

        Nothing that ran before runs again. Without `step` as far as every call has its result; `words` tell it what
        to do otherwise. Raises InvalidInput where it cannot be copied there.
        """
        words = checked(words, "The message", optional=True)
        source = await self.sessions.load(session_id)
        log = await self.sessions.events(session_id)
        cut = cut_at(session_id, log, step, words=bool(words))
        events = copied(log, cut, origin=source.origin if origin is None else clean(origin))
        artifacts = fold(session_id, log[: cut.version]).artifacts
        forked = SessionForked(
            **self._by(actor),
            source=session_id,
            step=cut.step,
            version=cut.version,
            requesters=tuple(sorted(source.requesters)),
            files=Inherited(into=".", folder=source.folder, paths=artifacts) if artifacts else None,
        )
        events += [forked, *([Resumed(**self._by(actor))] if cut.paused else [])]
        events += [ContextAdded(**self._by(actor), text=words, kind="command")] if words else []
        # As it was asked for: the source may have gone on when it is asked again.
        request = digest([session_id, step, words, actor.id])
        return await self._begin(events, request, idempotency_key, like=session_id)

    async def _begin(
        self,
        events: Sequence[Event],
        request: str,
        key: str | None,
        *,
        like: str = "",
        blobs: dict[str, bytes] | None = None,
    ) -> Session:
        """A new log with these events, unless the key was used for the same request before."""
        for _ in range(TRIES):
            try:
                session_id = await self.sessions.new_id(like=like, idempotency_key=key)
                claim = Claim(key, f"{session_id} {request}".encode()) if key else None
                session = fold(session_id, events)
                await self.sessions.append(None, session, events, blobs=blobs, claim=claim)
            except VersionConflict:
                continue
            except IdempotencyKeyKnown as known:
                origin = fold("", events).origin
                return await self._launched_before(key or "", known.value.decode(), request, origin)
            return session
        raise FlagmanError("No free session id could be found; please try again.")

    def _given(self, persona: Persona, plan: Json, actor: Actor) -> ModelResponded:
        """A plan as if the model had proposed it, under the same policy. Raises InvalidInput."""
        call = ProposedCall(call_id="given", tool=PLAN, arguments=plan)
        reply = ModelReply(
            text="", calls=(call,), usage=Usage(), cost_usd=Decimal(0), model="given", duration_ms=0
        )
        event = screen(
            reply,
            step=1,
            context_seen=0,
            persona=persona,
            tools=tools_of(persona, self.tools),
            roster=[other.name for other in self.personas.roster(persona)],
            at=self._clock(),
        )
        if event.calls[0].mode == "refuse":
            raise InvalidInput(event.calls[0].reason)
        return event.model_copy(update=self._by(actor))

    async def _launched_before(self, key: str, remembered: str, request: str, origin: Json) -> Session:
        session_id, _, first = remembered.partition(" ")
        session = await self.sessions.load(session_id)
        if first != request or session.origin != origin:
            raise IdempotencyConflict(key)
        return session

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
