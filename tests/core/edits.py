"""A policy that rules on the arguments of a call, and calls that it ruled on."""

from __future__ import annotations

from typing import Any

from supervisor.core.events import (
    ToolCall,
)
from supervisor.core.messages import ModelReply, ProposedCall, Usage
from supervisor.core.persona import ApprovalRule, Approvers, Persona
from supervisor.core.tool_calls import record_reply
from supervisor.tools.agents import plan_tasks
from tests.core.build import (
    AT,
    fake_tool,
)

PAIR = Approvers(users=("U2", "U3"), groups=("S-SEC",), quorum=2, exclude_requester=True)

PERSONA = Persona(
    name="p",
    description="d",
    instructions="i",
    tools=("*",),
    agents=("sre",),
    approvals=(
        ApprovalRule(tool="shell", when={"command": "rm *"}, mode="deny", reason="Use the bin."),
        ApprovalRule(tool="shell", when={"command": "df*"}, mode="allow"),
        ApprovalRule(tool="shell", when={"command": "reboot"}, mode="ask", approvers=PAIR, reason="Careful"),
        ApprovalRule(tool="shell", mode="ask", approvers=Approvers(users=("U2",)), reason="It is a shell"),
    ),
)
TOOLS = {
    t.name: t for t in (fake_tool("shell", needs="command"), fake_tool("write", idempotent=True), plan_tasks)
}


def proposed(tool: str = "shell", **arguments: Any) -> ToolCall:
    reply = ModelReply(
        text="",
        calls=(ProposedCall(call_id="ref", tool=tool, arguments=arguments or {"command": "ls"}),),
        usage=Usage(),
        cost_usd=None,
        model="test:model",
        duration_ms=1,
    )
    event = record_reply(reply, step=1, context_seen=0, persona=PERSONA, tools=TOOLS, roster=("sre",), at=AT)
    return event.calls[0]
