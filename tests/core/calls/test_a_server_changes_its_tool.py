"""A server that changes a tool after it was called has people asked anew; what they approved before does not count."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from supervisor.core.errors import IllegalEvent, InvalidArguments
from supervisor.core.events import ApprovalDecided, ApprovalRequested, ToolCall, ToolRedefined, ToolStarted
from supervisor.core.messages import Json, ToolDefinition, ToolSpec
from supervisor.core.persona import ApprovalRule, Persona
from supervisor.core.reducer import apply, fold
from supervisor.core.state import Session
from supervisor.core.tool_calls import redefine
from supervisor.tools.contract import Tool
from tests.core.build import AT, BOB, SID, by, launched, responded, tool_call

DEFINITION = ToolDefinition(server="host", name="run", description="Runs it.", schema_={"type": "object"})
CHANGED = DEFINITION.model_copy(update={"description": "Runs it everywhere."})
GONE = "The server has no such tool any more."


def call(**fields: Any) -> ToolCall:
    made = tool_call(tool="host__run", arguments={"command": "ls"}, definition=DEFINITION, **fields)
    return made.model_copy(update={"digest": made.digest_of(made.arguments)})


def tool(definition: ToolDefinition, *, refuses: bool = False) -> Tool:
    def validate(given: Any) -> Json:
        if refuses:
            raise InvalidArguments("`command`: is missing")
        return dict(given)

    async def run(*_: Any) -> Any:
        raise AssertionError("nothing runs here")

    spec = ToolSpec(name="host__run", description=definition.description, schema_=definition.schema_)
    return Tool(spec=spec, validate=validate, run=run, definition=definition, timeout=timedelta(1))


def persona(*rules: ApprovalRule) -> Persona:
    return Persona(
        name="ops",
        description="Ops",
        tools=("*",),
        mcp_servers=("host",),
        approvals=rules,
        instructions="Do.",
    )


def approved(made: ToolCall) -> Session:
    asked = ApprovalRequested(**by(), request_id="r3", call_ids=("1.1",))
    yes = ApprovalDecided(**by(BOB), call_id="1.1", digest=made.digest, verdict="approve")
    return fold(SID, [launched(), responded(made), asked, yes])


def test_the_digest_of_a_call_covers_what_the_server_says() -> None:
    other = call().model_copy(update={"definition": CHANGED})
    assert other.digest_of(other.arguments) != call().digest
    assert tool_call(tool="host__run", arguments={"command": "ls"}).digest != call().digest


def test_people_compare_the_two_definitions_line_by_line() -> None:
    assert CHANGED.changes_from(DEFINITION).split("\n") == [
        *("--- before", "+++ now", "@@ -1,5 +1,5 @@", " host: run", " ", "-Runs it.", "+Runs it everywhere."),
        *(" ", " {"),
    ]
    assert CHANGED.changes_from(CHANGED) == ""


@pytest.mark.parametrize("mode", ["allow", "ask"])
def test_people_are_asked_anew_whatever_the_rule_says(mode: Any) -> None:
    allowed = ApprovalRule(tool="host__*", mode=mode)
    new = redefine(call(mode=mode), tool(CHANGED), GONE, persona(allowed), AT)
    assert new
    assert (new.mode, new.definition, new.digest) == ("ask", CHANGED, new.digest_of(new.arguments))
    assert redefine(call(), tool(DEFINITION), GONE, persona(), AT) is None


@pytest.mark.parametrize(
    ("now", "rules", "reason"),
    [
        (None, (), GONE),
        (tool(CHANGED, refuses=True), (), "did not run. `command`: is missing"),
        (tool(CHANGED), (ApprovalRule(tool="host__*", mode="deny", reason="Not now"),), "Not now"),
    ],
)
def test_it_is_refused_where_it_cannot_run(now: Tool | None, rules: Any, reason: str) -> None:
    new = redefine(call(), now, GONE, persona(*rules), AT)
    assert new
    assert (new.mode, new.definition) in (("refuse", DEFINITION), ("refuse", CHANGED))
    assert reason in new.reason
    after = apply(SID, approved(call()), ToolRedefined(**by(), call_id="1.1", call=new))
    assert after.call("1.1").phase == "refused"


def test_earlier_approvals_no_longer_count() -> None:
    session = approved(call())
    new = redefine(call(), tool(CHANGED), GONE, persona(), AT)
    assert new
    after = apply(SID, session, ToolRedefined(**by(), call_id="1.1", call=new))
    held = after.call("1.1")
    assert (held.phase, held.decisions, held.redefined) == ("held", (), DEFINITION)
    start = ToolStarted(**by(), call_id="1.1", attempt=1, idempotency_key="k", digest=new.digest)
    with pytest.raises(IllegalEvent):
        apply(SID, after, start)
    asked = apply(SID, after, ApprovalRequested(**by(), request_id="r5", call_ids=("1.1",)))
    stale = ApprovalDecided(**by(BOB), call_id="1.1", digest=call().digest, verdict="approve")
    with pytest.raises(IllegalEvent, match="different call"):
        apply(SID, asked, stale)
    assert asked.call("1.1").request == session.call("1.1").request + 1


@pytest.mark.parametrize(
    "forged",
    [
        {"mode": "allow"},
        {"arguments": {"command": "rm"}},
        {"tool": "host__other"},
        {"definition": DEFINITION},
        {"digest": call().digest},
    ],
)
def test_no_such_event_changes_anything_else(forged: dict[str, Any]) -> None:
    new = redefine(call(), tool(CHANGED), GONE, persona(), AT)
    assert new
    with pytest.raises(IllegalEvent):
        apply(SID, approved(call()), ToolRedefined(**by(), call_id="1.1", call=new.model_copy(update=forged)))
