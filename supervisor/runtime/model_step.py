"""Asks the model for the next step or a summary, and records the answer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Literal

from supervisor.core.delegation import DELEGATING
from supervisor.core.errors import GatewayError, IllegalEvent
from supervisor.core.events import Compacted, Paused
from supervisor.core.messages import ModelReply, ModelRequest, Turn
from supervisor.core.persona import Persona
from supervisor.core.prompt import instructions, to_sum_up
from supervisor.core.state import Session
from supervisor.core.text.sanitize import clean_text
from supervisor.core.text.visible import is_blank
from supervisor.core.tool_calls import record_reply
from supervisor.models.gateway import Gateway
from supervisor.personas.library import PersonaLibrary
from supervisor.runtime.prompt_cache import PromptCache
from supervisor.runtime.server_tools import ServerTools
from supervisor.runtime.unit_of_work import UnitOfWork
from supervisor.runtime.worker import Later, Signals
from supervisor.tools.contract import Tool

_log = logging.getLogger("flagman.runner")


class ModelStep:
    """Asks the model for one job. `refresh` reads what other writers appended."""

    def __init__(
        self,
        unit: UnitOfWork,
        signals: Signals,
        refresh: Callable[[], Awaitable[None]],
        gateway: Gateway,
        questions: PromptCache,
        personas: PersonaLibrary,
        tools: ServerTools,
        clock: Callable[[], datetime],
    ) -> None:
        self._unit, self._signals, self._refresh = unit, signals, refresh
        self._gateway, self._questions = gateway, questions
        self._personas, self._tools, self._clock = personas, tools, clock

    @property
    def _session(self) -> Session:
        return self._unit.session

    async def step(self, seen: int) -> Later | None:
        """Ask for the next step with the first `seen` items of the inbox, and record it with its evaluated calls.

        Returns Later where this worker stops first.
        """
        if await self._unit.commit() is None:
            return None
        step = len(self._session.steps) + 1
        reply = await self._ask(self._questions.conversation(self._session, seen))
        if not isinstance(reply, ModelReply):
            return reply
        if len(self._session.steps) + 1 != step:
            # Another worker took the session over and recorded its answer first.
            await self._unit.on_lease_lost()
            return None
        self._respond(reply, seen, *await self._toolset())
        return None

    async def sum_up(self, through: int) -> Later | None:
        """Have the model sum up the steps up to `through`; the summary replaces them in later requests.

        Returns Later where this worker stops first.
        """
        if await self._unit.commit() is None:
            return None
        reply = await self._ask(to_sum_up(self._session, through), purpose="summary")
        if not isinstance(reply, ModelReply):
            return reply
        if is_blank(reply.text):
            detail = "The model did not sum up the earlier steps."
            self._unit.add(Paused(**self._unit.now(), reason="context_budget_exceeded", detail=detail))
            return None
        summed_up = Compacted(
            **self._unit.now(),
            through_step=through,
            summary=clean_text(reply.text),
            usage=reply.usage,
            cost_usd=reply.cost_usd,
            model=clean_text(reply.model),
            duration_ms=reply.duration_ms,
        )
        try:
            self._unit.add(summed_up)
        except IllegalEvent as error:
            # Another worker took the session over and recorded its summary first.
            _log.warning("session %s: a summary came too late: %s", self._session.id, error)
        return None

    async def _ask(
        self, turns: tuple[Turn, ...], *, purpose: Literal["step", "summary"] = "step"
    ) -> ModelReply | Later | None:
        """Return the model's answer; Later if this worker stops first, None if the session has ended or is paused."""
        if self._signals.stopping.is_set():
            return Later(wait=None)
        persona = await self._personas.load_pinned(self._session)
        known = len(self._session.inbox)
        if not await self._tools.check(self._unit, persona):
            return None
        if len(self._session.inbox) > known:
            # The model reads it, so it is asked in another turn.
            return None
        request = await self._request(turns, purpose)
        task = asyncio.create_task(self._gateway.reply(request))
        try:
            reply = await self._reply(task)
        except GatewayError as error:
            self._unit.add(Paused(**self._unit.now(), reason="error_threshold_exceeded", detail=str(error)))
            return None
        finally:
            task.cancel()
        if reply is None:
            return None if self._session.ended or self._session.pause else Later(wait=None)
        return reply

    def _respond(self, reply: ModelReply, seen: int, persona: Persona, tools: Mapping[str, Tool]) -> None:
        event = record_reply(
            reply,
            step=len(self._session.steps) + 1,
            context_seen=seen,
            persona=persona,
            tools=tools,
            roster=[other.name for other in self._personas.roster(persona)],
            at=self._clock(),
        )
        self._unit.add(event)

    async def _reply(self, task: asyncio.Task[ModelReply]) -> ModelReply | None:
        """Return the model's answer; None if the session was cancelled or this worker stops first."""
        while not task.done():
            if self._signals.stopping.is_set():
                return None
            await self._signals.wait({task})
            if not task.done() and self._signals.changed.is_set():
                await self._refresh()
                if self._session.ended:
                    return None
        return task.result()

    async def _toolset(self) -> tuple[Persona, dict[str, Tool]]:
        persona = await self._personas.load_pinned(self._session)
        return persona, self._tools.of(persona, self._session)

    async def _request(self, turns: tuple[Turn, ...], purpose: Literal["step", "summary"]) -> ModelRequest:
        persona, tools = await self._toolset()
        roster = self._personas.roster(persona) if DELEGATING & tools.keys() else []
        return ModelRequest(
            session_id=self._session.id,
            model=persona.model,
            instructions=instructions(persona, roster),
            turns=turns,
            tools=tuple(tool.spec for tool in tools.values()),
            purpose=purpose,
        )
