"""The control loop: gets the next action from the core, carries it out and records the result."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial

from storage.queue import StartedJob
from supervisor.core.control import (
    CallModel,
    Compact,
    Fail,
    Finish,
    Pause,
    RunTools,
    Sleep,
    Wait,
    next_action,
)
from supervisor.core.delegation import Delegate
from supervisor.core.events import (
    Completed,
    Failed,
    FilesTaken,
    OutcomeLost,
    Paused,
    Resumed,
    ToolStarted,
)
from supervisor.core.state import Call, Session
from supervisor.core.triggers import Signal, matching_condition, resumption
from supervisor.models.gateway import Gateway
from supervisor.personas.library import PersonaLibrary
from supervisor.quorum import Quorum
from supervisor.repository import Sessions
from supervisor.runtime.call_results import record_result
from supervisor.runtime.given_files import GivenFiles
from supervisor.runtime.grants import GrantedCalls
from supervisor.runtime.held_inputs import HeldInputs
from supervisor.runtime.model_step import ModelStep
from supervisor.runtime.prompt_cache import PromptCache
from supervisor.runtime.requests import Requests
from supervisor.runtime.rulings import rule_timed
from supervisor.runtime.server_tools import NO_SERVERS, Servers, ServerTools, differences
from supervisor.runtime.subagents import Coordinator
from supervisor.runtime.tool_runner import INTERRUPTED, Result, ToolRunner, idempotency_key
from supervisor.runtime.unit_of_work import OUTAGE_SECONDS, UnitOfWork
from supervisor.runtime.worker import Done, Later, Signals
from supervisor.signals import SignalRouter
from supervisor.tools.contract import Tool

# Seconds that a job keeps its slot while others may wait, and seconds before a failed turn is tried again.
SLICE_SECONDS, RETRY_SECONDS = 1.0, 0.5
# How often one job runs an idempotent call whose outcome is lost each time.
MOST_ATTEMPTS = 3
_log = logging.getLogger("flagman.runner")


class Runner:
    """Runs the jobs of the ready queue."""

    def __init__(
        self,
        sessions: Sessions,
        gateway: Gateway,
        tools: Mapping[str, Tool],
        toolrun: ToolRunner,
        personas: PersonaLibrary,
        deliveries: SignalRouter,
        coordinator: Coordinator,
        clock: Callable[[], datetime],
        lease: timedelta,
        quorum: Quorum,
        grants: GrantedCalls,
        hook_problem: Callable[[str], str] = lambda _: "",
        given: GivenFiles | None = None,
        servers: Servers = NO_SERVERS,
    ) -> None:
        """Create the runner; `hook_problem` returns why no webhook of a name can come, empty if it can."""
        self.sessions, self.gateway, self.questions = sessions, gateway, PromptCache()
        self.toolrun, self.personas, self.given, self.grants = toolrun, personas, given, grants
        self.server_tools = ServerTools(servers, tools, personas, clock)
        self.deliveries, self.coordinator, self.clock = deliveries, coordinator, clock
        self.requests = Requests(personas, quorum, hook_problem, sandboxed=toolrun.sandboxed)
        # A worker renews its lease every quarter of it, so within a third it need not check that it still holds it.
        self.fresh = lease / 3

    async def advance(self, started: StartedJob, signals: Signals) -> Done | Later:
        """Advance one session until it has to wait; the handler of the ready queue."""
        session_id = started.lease.session_id
        session = await self.sessions.absorb(session_id, started.log)
        return await _Advance(self, started, signals, session).run()


class _Advance:
    """One job, which advances one session."""

    def __init__(self, runner: Runner, started: StartedJob, signals: Signals, session: Session) -> None:
        self._runner, self._signals = runner, signals
        self._unit = UnitOfWork(
            runner.sessions, runner.clock, signals.stopping, started.lease, session, fresh=runner.fresh
        )
        self._model = ModelStep(
            self._unit,
            signals,
            self._refresh,
            runner.gateway,
            runner.questions,
            runner.personas,
            runner.server_tools,
            runner.clock,
        )
        at_work = (c for c in session.open_calls if c.phase == "started" or c.is_held)
        self._inherited = {(c.call_id, c.attempt) for c in at_work}
        self._inputs = HeldInputs(self._unit, runner.clock)
        self._running: dict[str, asyncio.Task[Result]] = {}
        self._attempts: dict[str, int] = {}
        # Why the outcome of calls that this worker ran is not known.
        self._lost: dict[str, str] = {}
        # The version at which the sub-agents were last collected; -1 to collect them again.
        self._looked_at = -1

    @property
    def _session(self) -> Session:
        return self._unit.session

    async def run(self) -> Done | Later:
        try:
            return await self._until_it_waits()
        finally:
            for task in self._running.values():
                task.cancel()
            await asyncio.gather(*self._running.values(), return_exceptions=True)

    async def _until_it_waits(self) -> Done | Later:
        """Take turns until the session waits, for `SLICE_SECONDS` at a time, so that other sessions get theirs.

        A turn that fails is tried again for a while if tools are running or results are not recorded yet.
        """
        begun = time.monotonic()
        until = math.inf
        while True:
            try:
                outcome = await self._turn()
            except Exception as error:
                until = min(until, time.monotonic() + OUTAGE_SECONDS)
                at_stake = bool(self._running) or self._unit.has_results
                if not at_stake or self._signals.stopping.is_set() or time.monotonic() > until:
                    raise
                _log.warning("session %s: %r; trying again, since tools are at work", self._session.id, error)
                await asyncio.sleep(RETRY_SECONDS)
                continue
            until = math.inf
            if outcome is not None:
                return outcome
            if time.monotonic() - begun > SLICE_SECONDS and not self._running and not self._unit.pending:
                return Later(wait=None)

    async def _turn(self) -> Done | Later | None:
        """Carry out the next action. Returns the outcome of the job, or None for another turn."""
        if self._unit.lost:
            return await self._late()
        await self._look_at_children()
        if self._runner.given and self._session.attachments.awaited and not self._session.ended:
            taken, lost = await self._runner.given.take(self._session)
            self._unit.add(FilesTaken(**self._unit.now(), taken=tuple(taken), lost=tuple(lost)))
        await rule_timed(self._unit, self._runner.personas, self._runner.server_tools.all, self._runner.clock)
        await self._runner.server_tools.look(self._unit)
        match next_action(self._session, self._runner.clock()):
            case Finish(summary=summary):
                self._unit.add(Completed(**self._unit.now(), summary=summary))
            case Fail(error=error):
                self._unit.add(Failed(**self._unit.now(), error=error))
            case Pause(reason=reason, detail=detail):
                self._unit.add(Paused(**self._unit.now(), reason=reason, detail=detail))
            case CallModel(context_seen=seen):
                return await self._model.step(seen)
            case RunTools() as action:
                return await self._tools(action)
            case Sleep(call=call):
                await self._runner.requests.sleep(self._unit, call, self._runner.clock())
            case Delegate() as action:
                await self._delegate(action)
            case Compact(through_step=through):
                return await self._model.sum_up(through)
            case Wait():
                return await self._rest()
        return None

    async def _rest(self) -> Done | None:
        """Append what is pending and release the lease, unless something came in. Returns None for another turn."""
        if self._running:
            await self._settle_running()
            return None
        if self._session.pause and not self._session.running_children and self._children_awaited():
            return None
        if not self._unit.pending:
            # The signal that it waits for may have come before it began to wait.
            if self._session.waits and await self._runner.deliveries.catch_up(self._session):
                await self._refresh()
                return None
            return Done()
        released = await self._unit.commit(release=not self._session.waits)
        return Done(released=True) if released else None

    def _children_awaited(self) -> bool:
        """Resume a session that is paused until `children`, as all its sub-agents have ended; returns whether."""
        condition = matching_condition(self._session, Signal("children"))
        if condition is not None:
            ended = Resumed(**self._unit.now(), trigger="children", condition=str(condition))
            for event in resumption(self._session, ended):
                self._unit.add(event)
        return condition is not None

    async def _late(self) -> Done | None:
        """Only record the results of the calls that still run here, since another worker has the session."""
        if await self._unit.commit() is None:
            return None
        if not self._running:
            return Done()
        await self._settle_running()
        return None

    async def _look_at_children(self) -> None:
        """Record sub-agents that ended since. The end of each one queues this session, or marks its job as dirty.

        Before that, as a sub-agent, follow the session that launched this one into a pause. If that pauses later, its
        job pauses this one, which is then read anew.
        """
        if self._looked_at != self._unit.stored_version:
            anew, self._looked_at = self._looked_at < 0, self._unit.stored_version
            if anew:
                await self._runner.coordinator.follow_parent(self._unit)
            await self._runner.coordinator.collect(self._unit)

    async def _delegate(self, action: Delegate) -> None:
        if action.stops:
            # The decision is appended first, since the sub-agents are stopped because of it.
            if await self._unit.commit() is not None:
                await self._runner.coordinator.stop(self._session, action.stops)
                self._looked_at = -1
            return
        persona = await self._runner.personas.load_pinned(self._session)
        unusable = await self._runner.coordinator.unusable(action)
        self._runner.coordinator.go_on(self._unit, action, persona, unusable)

    async def _refresh(self) -> None:
        """Read what other writers appended."""
        self._signals.changed.clear()
        self._looked_at = -1
        await self._unit.refresh()

    async def _tools(self, action: RunTools) -> Later | None:
        orphans = [c for c in action.started if c.call_id not in self._running]
        if any((c.call_id, c.attempt) not in self._inherited for c in orphans):
            # Another worker took the session over and started them.
            await self._unit.on_lease_lost()
            return None
        asked = action.ask and await self._runner.grants.allow(self._unit, action.ask)
        if asked:
            tools = self._runner.server_tools.all(self._session)
            previews = await self._runner.toolrun.previews(tools, self._session, asked)
            previews |= differences(asked, self._runner.toolrun.bounded)
            await self._runner.requests.ask(self._unit, asked, previews)
        for call in action.questions:
            self._runner.requests.question(self._unit, call)
        if not await self._recover(orphans):
            return None
        if not action.run and not self._running:
            # There is no call to begin: `_rest` appends the requests and releases the lease in one step.
            return None
        # A call that a grant allows begins in the same append, so that the grant cannot end before it.
        ready = self._session.calls_in("ready", "approved")
        begin = [c for c in ready if c.call_id not in self._running]
        if self._signals.stopping.is_set():
            begin = []
        for call in begin:
            self._start(call)
        if await self._unit.commit() is None:
            return None
        for call in begin:
            self._run(self._session.call(call.call_id))
        return await self._settle_running()

    def _start(self, call: Call) -> None:
        event = ToolStarted(
            **self._unit.now(),
            call_id=call.call_id,
            attempt=call.attempt + 1,
            idempotency_key=idempotency_key(self._session.id, call),
            digest=call.call.digest_of(call.call.arguments),
        )
        self._unit.add(event)

    def _run(self, call: Call) -> None:
        tool = self._runner.server_tools.all(self._session).get(call.call.tool)
        self._attempts[call.call_id] = call.attempt
        may_begin = partial(self._unit.may_begin, call.call_id, call.attempt)
        if self._is_to_be_granted(call):
            may_begin = partial(self._runner.grants.may_begin, self._session, call, may_begin)
        ask = partial(self._inputs.ask, call.call_id, call.attempt)
        running = self._runner.toolrun.run(tool, self._session, call, may_begin, ask)
        self._running[call.call_id] = asyncio.create_task(running)

    def _is_to_be_granted(self, call: Call) -> bool:
        """Whether a grant allowed the call that runs, and no attempt before may have taken effect."""
        fresh = not call.inputs.asked and (call.call_id, call.attempt - 1) not in self._inherited
        return bool(call.grant) and fresh

    async def _recover(self, orphans: list[Call]) -> bool:
        """Run calls again that a lost worker had started, where they are idempotent; else ask the tool.

        Returns False after a conflict, which takes another turn.
        """
        for call in orphans:
            tool = self._runner.server_tools.all(self._session).get(call.call.tool)
            tried = call.call_id in self._lost and call.attempt >= MOST_ATTEMPTS
            if call.call.idempotent and tool is not None and not tried:
                self._start(call)
                if await self._unit.commit() is None:
                    return False
                self._run(self._session.call(call.call_id))
                continue
            await self._ask_tool(tool, call)
        return True

    async def _ask_tool(self, tool: Tool | None, call: Call) -> None:
        verdict, text = "unknown", ""
        if tool is not None:
            verdict, text = await self._runner.toolrun.verify(tool, self._session, call)
        if verdict == "done":
            self._finish(call.call_id, call.attempt, Result(True, text))
        else:
            written = await self._runner.toolrun.written_since(self._session, call)
            lost = {"call_id": call.call_id, "attempt": call.attempt, "artifacts": written}
            lost["why"] = self._lost.get(call.call_id, "")
            self._unit.add(OutcomeLost(**self._unit.now(), **lost))

    async def _settle_running(self) -> Later | None:
        """Wait until a tool ends or another writer appends; record the tools that have ended."""
        if not self._running:
            return Later(wait=None) if self._signals.stopping.is_set() else None
        news = asyncio.create_task(self._inputs.news.wait())
        await self._signals.wait({*self._running.values(), news})
        news.cancel()
        for call_id, task in list(self._running.items()):
            if task.done():
                del self._running[call_id]
                self._finish(call_id, self._attempts[call_id], task.result())
        self._inputs.record(stopping=self._signals.stopping.is_set())
        if self._unit.pending and await self._unit.commit() is None:
            self._inputs.news.set()
            return None
        if self._signals.changed.is_set():
            await self._refresh()
            if self._session.ended:
                await self._interrupt()
        self._inputs.settle()
        return None

    def _finish(self, call_id: str, attempt: int, result: Result) -> None:
        if result.unknown and not self._session.ended:
            # As if the worker had died: it is run again where that is harmless, or a person is asked.
            self._lost[call_id] = result.content
            self._inherited.add((call_id, attempt))
            return
        held = self._is_to_be_granted(self._session.call(call_id))
        record_result(self._unit, call_id, attempt, result, held=held)

    async def _interrupt(self) -> None:
        """Stop the interruptible tools after the end of the session; the others continue."""
        for call_id, task in list(self._running.items()):
            tool = self._runner.server_tools.all(self._session).get(self._session.call(call_id).call.tool)
            if tool is None or not tool.interruptible or task.done():
                continue
            task.cancel()
            (ended,) = await asyncio.gather(task, return_exceptions=True)
            del self._running[call_id]
            interrupted = ended if isinstance(ended, Result) else Result(False, INTERRUPTED)
            self._finish(call_id, self._attempts[call_id], interrupted)
        await self._unit.commit()
