"""A sub-agent may do nothing that whoever launched it might not, however deep it is and whatever its persona says."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supervisor.core.errors import IllegalEvent, NotAllowed
from supervisor.core.events import Actor, ApprovalRequested, ToolCall
from supervisor.core.messages import ModelReply, ProposedCall, Usage
from supervisor.core.persona import ApprovalRule, Approvers, Persona
from supervisor.core.policy import PolicyDecision, evaluate, may_launch, may_use, right_to_decide
from supervisor.core.reducer import apply, fold
from supervisor.core.state import Session
from supervisor.core.tool_calls import edit_call, record_reply, tools_of
from tests.core.build import (
    ALICE,
    AT,
    BOB,
    CAROL,
    DAN,
    PIPELINE,
    SID,
    by,
    decided,
    fake_tool,
    launched,
    responded,
    subtask,
    tool_call,
)
from tests.core.plans import SRE, House, Planned
from tests.examples import examples

LEADS = SRE.model_copy(update={"agents": ("*",)})
PEOPLE = (ALICE, BOB, CAROL, DAN, PIPELINE)
TOOLS = {t.name: t for t in (fake_tool("shell"), fake_tool("look", changes=False), fake_tool("plan_tasks"))}
STRICTNESS = {"allow": 0, "ask": 1, "deny": 2}


def persona(name: str = "p", under: Persona | None = None, **fields: Any) -> Persona:
    given = {"description": "d", "instructions": "i", "tools": ("*",), **fields}
    return Persona(name=name, under=under, **given)


def asks(tool: str = "shell", **approvers: Any) -> ApprovalRule:
    return ApprovalRule(tool=tool, mode="ask", approvers=Approvers(**approvers))


def ruled(given: Persona, tool: str = "shell", **arguments: Any) -> PolicyDecision:
    return evaluate(given, tool, arguments, changes=True)


# Tools


def test_a_tool_that_the_parent_has_not_is_none_of_the_childs() -> None:
    parent = persona(tools=("look",))
    assert list(tools_of(persona(under=parent), TOOLS)) == ["look"]
    assert not may_use(persona(tools=("shell",), under=parent), "shell")


def test_what_the_parent_may_hand_on_the_child_has() -> None:
    parent = persona(tools=("look",), delegates=("sh*",))
    assert not may_use(parent, "shell")
    assert may_use(persona(under=parent), "shell")
    assert not may_use(persona(tools=("look",), under=parent), "shell")


def test_a_tool_is_handed_on_only_where_every_level_may() -> None:
    top = persona(tools=("look",), delegates=("shell",))
    for middle, has in ((persona(under=top), True), (persona(tools=("look",), under=top), False)):
        assert may_use(persona(under=middle), "shell") is has
    generous = persona(tools=("look",), delegates=("*",), under=persona(tools=("look",)))
    assert not may_use(persona(under=generous), "shell")


def test_a_call_of_such_a_tool_is_refused() -> None:
    child = persona(under=persona(tools=("look",)))
    call = proposed(child, "shell")
    assert (call.mode, call.reason) == ("refuse", "There is no such tool. You have: look.")


def test_who_may_launch_nobody_has_no_tool_for_it() -> None:
    assert "plan_tasks" not in tools_of(persona(), TOOLS)
    assert "plan_tasks" in tools_of(persona(agents=("sre",)), TOOLS)


# Whom it may launch


def test_a_child_launches_only_whom_its_parent_might() -> None:
    top = persona(agents=("sre", "wri*"))
    middle = persona(agents=("*",), under=top)
    assert [n for n in ("sre", "writer", "king") if may_launch(middle, n)] == ["sre", "writer"]
    assert not may_launch(persona(agents=("*",), under=persona(under=top)), "sre")
    assert may_launch(persona(agents=("sre",), under=middle), "sre")
    assert not may_launch(persona(agents=("king",), under=middle), "king")


def test_its_roster_says_the_same() -> None:
    library = House(SRE, persona("writer"), persona("king")).library
    child = persona(agents=("*",), under=persona(agents=("sre", "writer")))
    assert [p.name for p in library.roster(child)] == ["sre", "writer"]
    assert library.roster(persona(under=persona(agents=("*",)))) == []


def test_a_child_is_launched_under_the_persona_of_its_parent() -> None:
    strict = persona("strict", tools=("plan_tasks",), agents=("*",))
    plan = Planned(subtask("a"), persona=strict, personas=[LEADS])
    child = plan.persona_of("a")
    assert (child.name, child.under) == ("sre", strict)
    below = plan.within("a", subtask("b")).persona_of("b")
    assert (below.name, below.under) == ("sre", child)
    assert not may_use(below, "shell")


# Modes and approvers


@pytest.mark.parametrize(
    ("own", "above", "mode", "whose"),
    [
        ("allow", "allow", "allow", "above"),
        ("allow", "ask", "ask", "above"),
        ("allow", "deny", "deny", "above"),
        ("ask", "allow", "ask", "own"),
        ("ask", "ask", "ask", "own"),
        ("ask", "deny", "deny", "above"),
        ("deny", "allow", "deny", "own"),
        ("deny", "ask", "deny", "own"),
        ("deny", "deny", "deny", "above"),
    ],
)
def test_the_stricter_mode_holds_with_its_reason(own: Any, above: Any, mode: str, whose: str) -> None:
    parent = persona(approvals=(ApprovalRule(tool="*", mode=above, reason="above"),))
    child = persona(under=parent, approvals=(ApprovalRule(tool="*", mode=own, reason="own"),))
    below = persona(under=child, approvals=(ApprovalRule(tool="*", mode="allow"),))
    assert (ruled(child).mode, ruled(child).reason) == (mode, whose)
    assert (ruled(below).mode, ruled(below).reason) == (mode, whose)


def test_where_both_ask_the_reason_above_stands_in_for_one_that_is_missing() -> None:
    parent = persona(approvals=(ApprovalRule(tool="*", mode="ask", reason="above"),))
    assert ruled(persona(under=parent, approvals=(asks(),))).reason == "above"


def test_whoever_says_no_says_why() -> None:
    parent = persona(approvals=(ApprovalRule(tool="shell", mode="deny", reason="Not here."),))
    child = persona(under=parent, approvals=(ApprovalRule(tool="shell", mode="allow"),))
    assert proposed(child, "shell").reason == "Policy forbids this call. Not here."


def test_without_a_rule_above_what_changes_anything_is_asked_for() -> None:
    child = persona(under=persona(), approvals=(ApprovalRule(tool="shell", mode="allow"),))
    assert ruled(child).mode == "ask"
    assert evaluate(child, "shell", {}, changes=False).mode == "allow"


def test_a_rule_above_looks_at_the_arguments_too() -> None:
    parent = persona(approvals=(ApprovalRule(tool="shell", when={"command": "rm *"}, mode="deny"),))
    child = persona(under=parent, approvals=(ApprovalRule(tool="shell", mode="allow"),))
    assert ruled(child, command="rm -r x").mode == "deny"
    assert ruled(child, command="ls").mode == "ask"


@pytest.mark.parametrize(
    ("own", "above"),
    [
        ({"users": ("U2",)}, {"groups": ("S-OPS",)}),
        ({"groups": ("S-SEC",)}, {"users": ("U3",)}),
        ({"quorum": 2}, {"quorum": 3}),
        ({"users": ("U2",), "exclude_requester": True}, {"groups": ("S-OPS",), "quorum": 2}),
    ],
)
def test_each_rule_has_to_be_satisfied(own: dict[str, Any], above: dict[str, Any]) -> None:
    child = persona(under=persona(approvals=(asks(**above),)), approvals=(asks(**own),))
    assert ruled(child).rules == (Approvers(**own), Approvers(**above))


@pytest.mark.parametrize("rule", [{"exclude_requester": True}, {"users": ("U2",)}, {"quorum": 2}])
def test_a_rule_that_any_approval_satisfies_is_not_named(rule: dict[str, Any]) -> None:
    for own, above in ((rule, {}), ({}, rule), (rule, rule)):
        child = persona(under=persona(approvals=(asks(**above),)), approvals=(asks(**own),))
        assert ruled(child).rules == (Approvers(**rule),)


APPROVERS = st.builds(
    Approvers,
    users=st.lists(st.sampled_from(("U1", "U2", "slack:U3", "api:pipeline")), unique=True, max_size=2).map(
        tuple
    ),
    groups=st.lists(st.sampled_from(("S-OPS", "S-SEC")), unique=True, max_size=2).map(tuple),
    quorum=st.integers(1, 3),
    exclude_requester=st.booleans(),
)
RULES = st.lists(
    st.builds(
        ApprovalRule,
        tool=st.sampled_from(("shell", "sh*", "look", "*")),
        when=st.sampled_from(({}, {"command": "rm*"}, {"command": "*"})),
        mode=st.sampled_from(("allow", "ask", "ask", "deny")),
        approvers=st.none() | APPROVERS,
    ),
    max_size=3,
).map(tuple)
GLOBS = st.lists(st.sampled_from(("shell", "look", "*", "l*")), max_size=2).map(tuple)
PERSONAS = st.builds(
    persona, tools=GLOBS, delegates=GLOBS, approvals=RULES, agents=st.sampled_from(((), ("sre",), ("*",)))
)


def may_decide(ruling: PolicyDecision) -> set[str]:
    """Who of all may alone satisfy every rule, told without the code that decides on it; ALICE has asked for it."""
    return set.intersection(*(may_satisfy(rule) for rule in ruling.rules or (Approvers(),)))


def may_satisfy(given: Approvers) -> set[str]:
    ids = {u if ":" in u else f"slack:{u}" for u in given.users}
    named = {p.id for p in PEOPLE if p.id in ids or set(p.groups) & set(given.groups)}
    may = named if given.users or given.groups else {p.id for p in PEOPLE}
    return may - {ALICE.id} if given.exclude_requester else may


@settings(max_examples=examples(100), deadline=None, database=None)
@given(
    levels=st.lists(PERSONAS, min_size=2, max_size=4),
    tool=st.sampled_from(("shell", "look")),
    command=st.sampled_from(("rm x", "ls", "")),
    changes=st.booleans(),
)
def test_no_level_may_more_than_the_one_above(
    levels: list[Persona], tool: str, command: str, changes: bool
) -> None:
    above = levels[0]
    for own in levels[1:]:
        below = own.model_copy(update={"under": above})
        given = (tool, {"command": command} if command else {})
        theirs, mine = evaluate(above, *given, changes=changes), evaluate(below, *given, changes=changes)
        assert STRICTNESS[mine.mode] >= STRICTNESS[theirs.mode]
        if mine.mode == theirs.mode == "ask":
            assert may_decide(mine) <= may_decide(theirs)
            most = [max((rule.quorum for rule in given.rules), default=1) for given in (mine, theirs)]
            assert most[0] >= most[1]
            assert set(theirs.rules) - {Approvers()} <= set(mine.rules)
        alone = evaluate(own, *given, changes=changes)
        assert STRICTNESS[mine.mode] >= STRICTNESS[alone.mode], "nor more than its own persona says"
        assert may_use(below, tool) <= may_use(own, tool)
        assert may_launch(below, "sre") <= min(may_launch(own, "sre"), may_launch(above, "sre"))
        if may_use(below, tool) and not may_use(above, tool):
            assert any(tool.startswith(glob.rstrip("*")) for glob in above.delegates)
        above = below


# Who asked for it


def asked(session_id: str, first: Any, approvers: Approvers) -> Session:
    call = tool_call(approvers=approvers)
    request = ApprovalRequested(**by(), request_id="r2", call_ids=("1.1",))
    return fold(session_id, [first, responded(call), request])


def two_levels() -> Planned:
    """The sub-agent of a sub-agent of a session that ALICE asked for; it launched one more."""
    return Planned(subtask("a"), personas=[LEADS]).within("a", subtask("b"), personas=[LEADS])


def test_who_asked_for_the_first_session_asked_for_all_below_it() -> None:
    middle = two_levels()
    below = middle.within("b", subtask("c"))
    lineage = below.launch_of("c").lineage
    assert lineage is not None
    assert (lineage.root, lineage.depth, lineage.parent) == (SID, 3, below.session.id)
    assert set(lineage.requesters) == {
        ALICE.id, f"agent:{SID}", f"agent:{middle.session.id}"
    }  # fmt: skip


@pytest.mark.parametrize("users", [(), ("U1", "U2")])
def test_the_requester_is_excluded_two_levels_below(users: tuple[str, ...]) -> None:
    middle, approvers = two_levels(), Approvers(users=users, exclude_requester=True)
    session = asked("x-y", middle.launch_of("b"), approvers)
    for actor in (ALICE, Actor(id=f"agent:{SID}"), Actor(id=f"agent:{middle.session.id}")):
        with pytest.raises(NotAllowed):
            right_to_decide(session, session.call("1.1"), actor)
    with pytest.raises(NotAllowed, match="You requested this session"):
        right_to_decide(session, session.call("1.1"), ALICE)
    via = "user" if approvers.users else "anyone"
    with pytest.raises(IllegalEvent, match="Who asked for the session"):
        apply("x-y", session, decided(session, ALICE, via=via))
    assert right_to_decide(session, session.call("1.1"), BOB).via == via
    assert apply("x-y", session, decided(session, BOB, via=via)).call("1.1").phase == "approved"


def test_a_child_cannot_change_a_call_into_one_that_is_forbidden_above() -> None:
    parent = persona(approvals=(ApprovalRule(tool="shell", when={"command": "rm*"}, mode="deny"),))
    child = persona(under=parent, approvals=(ApprovalRule(tool="shell", mode="ask"),))
    call = proposed(child, "shell", command="ls")
    assert call.mode == "ask"
    with pytest.raises(Exception, match="Policy forbids this call"):
        edit_call(call, {"command": "rm x"}, child, TOOLS, ())


def proposed(given: Persona, tool: str, **arguments: Any) -> ToolCall:
    reply = ModelReply(
        text="",
        calls=(ProposedCall(call_id="r", tool=tool, arguments=arguments),),
        usage=Usage(),
        cost_usd=None,
        model="test:model",
        duration_ms=1,
    )
    event = record_reply(reply, step=1, context_seen=0, persona=given, tools=tools_of(given, TOOLS), at=AT)
    assert fold(SID, [launched(), event]).steps
    return event.calls[0]
