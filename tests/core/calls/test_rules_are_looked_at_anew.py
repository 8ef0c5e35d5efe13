"""A call that nobody had to approve is ruled on anew before it runs: the time or the rules may be others by then."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from supervisor.core.digest import call_digest
from supervisor.core.events.base import GIVE_UP
from supervisor.core.messages import ToolDefinition
from supervisor.core.persona import ApprovalRule, Approvers, Persona
from supervisor.core.rules.hours import Hours
from supervisor.core.tool_calls import redefine, rule_anew, tools_of
from tests.core.build import AT, fake_tool, tool_call

FIRST, SECOND = Approvers(users=("U2",)), Approvers(groups=("S1",))
TOOLS = {
    "shell": fake_tool("shell", changes=True),
    "look": fake_tool("look", changes=False),
    GIVE_UP: fake_tool(GIVE_UP, changes=True),
}
TUESDAY = Hours.model_validate({"days": "TUE", "from": "09:00", "to": "10:00", "zone": "UTC"})
CALL = tool_call(mode="allow", reason="allowed before", approvers=Approvers(users=("U9",)))


def persona(*rules: ApprovalRule, under: Persona | None = None, **fields: Any) -> Persona:
    given = {"name": "ops", "description": "Ops", "instructions": "Do.", "tools": ("*",), **fields}
    return Persona(**given, approvals=rules, under=under)


def rule(mode: Any, **fields: Any) -> ApprovalRule:
    return ApprovalRule(tool="*", mode=mode, **fields)


def test_what_is_still_allowed_runs() -> None:
    assert rule_anew(CALL, persona(rule("allow")), TOOLS, AT) is None
    look = tool_call(tool="look", arguments={}, mode="allow")
    assert rule_anew(look, persona(), TOOLS, AT) is None


def test_what_needs_approval_now_is_asked_about_with_the_rules_of_now() -> None:
    """Those of the persona come first, then those of the persona above it."""
    above = persona(rule("ask", approvers=SECOND))
    new = rule_anew(CALL, persona(rule("ask", approvers=FIRST, reason="Look first"), under=above), TOOLS, AT)
    assert new
    assert (new.mode, new.rules, new.reason) == ("ask", (FIRST, SECOND), "Look first")
    kept = {"mode", "approvers", "also", "reason"}
    assert new.model_dump(exclude=kept) == CALL.model_dump(exclude=kept)
    unruled = rule_anew(CALL, persona(), TOOLS, AT)
    assert unruled
    assert (unruled.mode, unruled.approvers, unruled.also) == ("ask", None, ())


@pytest.mark.parametrize(
    ("reason", "said"),
    [("Not today.", "Policy forbids this call. Not today."), ("", "Policy forbids this call.")],
)
def test_what_is_forbidden_now_is_refused(reason: str, said: str) -> None:
    new = rule_anew(CALL, persona(rule("deny", reason=reason)), TOOLS, AT)
    assert new
    assert (new.mode, new.reason) == ("refuse", said)


def test_the_arguments_and_the_time_of_now_decide() -> None:
    ruled = persona(rule("allow", when={"command": "ls"}, hours=TUESDAY))
    assert rule_anew(CALL, ruled, TOOLS, AT) is None
    assert rule_anew(CALL, ruled, TOOLS, AT + timedelta(hours=2)) is not None
    other = tool_call(mode="allow", arguments={"command": "rm"})
    assert rule_anew(other, ruled, TOOLS, AT) is not None


@pytest.mark.parametrize(
    "call",
    [
        tool_call(tool="gone", mode="allow"),
        tool_call(tool=GIVE_UP, mode="allow", arguments={}),
        tool_call(mode="allow").model_copy(update={"arguments": "no object"}),
    ],
)
def test_no_rule_is_asked_about_what_cannot_run_or_ends_the_session(call: Any) -> None:
    assert rule_anew(call, persona(rule("deny")), TOOLS, AT) is None


SERVED = ToolDefinition(server="host", name="run", schema_={"type": "object"})
CHANGED = SERVED.model_copy(update={"description": "Runs it everywhere."})


@pytest.mark.parametrize("idempotent", [True, False])
def test_a_changed_tool_is_ruled_on_with_what_is_known_of_it_now(idempotent: bool) -> None:
    above = persona(rule("ask", approvers=SECOND))
    asks = rule("ask", when={"command": "ls"}, hours=TUESDAY, approvers=FIRST)
    tool = fake_tool("shell", changes=False, idempotent=idempotent, definition=CHANGED)
    before = CALL.model_copy(update={"definition": SERVED, "idempotent": not idempotent})
    new = redefine(before, tool, "", persona(asks, rule("deny"), under=above), AT)
    assert new
    assert (new.mode, new.idempotent, new.rules) == ("ask", idempotent, (FIRST, SECOND))
    assert new.digest == call_digest("shell", {"command": "ls"}, CHANGED.digest)
    late = redefine(before, tool, "", persona(asks, rule("deny"), under=above), AT + timedelta(hours=2))
    assert late
    assert late.mode == "refuse"


def test_tools_of_a_server_are_those_of_servers_that_every_persona_above_names() -> None:
    served = {"host__run": fake_tool("host__run", definition=SERVED), "look": fake_tool("look")}
    above = persona(mcp_servers=("host",))
    assert list(tools_of(persona(mcp_servers=("host",), under=above), served)) == ["host__run", "look"]
    assert list(tools_of(persona(mcp_servers=("other",), under=above), served)) == ["look"]
    assert list(tools_of(persona(mcp_servers=("host",), under=persona()), served)) == ["look"]
