"""The supervisor: one method for each verb. It reads a session, calls the command, and appends at the version read."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from storage.log import Claim
from supervisor.audit import RefusalNotes, Refusals
from supervisor.changes import Changes
from supervisor.core.commands import approvals, control, conversation, deadlines, grants, launch, reminders
from supervisor.core.commands.approvals import ChildVerdict, OutcomeVerdict, Rejudge, Seen, Verdict
from supervisor.core.commands.base import check_text
from supervisor.core.commands.conversation import Given, Heard
from supervisor.core.commands.limits import Limits
from supervisor.core.conditions import Condition
from supervisor.core.delegation import PLAN
from supervisor.core.digest import digest
from supervisor.core.errors import FlagmanError
from supervisor.core.events import Actor, Event, GivenFile, PauseReason, ToolCall, Trigger
from supervisor.core.messages import Json
from supervisor.core.persona import Persona
from supervisor.core.policy import ask_first
from supervisor.core.state import Session
from supervisor.core.text.sanitize import clean
from supervisor.core.tool_calls import edit_call, tools_of
from supervisor.core.triggers import Signal
from supervisor.mcp.tools import with_tool_of
from supervisor.new_logs import begin, ruled_today
from supervisor.personas.library import PersonaLibrary
from supervisor.place_settings import PlaceSettings
from supervisor.quorum import Quorum, Reach, unlimited
from supervisor.repository import Sessions
from supervisor.tools.contract import Toolset


class Supervisor:
    """All verbs, each on behalf of an actor. Methods raise FlagmanError or StorageError."""

    def __init__(
        self,
        sessions: Sessions,
        personas: PersonaLibrary,
        tools: Toolset,
        clock: Callable[[], datetime],
        reach: Reach = unlimited,
        places: PlaceSettings | None = None,
        refusals: Refusals | None = None,
    ) -> None:
        self.sessions, self.personas, self.tools, self._places = sessions, personas, tools, places
        self._clock, self.quorum = clock, Quorum(reach)
        self._change = Changes(sessions, clock)
        self.refusals = RefusalNotes(self._change, refusals, clock)

    # Reading

    async def get(self, session_id: str) -> Session:
        return await self.sessions.load(session_id)

    # Launching

    async def launch(
        self,
        persona: str,
        task: str,
        actor: Actor,
        *,
        origin: Json | None = None,
        coordinate: bool = False,
        plan: Json | Literal["propose"] | None = None,
        idempotency_key: str | None = None,
        asked_by: Collection[str] = (),
        limits: Limits | None = None,
        context: str = "",
        files: Sequence[GivenFile] = (),
    ) -> Session:
        """Begin a session and queue it; see `commands.launch`. The same key and request return the same session.

        With "propose" its plans always need an approval. `limits` are within those of the persona and of the place in
        `origin`, which narrows the persona. Raises PersonaNotFound, PersonaUnusable, InvalidInput or
        IdempotencyConflict.
        """
        chosen, task = await self.personas.launchable(persona), check_text(task, "The task")
        chosen = await self._ruled(chosen, origin or {}, limits)
        chosen = ask_first(chosen, PLAN) if plan == "propose" else chosen
        events = launch.launch(
            chosen,
            task,
            actor,
            self._clock(),
            tools=tools_of(chosen, self.tools),
            roster=self._roster(chosen),
            origin=origin,
            coordinate=coordinate,
            plan=plan if isinstance(plan, dict) else None,
            asked_by=asked_by,
            context=context,
            files=files,
        )
        asked = [] if limits is None else [limits.model_dump(mode="json", exclude_defaults=True)]
        request = digest([persona, task, actor.id, *([] if plan is None else [plan]), *asked])
        return await begin(self.sessions, events, chosen, request, idempotency_key)

    async def fork(
        self,
        session_id: str,
        actor: Actor,
        *,
        step: int | None = None,
        message: str = "",
        origin: Json | None = None,
        idempotency_key: str | None = None,
        gone: Collection[str] = (),
    ) -> Session:
        """Begin a session with the log of this one up to the end of a step; see `commands.launch.fork`."""
        message = check_text(message, "The message", optional=True)
        # Loading first raises SessionNotFound; reading the events of an unknown session does not.
        source = await self.sessions.load(session_id)
        log = await self.sessions.events(session_id)
        persona = await ruled_today(
            self.personas, source, lambda one: self._ruled(one, source.origin if origin is None else origin)
        )
        events = launch.fork(
            session_id,
            log,
            actor,
            self._clock(),
            persona=persona,
            step=step,
            message=message,
            origin=origin,
            gone=gone,
        )
        # A digest of the request alone, since the source may have more events when the request is repeated.
        request = digest([session_id, step, message, actor.id])
        return await begin(self.sessions, events, persona, request, idempotency_key, like=session_id)

    # Deciding

    async def decide(
        self, session_id: str, call_id: str, verdict: Verdict, actor: Actor, *, seen: Seen, reason: str = ""
    ) -> Session:
        return await self._change.session(
            session_id,
            lambda s, at: approvals.decide(s, call_id, verdict, actor, at, seen=seen, reason=reason),
        )

    async def decide_each(
        self, session_id: str, seen: Mapping[str, Seen], verdict: Verdict, actor: Actor, *, reason: str = ""
    ) -> tuple[Session, dict[str, FlagmanError]]:
        """Decide on several calls in one append; with the error of each call that was refused."""
        refused: dict[str, FlagmanError] = {}

        def command(session: Session, at: datetime) -> list[Event]:
            refused.clear()
            events, errors = approvals.decide_each(session, seen, verdict, actor, at, reason=reason)
            refused.update(errors)
            return events

        return await self._change.session(session_id, command), refused

    async def edit(
        self, session_id: str, call_id: str, arguments: Json, actor: Actor, *, seen: Seen
    ) -> Session:
        rejudge = await self._rejudge(session_id)
        before = await self.sessions.load(session_id)
        too_few = await self.quorum.too_few_after(before, call_id, arguments, actor, rejudge)

        def command(session: Session, at: datetime) -> list[Event]:
            return approvals.edit(
                session, call_id, arguments, actor, at, rejudge=rejudge, seen=seen, too_few=too_few
            )

        return await self._change.session(session_id, command)

    async def preview_edit(self, session_id: str, call_id: str, arguments: Json) -> ToolCall:
        """Return the call as `edit` would leave it, with its approvers. Raises InvalidInput."""
        rejudge = await self._rejudge(session_id)
        return rejudge((await self.sessions.load(session_id)).call(call_id).call, arguments)

    async def allow(
        self, session_id: str, call_id: str, terms: grants.Terms, actor: Actor, *, seen: Seen
    ) -> Session:
        return await self._change.session(
            session_id, lambda s, at: grants.allow(s, call_id, terms, actor, at, seen=seen)
        )

    async def revoke(self, session_id: str, grant_id: str, actor: Actor) -> Session:
        return await self._change.session(session_id, lambda s, at: grants.revoke(s, grant_id, actor, at))

    async def pass_deadlines(self, session_id: str, name: str, actor: Actor) -> bool:
        """Act on the deadlines of requests and grants that have passed. Returns whether the named one was still set."""
        change = await self._change(session_id, lambda s, at: deadlines.pass_deadlines(s, name, actor, at))
        return bool(change.events)

    async def decide_outcome(
        self,
        session_id: str,
        call_id: str,
        verdict: OutcomeVerdict,
        actor: Actor,
        *,
        seen: Seen,
        result: str = "",
    ) -> Session:
        def command(session: Session, at: datetime) -> list[Event]:
            return approvals.decide_outcome(session, call_id, verdict, actor, at, seen=seen, result=result)

        return await self._change.session(session_id, command)

    async def decide_child(
        self, session_id: str, child_id: str, verdict: ChildVerdict, actor: Actor
    ) -> Session:
        return await self._change.session(
            session_id, lambda s, at: approvals.decide_child(s, child_id, verdict, actor, at)
        )

    # Control

    async def pause(
        self,
        session_id: str,
        actor: Actor,
        *,
        conditions: Sequence[Condition] = (),
        reason: PauseReason | None = None,
        detail: str = "",
        replace: bool = False,
        cascade: bool = True,
        may_decide: bool = True,
        pause_number: int | None = None,
    ) -> Session:
        before = await self.sessions.load(session_id)
        approvers, too_few = await self.quorum.of_pause(before, self.personas.load_pinned, actor, conditions)

        def command(session: Session, at: datetime) -> list[Event]:
            return control.pause(
                session,
                actor,
                at,
                conditions=conditions,
                reason=reason,
                detail=detail,
                approvers=approvers,
                too_few=too_few,
                replace=replace,
                cascade=cascade,
                may_decide=may_decide,
                pause_number=pause_number,
            )

        return await self._change.session(session_id, command)

    async def resume(
        self,
        session_id: str,
        actor: Actor,
        *,
        trigger: Trigger = "manual",
        data: Any = None,
        context: str = "",
        compact: bool = False,
        pause_number: int | None = None,
        may_decide: bool = True,
    ) -> Session:
        def command(session: Session, at: datetime) -> list[Event]:
            return control.resume(
                session,
                actor,
                at,
                trigger=trigger,
                data=data,
                context=context,
                compact=compact,
                pause_number=pause_number,
                may_decide=may_decide,
            )

        return await self._change.session(session_id, command)

    async def resume_later(
        self,
        session_id: str,
        due: datetime,
        actor: Actor,
        *,
        context: str = "",
        may_decide: bool = True,
        pause_number: int | None = None,
    ) -> Session:
        def command(session: Session, at: datetime) -> list[Event]:
            return control.resume_later(
                session, due, actor, at, context=context, may_decide=may_decide, pause_number=pause_number
            )

        return await self._change.session(session_id, command)

    async def follow(self, session_id: str, pause_number: int, actor: Actor) -> Session:
        return await self._change.session(
            session_id, lambda s, at: control.follow(s, pause_number, actor, at)
        )

    async def wake(self, session_id: str, signal: Signal, actor: Actor) -> bool:
        """Resume the session if it waits for this signal. Returns whether it did."""
        return bool((await self._change(session_id, lambda s, at: control.wake(s, signal, actor, at))).events)

    async def cancel(self, session_id: str, actor: Actor, *, reason: str = "") -> Session:
        return await self._change.session(
            session_id, lambda s, at: control.cancel(s, actor, at, reason=reason)
        )

    # Conversation

    async def answer(self, session_id: str, call_id: str | None, given: Given, actor: Actor) -> Session:
        return await self._change.session(
            session_id, lambda s, at: conversation.answer(s, call_id, given, actor, at)
        )

    async def tell(
        self,
        session_id: str,
        text: str,
        actor: Actor,
        *,
        kind: conversation.Kind,
        delivery: str = "",
        answers: bool = True,
        persona: str = "",
        instead: bool = False,
        files: Sequence[GivenFile] = (),
    ) -> tuple[Session, Heard]:
        """Record a message of a person. Returns the session, and how the message was recorded.

        The same `delivery` again changes nothing and raises IdempotencyKeyKnown.
        """
        claim = Claim(delivery, session_id.encode(), sender=actor.id) if delivery else None

        def command(session: Session, at: datetime) -> list[Event]:
            return conversation.tell(
                session,
                text,
                actor,
                at,
                kind=kind,
                answers=answers,
                persona=persona,
                instead=instead,
                files=files,
            )

        change = await self._change(session_id, command, claim)
        return change.session, conversation.heard(change.events)

    async def note_refusal(self, session_id: str, signal: Signal, most_bytes: int, actor: Actor) -> Session:
        return await self._change.session(
            session_id, lambda s, at: conversation.note_refusal(s, signal, most_bytes, actor, at)
        )

    # Reminders

    async def remind(
        self, session_id: str, due: datetime, actor: Actor, *, text: str = "", about: str = ""
    ) -> Session:
        return await self._change.session(
            session_id, lambda s, at: reminders.remind(s, due, actor, at, text=text, about=about)
        )

    async def fire_timer(self, session_id: str, timer_id: str, actor: Actor) -> bool:
        """Fire a due reminder. Returns whether it was still set."""
        change = await self._change(session_id, lambda s, at: reminders.fire_timer(s, timer_id, actor, at))
        return bool(change.events)

    async def drop_timer(self, session_id: str, timer_id: str, actor: Actor) -> Session:
        return await self._change.session(
            session_id, lambda s, at: reminders.drop_timer(s, timer_id, actor, at)
        )

    async def snooze(self, session_id: str, timer_id: str, due: datetime, actor: Actor) -> Session:
        return await self._change.session(
            session_id, lambda s, at: reminders.snooze(s, timer_id, due, actor, at)
        )

    # Parts of verbs

    async def _ruled(self, persona: Persona, origin: Json, limits: Limits | None = None) -> Persona:
        """Return the persona as it is launched at a place."""
        return await self._places.ruled(persona, origin, limits) if self._places else persona

    async def _rejudge(self, session_id: str) -> Rejudge:
        """Return the function that evaluates a call of this session with other arguments."""
        persona = await self.personas.load_pinned(await self.sessions.load(session_id))
        tools, roster = tools_of(persona, self.tools), self._roster(persona)
        return lambda call, arguments: edit_call(
            call, clean(arguments), persona, with_tool_of(tools, call), roster, self._clock()
        )

    def _roster(self, persona: Persona) -> list[str]:
        return [other.name for other in self.personas.roster(persona)]
