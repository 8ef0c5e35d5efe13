"""The asynchronous client, from which the module `flagman` makes its classes."""

from bot.sdk.agent import Agent
from bot.sdk.connection import connect, in_process
from bot.sdk.multi_agent import MultiAgentResult, MultiAgentSupervisor, ProposedPlan
from bot.sdk.schedule import Schedule
from bot.sdk.session import Session
from bot.sdk.supervisor import AgentSupervisor
from supervisor.core.errors import FlagmanError, Unavailable

__all__ = [
    "Agent",
    "AgentSupervisor",
    "FlagmanError",
    "MultiAgentResult",
    "MultiAgentSupervisor",
    "ProposedPlan",
    "Schedule",
    "Session",
    "Unavailable",
    "connect",
    "in_process",
]
