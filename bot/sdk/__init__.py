"""Flagman for Python programs: `from bot.sdk import Agent, MultiAgentSupervisor, Session`.

    session = await Agent(persona="backend-architect").start(task="Create auth endpoint")
    await session.pause(reason="External dependency", resume_condition="webhook: redis_ready")

They use a running Flagman: that of `url=` and `api_key=`, else that of the enclosing `async with connect(…)` or
`in_process(…)`, else that of the environment (`FLAGMAN_URL`, `FLAGMAN_API_KEY`), else the one which `flagman serve`
runs on this machine with the same `FLAGMAN_DATA`.
"""

from bot.sdk.connection import connect, in_process, sync_in_process
from bot.sdk.multi_agent import MultiAgentResult, MultiAgentSupervisor
from bot.sdk.proxy import make_blocking
from bot.sdk.session import Agent, Session
from supervisor.contract.models import CallView, EventView, PauseResult, SessionView
from supervisor.core.errors import FlagmanError, Unavailable
from supervisor.core.subagents import ChildStanding

SyncAgent = make_blocking(Agent)
SyncSession = make_blocking(Session)
SyncMultiAgentSupervisor = make_blocking(MultiAgentSupervisor)
# Scripts may load a session by either class.
SyncAgent.load, SyncAgent.load_from_log = SyncSession.load, SyncSession.load_from_log

__all__ = [
    "Agent",
    "CallView",
    "ChildStanding",
    "EventView",
    "FlagmanError",
    "MultiAgentResult",
    "MultiAgentSupervisor",
    "PauseResult",
    "Session",
    "SessionView",
    "SyncAgent",
    "SyncMultiAgentSupervisor",
    "SyncSession",
    "Unavailable",
    "connect",
    "in_process",
    "sync_in_process",
]
