"""Rules calls anew that are about to run, where what the rules of a persona say depends on the time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from supervisor.core.events import CallRuledAnew
from supervisor.core.state import Session
from supervisor.core.tool_calls import rule_anew
from supervisor.personas.library import PersonaLibrary
from supervisor.runtime.unit_of_work import UnitOfWork
from supervisor.tools.contract import Tool


async def rule_timed(
    unit: UnitOfWork,
    personas: PersonaLibrary,
    tools: Callable[[Session], Mapping[str, Tool]],
    clock: Callable[[], datetime],
) -> None:
    """Have people asked about calls that a rule with hours allowed, and that begin outside of them.

    `tools` returns all that are known in a session.
    """
    session = unit.session
    calls = [call for call in session.calls_in("ready", "open") if call.call.mode == "allow"]
    if not calls or session.pause or session.ended:
        return
    persona = await personas.load_pinned(session)
    for call in calls if persona.is_timed else ():
        if ruled := rule_anew(call.call, persona, tools(session), clock()):
            unit.add(CallRuledAnew(**unit.now(), call_id=call.call_id, call=ruled))
