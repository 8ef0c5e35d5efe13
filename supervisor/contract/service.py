"""The service that all interfaces call: each verb takes a request, acts for one actor and returns a view."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from datetime import datetime

from supervisor.contract.found import Found
from supervisor.contract.models import (
    DecisionsResult,
    DeliveryResult,
    PauseResult,
    ReminderView,
    SessionView,
    ToldResult,
)
from supervisor.contract.reader import SessionReader
from supervisor.contract.requests import (
    COORDINATOR,
    AnswerRequest,
    CancelRequest,
    ChildRequest,
    ContextRequest,
    DecisionRequest,
    DecisionsRequest,
    EventRequest,
    ForkRequest,
    LaunchRequest,
    OutcomeRequest,
    PauseRequest,
    ReminderRequest,
    ResumeRequest,
    TokenRequest,
)
from supervisor.contract.views import (
    call_result,
    conditions_of,
    only_calls,
    reminder_view,
)
from supervisor.core.commands.approvals import Seen
from supervisor.core.commands.conversation import Kind
from supervisor.core.conditions import Condition, Webhook, parse_condition
from supervisor.core.delegation import Plan
from supervisor.core.due import parse_due
from supervisor.core.errors import InvalidInput, MissingScope, NotAllowed
from supervisor.core.events import Actor, GivenFile
from supervisor.core.messages import Json
from supervisor.core.rights import of_workspace
from supervisor.core.state import Session


class SessionService(SessionReader):
    """All verbs of sessions, on behalf of `actor`. Methods raise FlagmanError or StorageError."""

    # Launching

    async def launch(
        self,
        request: LaunchRequest,
        *,
        idempotency_key: str | None = None,
        origin: Json | None = None,
        quoted: str = "",
        files: Sequence[GivenFile] = (),
    ) -> SessionView:
        """Launch a session; the same key and request return the same session.

        `origin` says where it is shown, in place of the channel of the request: where the actor is. `quoted` are words
        that go along with the task, and `files` are taken into its folder. Raises ChannelNotFound.
        """
        origin = await self._origin(request.channel) if origin is None else origin
        origin = of_workspace(self.actor, origin)
        plan, persona = request.coordinate, await self._persona(request, origin)
        actor = await self.access.launcher(self._supervisor.personas.get(persona))
        session = await self._supervisor.launch(
            persona,
            f"{request.task}\n\n{request.context}" if request.context.strip() else request.task,
            actor,
            origin=origin,
            coordinate=plan is not False,
            plan=plan.model_dump(mode="json")
            if isinstance(plan, Plan)
            else plan
            if plan == "propose"
            else None,
            idempotency_key=self._own(idempotency_key),
            limits=request.limits.limits() if request.limits else None,
            context=quoted,
            files=files,
        )
        return await self.view(session)

    async def _persona(self, request: LaunchRequest, origin: Json) -> str:
        """The name of the persona of a launch. Raises InvalidInput where none is named and there is no default."""
        if request.persona or request.coordinate is not False:
            return request.persona or COORDINATOR
        if default := await self._parts.places.default_persona(origin):
            return default
        raise InvalidInput("persona: Field required, as there is no default persona here.")

    async def fork(
        self,
        session_id: str,
        request: ForkRequest,
        *,
        idempotency_key: str | None = None,
        origin: Json | None = None,
    ) -> SessionView:
        """Launch a copy of a session that continues from the end of a step, in the place of the session if it has one.

        `origin` says where the copy of a session without a place is shown. Raises InvalidInput for another channel.
        """
        found = await self.access.operator(session_id, "fork")
        channel = self._parts.channels.channel_of(found.session.origin)
        if channel and request.channel not in (None, channel):
            raise InvalidInput("A copy stays in the channel of its session, where the same people see it.")
        if channel:
            await self.access.check_place(found.session.origin, given=False)
            origin = None
        elif origin is None and request.channel:
            origin = await self._origin(request.channel)
        session = await self._supervisor.fork(
            session_id,
            found.actor,
            step=request.step,
            message=request.message,
            origin=origin,
            idempotency_key=self._own(idempotency_key),
            gone=await asyncio.to_thread(self._parts.artifacts.missing, found.session),
        )
        return await self.view(session)

    async def restore(self, document: bytes) -> SessionView:
        """Restore a session from its SESSION_LOG."""
        return await self.view(await self._parts.restorer.restore(document, self.actor))

    # Pausing and resuming

    async def pause(
        self, session_id: str, request: PauseRequest, *, conditions: Sequence[Condition] = ()
    ) -> PauseResult:
        """Pause at the next boundary, until a condition comes true or a person resumes.

        Adds to the conditions of a session that is paused already, or replaces them. `conditions` are those that a face
        has read in a grammar of its own.
        """
        found = await self.access.operator(session_id, "pause")
        if found.over_budget:
            # What ends this pause raises its budget.
            found = await self._resumer(session_id)
        actor = found.actor
        now = self._parts.clock()
        written = [parse_condition(text, now=now, zone=request.zone) for text in request.resume_conditions]
        session = await self._supervisor.pause(
            session_id,
            actor,
            conditions=[*written, *conditions],
            detail=request.reason,
            replace=request.replace,
            cascade=request.cascade,
            may_decide=self._may_decide,
            pause_number=found.pause_number,
        )
        return self._pause_result(session, actor, token=not session.approval)

    async def resume_token(self, session_id: str) -> PauseResult:
        """A resume token for the present pause of a session."""
        found = await self._resumer(session_id)
        return self._pause_result(found.session, found.actor)

    def _pause_result(self, session: Session, actor: Actor, *, token: bool = True) -> PauseResult:
        text, expires_at = self._parts.tokens.give(session, actor) if token else (None, None)
        hooks = [condition.name for _, condition in session.waits if isinstance(condition, Webhook)]
        return PauseResult(
            status="paused",
            session_id=session.id,
            resume_token=text,
            expires_at=expires_at,
            conditions=conditions_of(session),
            problems=[problem for hook in hooks if (problem := self._parts.hook_problem(hook))],
            sub_agents=len(session.running_children) if session.halts[-1].cascade else 0,
        )

    async def resume(
        self, session_id: str, request: ResumeRequest, *, pause_number: int | None = None
    ) -> SessionView:
        """Resume a session out of any pause, now or at a time; with `pause_number` only out of this one."""
        if request.when is not None:
            due = parse_due(request.when, self._parts.clock(), request.zone)
            return await self.resume_later(session_id, due, context=request.context)
        found = await self._resumer(session_id)
        session = await self._supervisor.resume(
            session_id,
            found.actor,
            trigger=request.trigger,
            data=request.data,
            context=request.context,
            compact=request.compact,
            # The right was looked at for this pause; 0 where there was none.
            pause_number=found.pause_number if pause_number is None else pause_number,
            may_decide=self._may_decide,
        )
        return await self._view_for(found, session)

    async def resume_later(self, session_id: str, due: datetime, *, context: str = "") -> SessionView:
        """Have a paused session resume at `due` (UTC); then the agent reads `context`."""
        found = await self._resumer(session_id)
        session = await self._supervisor.resume_later(
            session_id,
            due,
            found.actor,
            context=context,
            may_decide=self._may_decide,
            pause_number=found.pause_number,
        )
        return await self._view_for(found, session)

    async def _resumer(self, session_id: str) -> Found:
        """The session, which the actor may resume. To raise a budget takes the scope to decide, too."""
        found = await self.access.resumer(session_id)
        if found.over_budget and not self._may_decide:
            raise MissingScope("approve")
        return found

    async def redeem(self, token: str, request: TokenRequest) -> SessionView:
        """End the pause of a resume token; no other right is needed."""
        session = await self._parts.tokens.redeem(
            self._supervisor, token, data=request.data, context=request.context, bearer=self.actor
        )
        # Who has nothing but the token does not read the session by it.
        view = await self.view(session)
        return view if await self.access.sees(session) else only_calls(view, ())

    async def cancel(self, session_id: str, request: CancelRequest) -> SessionView:
        """End a session; nothing new starts in it."""
        found = await self.access.operator(session_id, "cancel")
        session = await self._supervisor.cancel(session_id, found.actor, reason=request.reason)
        return await self._view_for(found, session)

    async def emit(self, request: EventRequest) -> DeliveryResult:
        """Emit an event, which resumes the sessions that wait for it."""
        delivery = f"id {request.id}" if request.id else secrets.token_hex(16)
        return await self.deliver(request.type, delivery, request.data)

    async def deliver(self, name: str, delivery: str, data: object) -> DeliveryResult:
        """As `emit`, with a delivery id of the caller; the same id again does nothing. Raises NotAllowed."""
        await self.access.sender(name)
        done = await self._parts.signals.deliver("event", name, delivery, data, self.actor)
        seen = [id_ for id_ in done.resumed if await self.access.sees(await self._supervisor.get(id_))]
        return DeliveryResult(resumed=seen, others=len(done.resumed) - len(seen), repeated=done.repeated)

    # Deciding

    async def decide(self, session_id: str, call_id: str, request: DecisionRequest) -> SessionView:
        """Approve or deny a call as it was shown; with arguments, approve it with these in place of the proposed ones.

        Raises DigestRequired where the request does not say what was shown, and CallChanged where that is no more.
        """
        seen = Seen(request.digest, request.request)
        found = await self.access.decider(session_id, [call_id])
        if request.arguments is None:
            async with self.access.recorded(found, request.verdict, call_id):
                session = await self._supervisor.decide(
                    session_id, call_id, request.verdict, found.actor, seen=seen, reason=request.reason
                )
        else:
            session = await self._edit(found, call_id, request.arguments, seen)
        return await self._view_for(found, session, call_id)

    async def edit(self, session_id: str, call_id: str, arguments: Json, *, seen: Seen) -> Session:
        """Change the arguments of a call, and approve it where the actor may. Raises as `decide`."""
        return await self._edit(await self.access.decider(session_id, [call_id]), call_id, arguments, seen)

    async def _edit(self, found: Found, call_id: str, arguments: Json, seen: Seen) -> Session:
        async with self.access.recorded(found, "edit", call_id):
            return await self._supervisor.edit(found.session.id, call_id, arguments, found.actor, seen=seen)

    async def _view_for(self, found: Found, session: Session, *call_ids: str) -> SessionView:
        """The view of the session; of these calls alone for an actor who may not read the session."""
        view = await self.view(session)
        return view if found.reads else only_calls(view, call_ids)

    async def decide_each(self, session_id: str, request: DecisionsRequest) -> DecisionsResult:
        """Approve or deny several calls as they were shown, with what happened to each of them."""
        found = await self.access.decider(session_id, [call.call_id for call in request.calls])
        session, refused = await self._supervisor.decide_each(
            session_id,
            {call.call_id: Seen(call.digest, call.request) for call in request.calls},
            request.verdict,
            found.actor,
            reason=request.reason,
        )
        for call_id, error in refused.items():
            if isinstance(error, NotAllowed):
                await self.access.note(found, request.verdict, str(error), call_id)
        calls = dict.fromkeys(call.call_id for call in request.calls)
        results = [call_result(call_id, refused.get(call_id)) for call_id in calls]
        decided = [result.call_id for result in results if result.decided]
        return DecisionsResult(results=results, session=await self._view_for(found, session, *decided))

    async def decide_outcome(self, session_id: str, call_id: str, request: OutcomeRequest) -> SessionView:
        """Record the outcome of a call whose outcome is unknown, or run it again. Raises as `decide`."""
        seen = Seen(request.digest, request.request)
        if request.verdict == "run_again":
            found = await self.access.decider(session_id, [call_id])
        else:
            found = await self.access.operator(session_id, "record the outcome")
        async with self.access.recorded(found, "run again", call_id):
            session = await self._supervisor.decide_outcome(
                session_id, call_id, request.verdict, found.actor, seen=seen, result=request.result
            )
        return await self._view_for(found, session, call_id)

    async def decide_child(self, session_id: str, child_id: str, request: ChildRequest) -> SessionView:
        """Decide on a failed sub-agent."""
        found = await self.access.operator(session_id, "decide on a sub-agent")
        session = await self._supervisor.decide_child(session_id, child_id, request.verdict, found.actor)
        return await self._view_for(found, session)

    # Conversation

    async def answer(self, session_id: str, request: AnswerRequest) -> SessionView:
        """Answer a question of the agent, or of a server in the middle of a call of its tool."""
        found = await self.access.participant(session_id, "answer")
        session = await self._supervisor.answer(session_id, request.call_id, request.given, found.actor)
        return await self._view_for(found, session)

    async def tell(
        self,
        session_id: str,
        request: ContextRequest,
        *,
        kind: Kind = "api",
        delivery: str = "",
        answers: bool = True,
        files: Sequence[GivenFile] = (),
    ) -> ToldResult:
        """Send a message: the answer to the only open question, or context for the next step.

        The same `delivery` again raises IdempotencyKeyKnown and changes nothing. Raises PersonaNotFound for the note
        of a persona that there is not.
        """
        look = self.access.operator if request.instead else self.access.participant
        found = await look(session_id, "tell")
        persona = self._supervisor.personas.get(request.persona).name if request.persona else ""
        session, heard = await self._supervisor.tell(
            session_id,
            request.text,
            found.actor,
            kind=kind,
            delivery=delivery,
            answers=answers,
            persona=persona,
            instead=request.instead,
            files=files,
        )
        return ToldResult(heard=heard, session=await self._view_for(found, session))

    async def remind(self, session_id: str, request: ReminderRequest) -> ReminderView:
        """Set a reminder."""
        due = parse_due(request.when, self._parts.clock(), request.zone)
        return await self.remind_at(session_id, due, text=request.text)

    async def remind_at(
        self, session_id: str, due: datetime, *, text: str = "", about: str = ""
    ) -> ReminderView:
        """Set a reminder for a time; `about` names the approval request that is snoozed, if any."""
        actor = (await self.access.participant(session_id, "remind")).actor
        session = await self._supervisor.remind(session_id, due, actor, text=text, about=about)
        return reminder_view(session.timers[-1])

    async def snooze(self, session_id: str, reminder_id: str, due: datetime) -> ReminderView:
        """Remove a reminder and set the same for a later time."""
        actor = (await self.access.participant(session_id, "snooze")).actor
        session = await self._supervisor.snooze(session_id, reminder_id, due, actor)
        return reminder_view(session.timers[-1])

    async def drop_reminder(self, session_id: str, reminder_id: str) -> None:
        """Remove a reminder."""
        actor = (await self.access.participant(session_id, "drop a reminder")).actor
        await self._supervisor.drop_timer(session_id, reminder_id, actor)

    def _own(self, key: str | None) -> str | None:
        # Each actor has its own keys, so that a guessed key does not lead to another actor's session.
        return f"{self.actor.id}:{key}" if key else None

    async def _origin(self, channel: str | None) -> Json:
        origin = of_workspace(self.actor, self._parts.channels.origin_of(channel) if channel else {})
        await self.access.check_place(origin)
        return origin
