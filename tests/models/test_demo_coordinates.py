"""The demo as a coordinator: a plan that is valid, and an end that tells how each part ended."""

from __future__ import annotations

from datetime import timedelta

from supervisor.core.delegation import PLAN, Plan, problem
from supervisor.core.messages import ModelRequest, ModelTurn, ToolSpec, ToolTurn, Turn, UserTurn
from supervisor.core.persona import Persona
from supervisor.core.prompt import SUM_UP, instructions
from supervisor.models import DemoGateway

AGENTS = [
    Persona(name=name, description=f"The {name}.", instructions="Go.") for name in ("sre", "writer", "tester")
]
COORDINATOR = Persona(name="boss", description="Splits.", instructions="Split it.", agents=("*",))


def request(*turns: Turn, roster: list[Persona] = AGENTS, purpose: str = "step") -> ModelRequest:
    tools = (ToolSpec(name=PLAN, description="", schema_={"type": "object"}),)
    return ModelRequest.model_validate(
        {
            "session_id": "s",
            "model": None,
            "instructions": instructions(COORDINATOR, roster),
            "turns": turns,
            "tools": tools,
            "purpose": purpose,
        }
    )


async def test_it_proposes_a_plan_that_can_be_carried_out_with_those_it_may_launch() -> None:
    task = UserTurn(text="check {the} disk")
    reply = await DemoGateway(delay=timedelta()).reply(request(task))
    (call,) = reply.calls
    assert isinstance(call.arguments, dict)
    assert call.tool == PLAN
    assert not problem(PLAN, call.arguments, [agent.name for agent in AGENTS])
    plan = Plan.model_validate(call.arguments)
    assert plan.subtasks[0].persona == "sre"
    assert "check {the} disk" in plan.subtasks[0].task
    assert set(plan.subtasks[-1].depends_on) == {s.id for s in plan.subtasks[:-1]}


async def test_it_tells_how_each_part_ended() -> None:
    task = UserTurn(text="check the disk")
    first = await DemoGateway(delay=timedelta()).reply(request(task))
    told = "2 of 3 subtasks completed.\n\n## look (sre): completed\nfine\n\n## write-up (tester): failed\nbad"
    ended = ToolTurn(call_id=first.calls[0].call_id, tool=PLAN, content=told, failed=True)
    last = await DemoGateway(delay=timedelta()).reply(
        request(task, ModelTurn(text=first.text, calls=first.calls), ended)
    )
    assert not last.calls
    assert "2 of 3 subtasks completed.\n- look (sre): completed\n- write-up (tester): failed" in last.text


async def test_without_anybody_to_launch_it_does_not_plan() -> None:
    reply = await DemoGateway(delay=timedelta()).reply(request(UserTurn(text="look"), roster=[]))
    assert PLAN not in [call.tool for call in reply.calls]


async def test_a_summary_has_what_was_said_and_found_and_calls_nothing() -> None:
    turns = (
        UserTurn(text="check the disk"),
        ToolTurn(call_id="c", tool="shell", content="exit code 0\n42 GB"),
        UserTurn(text="Ada: mind the logs"),
        UserTurn(text=SUM_UP),
    )
    reply = await DemoGateway(delay=timedelta()).reply(request(*turns, purpose="summary"))
    assert not reply.calls
    assert "Ada: mind the logs" in reply.text
    assert "shell: exit code 0" in reply.text
    assert SUM_UP not in reply.text
