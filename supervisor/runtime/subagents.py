"""Launches and stops the sub-agents of a session, and records how they ended."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType

from storage.keys import partition_of
from supervisor.core.commands.control import follow
from supervisor.core.delegation import Delegate, Subtask, briefing, consolidation, inputs, share
from supervisor.core.errors import (
    AlreadyEnded,
    LogUnreadable,
    PersonaNotFound,
    PersonaUnusable,
    SessionNotFound,
)
from supervisor.core.events import (
    Actor,
    ChildFinished,
    ChildLaunched,
    ChildrenJoined,
    ChildSkipped,
    Lineage,
    SessionLaunched,
)
from supervisor.core.events.subagents import child_folder
from supervisor.core.persona import Persona
from supervisor.core.reducer import apply
from supervisor.core.rights import runs_as
from supervisor.core.state import Session
from supervisor.core.subagents import cascading, pause_to_follow, waits_for_parent
from supervisor.core.triggers import Signal
from supervisor.repository import new_session_id
from supervisor.runtime.unit_of_work import UnitOfWork
from supervisor.service import Supervisor


class Coordinator:
    """Carries out what the core decided on sub-agents, and records it in the unit of work of the parent's job."""

    def __init__(self, supervisor: Supervisor, clock: Callable[[], datetime]) -> None:
        self._supervisor, self._clock = supervisor, clock

    async def collect(self, unit: UnitOfWork) -> None:
        """Record the end of each sub-agent that has ended. If the session has ended, stop the others.

        If it is paused with them, pause the others, and resume them when it goes on.
        """
        for child in unit.session.running_children:
            try:
                found = await self._supervisor.get(child.id)
                if unit.session.ended and not found.ended:
                    found = await self._stop(unit.session, child.id)
                elif not found.ended:
                    await self._keep_pace(unit.session, found)
            except (SessionNotFound, LogUnreadable) as error:
                lost = {"child_id": child.id, "ending": "failed", "result": str(error)}
                unit.add(ChildFinished(**unit.now(), **lost))
                continue
            # A stopped sub-agent has yet to record the ends and the usage of its own sub-agents.
            if found.ended and not found.running_children:
                unit.add(ChildFinished(**unit.now(), **_end_of(found)))

    async def _keep_pace(self, session: Session, child: Session) -> None:
        """Pause a sub-agent with its session, or resume it with it."""
        actor = Actor(id=f"agent:{session.id}", name=session.persona)
        if halt := pause_to_follow(session, child):
            await self._supervisor.follow(child.id, halt.number, actor)
        elif waits_for_parent(child) and cascading(session) is None:
            await self._supervisor.wake(child.id, Signal("parent"), actor)

    async def follow_parent(self, unit: UnitOfWork) -> None:
        """Pause a sub-agent before it does anything, where the session that launched it is paused with it."""
        session = unit.session
        if session.lineage is None or session.pause or session.ended:
            return
        try:
            parent = await self._supervisor.get(session.lineage.parent)
        except (SessionNotFound, LogUnreadable):
            # It goes on as one whose parent has not been restored as yet.
            return
        if halt := pause_to_follow(parent, session):
            actor = Actor(id=f"agent:{parent.id}", name=parent.persona)
            for event in follow(session, halt.number, actor, self._clock()):
                unit.add(event)

    async def stop(self, session: Session, child_ids: tuple[str, ...]) -> None:
        """Cancel these sub-agents; those that have ended stay unchanged."""
        for child_id in child_ids:
            await self._stop(session, child_id)

    async def _stop(self, session: Session, child_id: str) -> Session:
        actor = Actor(id=f"agent:{session.id}", name=session.persona)
        reason = (
            f"The session that launched it was {session.lifecycle}."
            if session.ended
            else "The plan was stopped."
        )
        try:
            return await self._supervisor.cancel(child_id, actor, reason=reason)
        except AlreadyEnded:
            return await self._supervisor.get(child_id)

    async def unusable(self, action: Delegate) -> dict[str, str]:
        """Why personas that `action` launches cannot be launched, by their names."""
        problems: dict[str, str] = {}
        for name in dict.fromkeys(subtask.persona for subtask in action.starts):
            try:
                await self._supervisor.personas.launchable(name)
            except (PersonaNotFound, PersonaUnusable) as error:
                problems[name] = str(error)
        return problems

    def go_on(
        self,
        unit: UnitOfWork,
        action: Delegate,
        persona: Persona,
        unusable: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """Record the skips, launches and the join of `action`; `persona` is that of the session itself.

        `unusable` says by name why a persona is not to be launched.
        """
        call_id = action.call.call_id
        for name, reason in action.skips:
            unit.add(ChildSkipped(**unit.now(), call_id=call_id, name=name, reason=reason))
        for subtask in action.starts:
            if problem := unusable.get(subtask.persona):
                unit.add(ChildSkipped(**unit.now(), call_id=call_id, name=subtask.id, reason=problem))
                continue
            self._launch(unit, call_id, subtask, persona)
        if action.joined:
            ok, content = consolidation(unit.session, unit.session.call(call_id))
            unit.add(ChildrenJoined(**unit.now(), call_id=call_id, ok=ok, content=content))

    def _launch(self, unit: UnitOfWork, call_id: str, subtask: Subtask, persona: Persona) -> None:
        try:
            chosen = self._supervisor.personas.get(subtask.persona).model_copy(update={"under": persona})
        except PersonaNotFound as error:
            unit.add(ChildSkipped(**unit.now(), call_id=call_id, name=subtask.id, reason=str(error)))
            return
        session = unit.session
        call = session.call(call_id)
        budgets = share(session, chosen.budgets, self._clock(), launches=bool(chosen.agents))
        begins = ChildLaunched(
            **unit.now(),
            call_id=call_id,
            child_id=new_session_id(partition_of(session.id)),
            name=subtask.id,
            persona=chosen.name,
            task=subtask.task,
            budgets=budgets,
            below=budgets.max_children,
        )
        child = SessionLaunched(
            at=begins.at,
            by=f"agent:{session.id}",
            by_name=session.persona,
            task=briefing(session, call, subtask),
            persona=chosen.name,
            persona_digest=chosen.digest,
            budgets=begins.budgets,
            origin=session.origin,
            lineage=_lineage(session, begins, subtask),
        )
        new_log = self._supervisor.sessions.new_log(apply(begins.child_id, None, child), [child])
        blob = chosen.model_dump_json(exclude_defaults=True).encode()
        unit.launch(begins, new_log, {chosen.digest: blob})


def _lineage(session: Session, begins: ChildLaunched, subtask: Subtask) -> Lineage:
    return Lineage(
        parent=session.id,
        call_id=begins.call_id,
        name=begins.name,
        root=session.root,
        depth=(session.lineage.depth if session.lineage else 0) + 1,
        requesters=tuple(sorted(session.requesters | session.steered_by)),
        folder=f"{session.folder}/{child_folder(begins.name, begins.child_id)}",
        inputs=inputs(session, session.call(begins.call_id), subtask),
        person=runs_as(session),
    )


def _end_of(child: Session) -> dict[str, object]:
    return {
        "child_id": child.id,
        "ending": child.lifecycle,
        "result": child.ending,
        "steps": len(child.steps),
        "usage": child.total_usage,
        "cost_usd": child.total_cost_usd,
        "unpriced": child.unpriced or any(c.unpriced for c in child.children),
        "artifacts": child.artifacts,
        "below": child.launched_below,
        "requesters": tuple(sorted(child.steered_by)),
    }
