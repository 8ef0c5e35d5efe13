"""Flagman for Python programs: launch, pause and resume sessions of agents.

    from flagman import Agent, Session

    session = Agent(persona="backend-architect").start(task="Create auth endpoint")
    session.pause(reason="External dependency", resume_condition="webhook: redis_ready")

The same classes serve scripts and coroutines: where an event loop runs, as in a coroutine or a notebook, each method
returns an awaitable (`session = await Agent(…).start(…)`), and else it waits for its result.

They use a running Flagman: that of `url=` and `api_key=`, else that of the enclosing `with connect(…)` or
`with in_process(Settings())` (in a coroutine `async with`), else that of the environment (`FLAGMAN_URL`,
`FLAGMAN_API_KEY`), else the one which `flagman serve` runs on this machine with the same `FLAGMAN_DATA`.

With `tool` a package, or a file in the folder of `FLAGMAN_TOOLS`, makes tools for agents; see docs/tools.md.
"""

from bot import sdk
from bot.sdk.connection import connect, in_process
from bot.sdk.proxy import make_public
from bot.settings import Settings
from supervisor.contract.audit import AuditSummary
from supervisor.contract.connections import ConnectionView, ConnectLink, RemovedConnection
from supervisor.contract.delegations import DelegationView
from supervisor.contract.models import (
    CallView,
    DeliveryResult,
    EventView,
    PauseResult,
    PersonaView,
    ReminderView,
    ScheduleView,
    SessionView,
)
from supervisor.core.audit.rows import AuditRow
from supervisor.core.errors import FlagmanError, ToolError, Unavailable
from supervisor.core.messages import Json
from supervisor.core.subagents import ChildStanding
from supervisor.tools.contract import OutcomeUnknown, Tool, ToolContext, ToolOutput, Verdict
from supervisor.tools.typed_tool import tool

Session = make_public(sdk.Session)
Agent = make_public(sdk.Agent)
Schedule = make_public(sdk.Schedule)
AgentSupervisor = make_public(sdk.AgentSupervisor)
MultiAgentResult = make_public(sdk.MultiAgentResult)
ProposedPlan = make_public(sdk.ProposedPlan)
MultiAgentSupervisor = make_public(sdk.MultiAgentSupervisor)
# Scripts may load a session by either class.
Agent.load, Agent.load_from_log = Session.load, Session.load_from_log

__all__ = [
    "Agent",
    "AgentSupervisor",
    "AuditRow",
    "AuditSummary",
    "CallView",
    "ChildStanding",
    "ConnectLink",
    "ConnectionView",
    "DelegationView",
    "DeliveryResult",
    "EventView",
    "FlagmanError",
    "Json",
    "MultiAgentResult",
    "MultiAgentSupervisor",
    "OutcomeUnknown",
    "PauseResult",
    "PersonaView",
    "ProposedPlan",
    "ReminderView",
    "RemovedConnection",
    "Schedule",
    "ScheduleView",
    "Session",
    "SessionView",
    "Settings",
    "Tool",
    "ToolContext",
    "ToolError",
    "ToolOutput",
    "Unavailable",
    "Verdict",
    "connect",
    "in_process",
    "tool",
]
