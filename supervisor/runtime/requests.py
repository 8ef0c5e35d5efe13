"""Records what a session asks people: approvals of calls, answers to questions, and pauses until an approval."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from supervisor.core.commands.control import waiting_pause
from supervisor.core.conditions import Webhook, parse_condition
from supervisor.core.errors import InvalidCondition
from supervisor.core.events import ApprovalRequested, QuestionAsked, WaitBegun, WaitEnded
from supervisor.core.persona import COMMANDS
from supervisor.core.policy import approvers_of_pause
from supervisor.core.state import Call
from supervisor.personas.library import PersonaLibrary
from supervisor.quorum import Quorum
from supervisor.runtime.unit_of_work import UnitOfWork


class Requests:
    """Adds the events of requests to a unit of work.

    `hook_problem` returns why no webhook of a name can come, empty if it can. `sandboxed`: whether commands run in a
    sandbox here.
    """

    def __init__(
        self, personas: PersonaLibrary, quorum: Quorum, hook_problem: Callable[[str], str], *, sandboxed: bool
    ) -> None:
        self._personas, self._quorum, self._hook_problem = personas, quorum, hook_problem
        self._sandboxed = sandboxed

    async def ask(self, unit: UnitOfWork, calls: Sequence[Call], previews: Mapping[str, str]) -> None:
        """Ask for approval of these calls, with what their approvers should know besides."""
        session = unit.session
        told_by = session.steered_by
        too_few = [
            call.call_id
            for call in calls
            if await self._quorum.too_few(
                session, call.call.rules, call.model_copy(update={"requesters": told_by}).excluded
            )
        ]
        about: dict[str, Any] = {}
        if any(call.call.tool in COMMANDS for call in calls):
            about = {
                "unsandboxed": not self._sandboxed,
                "grants": await self._personas.load_granted(session),
            }
        event = ApprovalRequested(
            **unit.now(),
            request_id=f"r{session.version}",
            call_ids=tuple(call.call_id for call in calls),
            requesters=tuple(sorted(told_by)),
            too_few=tuple(too_few),
            previews=dict(previews),
            reactions=(await self._personas.load_pinned(session)).takes_reactions,
            **about,
        )
        unit.add(event)

    def question(self, unit: UnitOfWork, call: Call) -> None:
        """Put the question of a call of `ask_human`."""
        arguments = call.call.arguments if isinstance(call.call.arguments, dict) else {}
        event = QuestionAsked(
            **unit.now(),
            call_id=call.call_id,
            question=str(arguments.get("question", "")),
            options=tuple(arguments.get("options") or ()),
        )
        unit.add(event)

    async def sleep(self, unit: UnitOfWork, call: Call, now: datetime) -> None:
        """Pause for the agent's own `wait_for`, whose condition was validated when it was proposed."""
        arguments = call.call.arguments if isinstance(call.call.arguments, dict) else {}
        session = unit.session
        persona = await self._personas.load_pinned(session)
        unit.add(WaitBegun(**unit.now(), call_id=call.call_id))
        try:
            condition = parse_condition(str(arguments.get("condition", "")), now=now)
        except InvalidCondition as error:
            # The time has passed since, for example while the call waited for an approval.
            unit.add(WaitEnded(**unit.now(), call_id=call.call_id, content=str(error)))
            return
        approvers = approvers_of_pause(persona) if condition.type == "approval" else ()
        detail = str(arguments.get("reason") or "")
        if isinstance(condition, Webhook) and (problem := self._hook_problem(condition.name)):
            detail = f"{detail.rstrip('.')}. {problem}" if detail else problem
        told_by = session.steered_by
        too_few = await self._quorum.too_few(session, approvers, lambda _: told_by)
        unit.add(waiting_pause([condition], approvers, told_by, detail=detail, too_few=too_few, **unit.now()))
