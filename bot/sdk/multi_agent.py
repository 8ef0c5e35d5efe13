"""Runs a task with several agents, which a coordinator or a given plan splits into subtasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from bot.sdk.backend import Backend
from bot.sdk.connection import find_backend
from bot.sdk.session import Session
from supervisor.contract.requests import COORDINATOR, LaunchRequest, validate
from supervisor.core.delegation import Plan, Policy, Subtask
from supervisor.core.subagents import ChildStanding, Need


@dataclass(frozen=True)
class MultiAgentResult:
    """The state of the task: its subtasks (`children`), what waits for a person (`needs`), and the total `cost_usd`."""

    session: Session
    status: str
    result: str | None
    children: list[ChildStanding]
    needs: list[Need]
    cost_usd: Decimal

    @property
    def completed(self) -> bool:
        """Whether the task and all its subtasks are completed."""
        return self.status == "completed" and all(child.status == "completed" for child in self.children)

    def child(self, name: str) -> ChildStanding:
        """Return the subtask of this name. Raises KeyError."""
        return {child.name: child for child in self.children}[name]


class MultiAgentSupervisor:
    """Runs tasks: `result = await MultiAgentSupervisor().execute_multi_agent_task("prepare the release")`."""

    def __init__(
        self, *, url: str | None = None, api_key: str | None = None, backend: Backend | None = None
    ) -> None:
        self.backend = backend or find_backend(url, api_key)

    async def execute_multi_agent_task(
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
    ) -> MultiAgentResult:
        """Have `persona` split the task, or carry out `subtasks` (`id`, `persona`, `task`, `depends_on`).

        Plan and calls need approvals by the same policies as in other sessions. Waits until the session has ended, at
        most `timeout` seconds; after that, or without `wait`, returns the present state. Raises FlagmanError.
        """
        plan = None
        if subtasks is not None:
            parts = [dict(one) if isinstance(one, Mapping) else one for one in subtasks]
            plan = validate(Plan, {"subtasks": parts, "on_failure": on_failure}, "the plan")
        request = LaunchRequest.of(
            persona=persona,
            task=task,
            context=context,
            channel=channel,
            coordinate=True if plan is None else plan,
        )
        state = await self.backend.launch(request, idempotency_key=idempotency_key)
        session = Session(self.backend, state)
        if wait:
            try:
                await session.wait(timeout, until="ended")
            except TimeoutError:
                await session.refresh()
        return MultiAgentResult(
            session=session,
            status=session.status,
            result=session.result,
            children=session.children,
            needs=session.needs,
            cost_usd=session.state.total_cost_usd,
        )
