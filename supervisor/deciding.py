"""Deciding: approve, deny or change a proposed call; say what became of one that was cut off, or of a sub-agent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from supervisor.changes import checked
from supervisor.core.errors import AlreadyDecided, IllegalEvent, NotAllowed
from supervisor.core.events import (
    Actor,
    ApprovalDecided,
    CallEdited,
    ChildDecided,
    Event,
    OutcomeDecided,
    ToolCall,
)
from supervisor.core.messages import Json
from supervisor.core.policy import permission, right_to_decide
from supervisor.core.reducer import apply
from supervisor.core.state import Call, Session
from supervisor.core.text.sanitize import clean
from supervisor.core.tool_calls import edit_call, tools_of
from supervisor.waiting import Waiting

CHILD_WORDS = {
    "retry": "answered with “Retry”",
    "skip": "answered with “Go on without”",
    "stop": "answered with “Stop the rest”",
}


class Deciding(Waiting):
    """The verbs of those who wave through."""

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
                same_call(call, (digests or {}).get(call_id, ""))
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

    async def change(
        self, session_id: str, call_id: str, arguments: Json, actor: Actor, *, seen: str = ""
    ) -> Session:
        """Approve a call with other arguments than the model proposed. `seen` is the digest that was shown.

        Where the other arguments are for others to approve, the call is changed and waits for them. Raises
        InvalidInput where the arguments do not fit or policy forbids them.
        """
        rules = await self._rules(session_id)

        def events(session: Session) -> list[Event]:
            call = session.call(call_id)
            same_call(call, seen)
            via = right_to_decide(session, call, actor)
            new = rules(call.call, arguments)
            if new.digest == call.call.digest:
                return [self._approval(session, call, actor)]
            change = CallEdited(
                **self._by(actor), call_id=call_id, before=call.call.digest, call=new, via=via
            )
            after = apply(session_id, session, change)
            try:
                return [change, self._approval(after, after.call(call_id), actor)]
            except NotAllowed:
                return [change]

        return await self._change(session_id, events)

    async def changed(self, session_id: str, call_id: str, arguments: Json) -> ToolCall:
        """What `change` would make of the call: with who may approve it then. Raises InvalidInput."""
        rules = await self._rules(session_id)
        return rules((await self.sessions.load(session_id)).call(call_id).call, arguments)

    async def _rules(self, session_id: str) -> Callable[[ToolCall, Json], ToolCall]:
        """Rules a call of this session anew, with other arguments."""
        persona = await self.personas.pinned(await self.sessions.load(session_id))
        roster = [other.name for other in self.personas.roster(persona)]
        tools = tools_of(persona, self.tools)
        return lambda call, arguments: edit_call(call, clean(arguments), persona, tools, roster)

    def _approval(self, session: Session, call: Call, actor: Actor) -> ApprovalDecided:
        return ApprovalDecided(
            **self._by(actor),
            call_id=call.call_id,
            digest=call.call.digest,
            verdict="approve",
            via=right_to_decide(session, call, actor),
        )

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

    async def decide_child(
        self, session_id: str, child_id: str, verdict: Literal["retry", "skip", "stop"], actor: Actor
    ) -> Session:
        """Say what next of a sub-agent that failed: do it again, go on without it, or stop the rest of the plan."""

        def events(session: Session) -> list[Event]:
            child = session.child(child_id)
            if child.verdict and child.decided_at:
                what, word, name = "That failure", CHILD_WORDS[child.verdict], child.decided_by_name
                raise AlreadyDecided(word, child.decided_by, child.decided_at, name=name, what=what)
            return [ChildDecided(**self._by(actor), child_id=child_id, verdict=verdict)]

        return await self._change(session_id, events)


def same_call(call: Call, seen: str) -> None:
    """Raises IllegalEvent where the digest that was shown is not that of the call as it stands."""
    if not call.call.digest.startswith(seen):
        raise IllegalEvent("That message shows another call; please use the newest one.")
