"""The client for scripts without `async`: each call waits for its answer. Works inside a running loop too."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from datetime import timedelta
from functools import cache
from typing import Any, TypeVar

from bot.sdk.backend import COORDINATOR, ChildVerdict
from bot.sdk.multi_agent import MultiAgentResult, MultiAgentSupervisor
from bot.sdk.session import Agent, Session
from supervisor.core.delegation import Policy, Subtask
from supervisor.core.events import PauseReason, Trigger
from supervisor.core.messages import Json
from supervisor.core.subagents import Until
from supervisor.view_models import (
    ArtifactState,
    ChildState,
    NeedState,
    Pausing,
    ProposedCall,
    SessionEvent,
    SessionState,
)

Answer = TypeVar("Answer")


@cache
def _loop() -> asyncio.AbstractEventLoop:
    """One loop for all calls, in a thread that ends with the program."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="flagman", daemon=True).start()
    return loop


def wait_for(work: Coroutine[Any, Any, Answer]) -> Answer:
    """The answer of a coroutine; an interrupt of the caller cancels it."""
    future = asyncio.run_coroutine_threadsafe(work, _loop())
    try:
        return future.result()
    except CancelledError:
        raise
    except BaseException:
        future.cancel()
        raise


class SyncSession:
    """As Session; see there."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def __repr__(self) -> str:
        return repr(self.session)

    @property
    def id(self) -> str:
        return self.session.id

    @property
    def state(self) -> SessionState:
        return self.session.state

    @property
    def status(self) -> str:
        return self.session.status

    @property
    def ended(self) -> bool:
        return self.session.ended

    @property
    def waiting_for(self) -> PauseReason | None:
        return self.session.waiting_for

    @property
    def needs_person(self) -> bool:
        return self.session.needs_person

    @property
    def needs(self) -> list[NeedState]:
        return self.session.needs

    @property
    def children(self) -> list[ChildState]:
        return self.session.children

    @property
    def pending_approvals(self) -> list[ProposedCall]:
        return self.session.pending_approvals

    @property
    def questions(self) -> list[ProposedCall]:
        return self.session.questions

    @property
    def result(self) -> str | None:
        return self.session.result

    def refresh(self) -> SessionState:
        return wait_for(self.session.refresh())

    def pause(
        self, reason: str = "", resume_condition: str | Sequence[str] = (), *, zone: str = "UTC"
    ) -> Pausing:
        return wait_for(self.session.pause(reason, resume_condition, zone=zone))

    def resume(
        self, *, trigger: Trigger = "manual", data: Any = None, context: str = "", compact: bool = False
    ) -> None:
        wait_for(self.session.resume(trigger=trigger, data=data, context=context, compact=compact))

    def cancel(self, reason: str = "") -> None:
        wait_for(self.session.cancel(reason))

    def approve(self, *call_ids: str, arguments: Json | None = None) -> None:
        wait_for(self.session.approve(*call_ids, arguments=arguments))

    def deny(self, *call_ids: str, reason: str = "") -> None:
        wait_for(self.session.deny(*call_ids, reason=reason))

    def decide_child(self, child: str, verdict: ChildVerdict) -> None:
        wait_for(self.session.decide_child(child, verdict))

    def answer(self, answer: str, call_id: str | None = None) -> None:
        wait_for(self.session.answer(answer, call_id))

    def tell(self, text: str) -> None:
        wait_for(self.session.tell(text))

    def fork(
        self,
        *,
        step: int | None = None,
        message: str = "",
        channel: str | None = None,
        idempotency_key: str | None = None,
    ) -> SyncSession:
        work = self.session.fork(step=step, message=message, channel=channel, idempotency_key=idempotency_key)
        return SyncSession(wait_for(work))

    def child(self, child: str) -> SyncSession:
        return SyncSession(wait_for(self.session.child(child)))

    def in_need(self) -> list[SyncSession]:
        return [SyncSession(session) for session in wait_for(self.session.in_need())]

    def artifacts(self) -> list[ArtifactState]:
        return wait_for(self.session.artifacts())

    def artifact(self, path: str) -> bytes:
        return wait_for(self.session.artifact(path))

    def wait(self, timeout: float | timedelta | None = None, *, until: Until = "person") -> SessionState:
        return wait_for(self.session.wait(timeout, until=until))

    def events(self, after: int = 0) -> Iterator[SessionEvent]:
        live = self.session.events(after)

        async def following() -> SessionEvent | None:
            return await anext(live, None)

        while (event := wait_for(following())) is not None:
            yield event


def started(
    agent: Agent,
    task: str,
    *,
    context: str = "",
    channel: str | None = None,
    idempotency_key: str | None = None,
) -> SyncSession:
    """The session of `agent.start`."""
    work = agent.start(task, context=context, channel=channel, idempotency_key=idempotency_key)
    return SyncSession(wait_for(work))


class SyncMultiAgentSupervisor:
    """As MultiAgentSupervisor; see there."""

    def __init__(self, supervisor: MultiAgentSupervisor[Any]) -> None:
        self.supervisor = supervisor

    def execute_multi_agent_task(
        self,
        task: str,
        *,
        subtasks: Sequence[Subtask | Mapping[str, Any]] | None = None,
        on_failure: Policy = "continue",
        persona: str = COORDINATOR,
        context: str = "",
        channel: str | None = None,
        idempotency_key: str | None = None,
        wait: bool = True,
        timeout: float | timedelta | None = None,
    ) -> MultiAgentResult[SyncSession]:
        work = self.supervisor.execute_multi_agent_task(
            task,
            subtasks=subtasks,
            on_failure=on_failure,
            persona=persona,
            context=context,
            channel=channel,
            idempotency_key=idempotency_key,
            wait=wait,
            timeout=timeout,
        )
        found = wait_for(work)
        return MultiAgentResult(
            session=SyncSession(found.session),
            status=found.status,
            result=found.result,
            children=found.children,
            needs=found.needs,
            cost_usd=found.cost_usd,
        )
