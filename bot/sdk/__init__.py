"""The asynchronous client, from which the module `flagman` makes its classes."""

from bot.sdk.connection import connect, in_process
from bot.sdk.multi_agent import MultiAgentResult, MultiAgentSupervisor, ProposedPlan
from bot.sdk.session import Agent, Session
from bot.sdk.supervisor import AgentSupervisor
from supervisor.core.errors import FlagmanError, Unavailable

__all__ = [
    "Agent",
    "AgentSupervisor",
    "FlagmanError",
    "MultiAgentResult",
    "MultiAgentSupervisor",
    "ProposedPlan",
    "Session",
    "Unavailable",
    "connect",
    "in_process",
]
