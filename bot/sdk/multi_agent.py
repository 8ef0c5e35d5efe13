"""Runs a task with several agents, which a coordinator or a given plan splits into subtasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any, Self

from bot.sdk.session import Session
from bot.sdk.supervisor import AgentSupervisor
from supervisor.contract.models import CallView
from supervisor.contract.requests import COORDINATOR, Coordinate, LaunchRequest, validate
from supervisor.core.delegation import PLAN, Plan, Policy, Subtask
from supervisor.core.errors import InvalidInput
from supervisor.core.subagents import ChildStanding, Need

Part = Subtask | Mapping[str, Any]


class MultiAgentResult:
    """The state of a task as it was read last: its subtasks (`children`) and what waits for a person (`needs`)."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def __repr__(self) -> str:
        return f"<MultiAgentResult {self.session.id} {self.status}>"

    @property
    def status(self) -> str:
        return self.session.status

    @property
    def result(self) -> str | None:
        return self.session.result

    @property
    def children(self) -> list[ChildStanding]:
        return self.session.children

    @property
    def needs(self) -> list[Need]:
        return self.session.needs

    @property
    def cost_usd(self) -> Decimal:
        return self.session.state.total_cost_usd

    @property
    def completed(self) -> bool:
        """Whether the task and all its subtasks are completed."""
        return self.status == "completed" and all(child.status == "completed" for child in self.children)

    def child(self, name: str) -> ChildStanding:
        """Return the subtask of this name. Raises KeyError."""
        return {child.name: child for child in self.children}[name]

    async def refresh(self) -> Self:
        """Read the state again."""
        await self.session.refresh()
        return self

    async def wait(self, timeout: float | timedelta | None = None) -> Self:
        """Wait until the task has ended. Raises TimeoutError after `timeout` seconds."""
        await self.session.wait(timeout, until="ended")
        return self


class ProposedPlan:
    """The plan of a coordinator, which waits for an approval: look at `subtasks`, change them, and carry them out."""

    def __init__(self, session: Session, call: CallView) -> None:
        self.session, self.call_id = session, call.call_id
        plan = validate(Plan, call.arguments, "the plan")
        self.subtasks: list[Subtask] = list(plan.subtasks)
        self.on_failure: Policy = plan.on_failure

    def __repr__(self) -> str:
        return f"<ProposedPlan {self.session.id} {[part.id for part in self.subtasks]}>"

    async def carry_out(self, subtasks: Sequence[Part] | None = None) -> MultiAgentResult:
        """Approve the plan, with other subtasks where some are given. Raises as `Session.approve`."""
        plan = _plan(self.subtasks if subtasks is None else subtasks, self.on_failure)
        await self.session.approve(self.call_id, arguments=plan.model_dump(mode="json"))
        return MultiAgentResult(self.session)

    async def drop(self, reason: str = "") -> None:
        """End the session without carrying the plan out."""
        await self.session.cancel(reason)


class MultiAgentSupervisor(AgentSupervisor):
    """Runs tasks: `result = await MultiAgentSupervisor().execute_multi_agent_task("prepare the release")`."""

    async def execute_multi_agent_task(
        self,
        task: str,
        *,
        subtasks: Sequence[Part] | None = None,
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
        given: Coordinate = True if subtasks is None else _plan(subtasks, on_failure)
        request = LaunchRequest.of(
            persona=persona, task=task, context=context, channel=channel, coordinate=given
        )
        state = await self.backend.launch(request, idempotency_key=idempotency_key)
        result = MultiAgentResult(Session(self.backend, state))
        if wait:
            try:
                await result.wait(timeout)
            except TimeoutError:
                await result.refresh()
        return result

    async def plan_subtasks(
        self,
        task: str,
        *,
        persona: str = COORDINATOR,
        context: str = "",
        channel: str | None = None,
        timeout: float | timedelta | None = None,
    ) -> ProposedPlan:
        """Have `persona` propose a plan, which is carried out once it is approved, also where its policy allows plans.

        Raises InvalidInput where it proposes none, and TimeoutError after `timeout` seconds.
        """
        request = LaunchRequest.of(
            persona=persona, task=task, context=context, channel=channel, coordinate="propose"
        )
        session = Session(self.backend, await self.backend.launch(request))
        await session.wait(timeout)
        plan = next((call for call in session.pending_approvals if call.tool == PLAN), None)
        if plan is None:
            why = session.result or f"it is {session.status}"
            raise InvalidInput(f"Session {session.id} proposes no plan: {why}")
        return ProposedPlan(session, plan)

    async def select_persona_for_subtask(
        self, task: str, *, persona: str = COORDINATOR, timeout: float | timedelta | None = None
    ) -> str:
        """The persona that `persona` would have do this subtask; nothing is carried out. Raises as `plan_subtasks`."""
        only = f"Plan this as one single subtask, for the agent that fits it best:\n\n{task}"
        plan = await self.plan_subtasks(only, persona=persona, timeout=timeout)
        await plan.drop("It was asked only who would do it.")
        return plan.subtasks[0].persona

    async def consolidate_results(self, results: Sequence[Session | str]) -> str:
        """The results of these sessions, or of those with these ids, as one Markdown text."""
        sessions = [await self.load(one if isinstance(one, str) else one.id) for one in results]
        done = sum(session.status == "completed" for session in sessions)
        parts = [f"{done} of {len(sessions)} completed."]
        for session in sessions:
            title = f"## {session.state.persona} ({session.id}): {session.status}"
            parts.append(f"{title}\n{session.result or 'No result yet.'}")
        return "\n\n".join(parts)


def _plan(subtasks: Sequence[Part], on_failure: Policy) -> Plan:
    parts = [dict(part) if isinstance(part, Mapping) else part for part in subtasks]
    return validate(Plan, {"subtasks": parts, "on_failure": on_failure}, "the plan")
