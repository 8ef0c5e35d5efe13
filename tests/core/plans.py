"""A session that hands parts of its task to sub-agents: the real coordinator and unit of work, without a store."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Literal

from redis.asyncio import Redis

from storage.log import Lease, LogStore, NewLog
from supervisor.core.control import Action, next_action
from supervisor.core.delegation import Delegate, subtask_statuses
from supervisor.core.events import (
    Actor,
    Cancelled,
    ChildDecided,
    ChildFinished,
    ChildLaunched,
    Event,
    Paused,
    Resumed,
    SessionLaunched,
    ToolCall,
    decode,
)
from supervisor.core.messages import Json
from supervisor.core.persona import Budgets, Persona
from supervisor.core.records import Child
from supervisor.core.reducer import fold
from supervisor.core.state import Session
from supervisor.personas.library import PersonaLibrary
from supervisor.repository import Sessions
from supervisor.runtime.subagents import Coordinator
from supervisor.runtime.unit_of_work import UnitOfWork
from supervisor.service import Supervisor
from tests.core.build import AT, BOB, SID, by, launched, plan_call, responded, tool_call
from tests.support.personas import Fixed

COORDINATOR = Persona(
    name="coordinator", description="Coordinates", instructions="Split it.", tools=("*",), agents=("*",)
)
SRE = Persona(name="sre", description="Looks", instructions="Look.", tools=("*",))
WRITER = Persona(name="writer", description="Writes", instructions="Write.", tools=("*",))
Ending = Literal["completed", "failed", "cancelled"]


def launch_call(call_id: str = "1.1", persona: str = "sre", task: str = "Look", **fields: Any) -> ToolCall:
    given = {"mode": "allow", "control": True, "arguments": {"persona": persona, "task": task}, **fields}
    return tool_call(call_id, tool="launch_agent", **given)


class Kept(UnitOfWork):
    """A unit of work that keeps what was decided in `decided` and `born`, and that nobody commits."""

    def __init__(self, sessions: Sessions, session: Session, now: datetime = AT) -> None:
        lease = Lease(session.id, "", "")
        super().__init__(sessions, lambda: now, asyncio.Event(), lease, session)
        self.decided: list[Event] = []
        self.born: dict[str, SessionLaunched] = {}
        self.personas: dict[str, Persona] = {}

    def add(self, event: Event) -> None:
        super().add(event)
        self.decided.append(event)

    def launch(self, event: ChildLaunched, new_log: NewLog, blobs: dict[str, bytes]) -> None:
        super().launch(event, new_log, blobs)
        first = decode(new_log.session_id, 0, new_log.events[0])
        assert isinstance(first, SessionLaunched)
        assert (new_log.session_id, len(new_log.events)) == (event.child_id, 1)
        persona = Persona.model_validate_json(blobs[first.persona_digest])
        assert persona.digest == first.persona_digest
        self.born[new_log.session_id], self.personas[new_log.session_id] = first, persona


class House:
    """Who carries plans out, for sessions that are given to it."""

    def __init__(self, *personas: Persona, now: datetime = AT) -> None:
        log = LogStore(Redis())  # never connected: nothing is committed
        self.now = now
        self.sessions = Sessions(log)
        self.library = PersonaLibrary(Fixed({p.name: p for p in personas or (SRE, WRITER)}), log)
        supervisor = Supervisor(self.sessions, self.library, {}, lambda: self.now)
        self.coordinator = Coordinator(supervisor, lambda: self.now)

    def unit(self, session: Session) -> Kept:
        return Kept(self.sessions, session, self.now)


class Planned:
    """One session with its plans; each verb is something that happens, and then it goes on as far as it can."""

    def __init__(
        self,
        *subtasks: Json,
        on_failure: str = "continue",
        budgets: Budgets | None = None,
        calls: Sequence[ToolCall] = (),
        personas: Sequence[Persona] = (),
        persona: Persona = COORDINATOR,
        first: SessionLaunched | None = None,
        session_id: str = SID,
        **launch: Any,
    ) -> None:
        self.house, self.persona = House(*personas), persona
        plans = calls or (plan_call(*subtasks, on_failure=on_failure),)
        first = first or launched(budgets=budgets or Budgets(), **launch)
        self.unit = self.house.unit(fold(session_id, [first, responded(*plans)]))
        self.stopped: list[str] = []
        self.action = self.goes_on()

    @property
    def session(self) -> Session:
        return self.unit.session

    def goes_on(self) -> Action:
        """Do what the core says for sub-agents; gives the first action that is about something else."""
        while isinstance(action := next_action(self.session, self.house.now), Delegate):
            assert not action.nothing, "it would go round for ever"
            for child_id in action.stops:
                self.stopped.append(self.session.child(child_id).name)
                self.unit.add(
                    ChildFinished(**self.by(), child_id=child_id, ending="cancelled", result="Stopped")
                )
            if not action.stops:
                self.house.coordinator.go_on(self.unit, action, self.persona)
        return action

    def by(self, actor: Actor | None = None) -> dict[str, Any]:
        self.house.now += timedelta(seconds=1)
        return by(actor, self.house.now)

    def add(self, event: Event) -> Action:
        self.unit.add(event)
        self.action = self.goes_on()
        return self.action

    # What happens

    def ends(self, name: str, ending: Ending = "completed", **fields: Any) -> None:
        """The sub-agent that does this subtask has ended."""
        [child] = [c for c in self.session.running_children if c.name == name]
        told = {"result": f"{name} says so", **fields}
        self.add(ChildFinished(**self.by(), child_id=child.id, ending=ending, **told))

    def says(self, name: str, verdict: Literal["retry", "skip", "stop"]) -> None:
        """A person decides on the sub-agent that did this subtask last."""
        self.add(ChildDecided(**self.by(BOB), child_id=self.last(name).id, verdict=verdict))

    def pause(self) -> None:
        self.add(Paused(**self.by(BOB), reason="manual"))

    def resume(self) -> None:
        self.add(Resumed(**self.by(BOB)))

    def cancel(self) -> None:
        self.add(Cancelled(**self.by(BOB)))

    # How it stands

    def last(self, name: str) -> Child:
        return [c for c in self.session.children if c.name == name][-1]

    @property
    def begun(self) -> list[str]:
        """The subtasks that were launched, in that order."""
        return [c.name for c in self.session.children]

    @property
    def running(self) -> set[str]:
        return {c.name for c in self.session.running_children}

    @property
    def states(self) -> dict[str, str]:
        stands = subtask_statuses(self.session, self.session.call("1.1"))
        return {s.subtask.id: s.state for s in stands}

    @property
    def skipped(self) -> dict[str, str]:
        return {skip.name: skip.reason for skip in self.session.skips}

    @property
    def joined(self) -> bool:
        return self.session.call("1.1").phase == "finished"

    @property
    def result(self) -> str:
        """What the agent reads of its plan."""
        assert self.joined
        return self.session.call("1.1").content

    def persona_of(self, name: str) -> Persona:
        """The persona of the sub-agent that did this subtask last, as it is stored."""
        return self.unit.personas[self.last(name).id]

    def within(self, name: str, *subtasks: Json, **fields: Any) -> Planned:
        """The sub-agent that does this subtask, with a plan of its own."""
        own = {
            "persona": self.persona_of(name),
            "first": self.launch_of(name),
            "session_id": self.last(name).id,
        }
        return Planned(*subtasks, **{**own, **fields})

    def launch_of(self, name: str) -> SessionLaunched:
        """The launch of the sub-agent that did this subtask last."""
        return self.unit.born[self.last(name).id]
