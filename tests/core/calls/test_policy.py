"""Which calls need somebody, who may decide, and that the log itself takes no decision from anybody else."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from supervisor.core.comparisons import Comparison
from supervisor.core.digest import call_digest
from supervisor.core.errors import AlreadyDecided, AlreadyEnded, FlagmanError, IllegalEvent, NotAllowed
from supervisor.core.events import Actor
from supervisor.core.persona import ApprovalRule, Approvers, Persona
from supervisor.core.policy import evaluate, explain, right_to_decide
from supervisor.core.reducer import apply, fold
from supervisor.core.rules.hours import Hours
from supervisor.core.state import Session
from tests.core.build import (
    ALICE,
    AT,
    BOB,
    CAROL,
    DAN,
    PIPELINE,
    SID,
    awaiting,
    decided,
    launched,
    one_of_each,
    responded,
    tool_call,
)

OPS = Approvers(groups=("S-OPS",))
BOTH = Approvers(users=("U2",), groups=("S-OPS", "S-SEC"), quorum=2, exclude_requester=True)


def persona(*rules: ApprovalRule) -> Persona:
    return Persona(name="p", description="d", instructions="i", tools=("*",), approvals=rules)


# Which rule decides


def test_without_a_rule_what_changes_anything_is_asked_for() -> None:
    assert evaluate(persona(), "shell", {}, changes=True).mode == "ask"
    assert evaluate(persona(), "read_file", {}, changes=False).mode == "allow"


def test_the_first_rule_that_matches_decides() -> None:
    given = persona(
        ApprovalRule(tool="sh*", when={"command": "git status*"}, mode="allow"),
        ApprovalRule(tool="shell", when={"command": "git *"}, mode="ask", approvers=OPS, reason="Ours"),
        ApprovalRule(tool="shell", mode="deny", reason="Only git here"),
        ApprovalRule(tool="*", mode="allow"),
    )

    def modes(command: str) -> str:
        return evaluate(given, "shell", {"command": command}, changes=True).mode

    assert [modes(c) for c in ("git status -s", "git push", "ls", "GIT status")] == [
        "allow",
        "ask",
        "deny",
        "deny",
    ]
    assert evaluate(given, "write_file", {}, changes=True).mode == "allow"
    asked = evaluate(given, "shell", {"command": "git push"}, changes=True)
    assert (asked.rules, asked.reason) == ((OPS,), "Ours")


@pytest.mark.parametrize(
    ("glob", "value", "matches"),
    [
        ("*", "", True),
        ("a*z", "a\nb\nz", True),
        ("[!/]*", "/etc/passwd", False),
        ("3", 3, True),
        ("3", "3", True),
        ("true", True, True),
        ("null", None, True),
        ('{"a":[[]1,2[]]}', {"a": [1, 2]}, True),
        ("[1, 2]", [1, 2], False),
        ('{"a":*}', {"a": [1, 2]}, True),
        ("prod-*", "staging", False),
    ],
)
def test_a_glob_is_held_against_the_text_of_the_argument(glob: str, value: Any, matches: bool) -> None:
    given = persona(ApprovalRule(tool="t", when={"x": glob}, mode="deny"))
    assert (evaluate(given, "t", {"x": value}, changes=False).mode == "deny") is matches


def test_every_named_argument_must_match_and_be_there() -> None:
    given = persona(ApprovalRule(tool="t", when={"x": "*", "y": "2"}, mode="deny"))
    assert evaluate(given, "t", {"x": "1", "y": "2"}, changes=False).mode == "deny"
    assert evaluate(given, "t", {"x": "1", "y": "3"}, changes=False).mode == "allow"
    assert evaluate(given, "t", {"y": "2"}, changes=False).mode == "allow"


# Who may decide


def right(session: Session, actor: Actor) -> str:
    return right_to_decide(session, session.call("1.1"), actor).via


@pytest.mark.parametrize(
    ("approvers", "actor", "via"),
    [
        (None, PIPELINE, "anyone"),
        (Approvers(quorum=3), DAN, "anyone"),
        (Approvers(users=("U2",)), BOB, "user"),
        (Approvers(users=("slack:U2",)), BOB, "user"),
        (Approvers(users=("api:pipeline",)), PIPELINE, "user"),
        (OPS, CAROL, "group:S-OPS"),
        (OPS, ALICE, "group:S-OPS"),
        (BOTH, DAN, "group:S-SEC"),
        (Approvers(users=("U3",), groups=("S-OPS",)), CAROL, "user"),
    ],
)
def test_a_right_comes_from_being_named_or_a_member(
    approvers: Approvers | None, actor: Actor, via: str
) -> None:
    session = awaiting(approvers)
    assert right(session, actor) == via
    assert apply(SID, session, decided(session, actor, via=via)).call("1.1").decisions[0].by == actor.id


def ended(session: Session) -> Session:
    return apply(SID, session, one_of_each()["Cancelled"])


def approved_by_bob(session: Session) -> Session:
    return apply(SID, session, decided(session, BOB, via=right(session, BOB)))


REFUSALS: list[tuple[Session, Actor, type[FlagmanError], str]] = [
    (awaiting(OPS), BOB, NotAllowed, "You may not decide on this call. Ask a member of S-OPS."),
    (
        awaiting(Approvers(users=("U3", "U4"), groups=("S-SEC",))),
        BOB,
        NotAllowed,
        "You may not decide on this call. Ask U3 or U4 or a member of S-SEC.",
    ),
    (
        awaiting(BOTH),
        ALICE,
        NotAllowed,
        "You requested this session, changed this call or told the agent what to do; someone else must approve.",
    ),
    (approved_by_bob(awaiting()), CAROL, AlreadyDecided, "This call was already approved by Bob."),
    (approved_by_bob(awaiting(BOTH)), BOB, AlreadyDecided, "This call was already approved by you."),
    (ended(awaiting()), BOB, AlreadyEnded, "This session was already cancelled; nothing will run."),
    (ended(approved_by_bob(awaiting())), DAN, AlreadyDecided, "This call was already approved by Bob."),
    (
        fold(SID, [launched(), responded(tool_call())]),
        BOB,
        NotAllowed,
        "This call is not waiting for a decision.",
    ),
    (
        ended(fold(SID, [launched(), responded(tool_call())])),
        BOB,
        AlreadyEnded,
        "This session was already cancelled; nothing will run.",
    ),
]


@pytest.mark.parametrize(("session", "actor", "error", "sentence"), REFUSALS)
def test_each_refusal_says_what_is_the_matter(
    session: Session, actor: Actor, error: type[FlagmanError], sentence: str
) -> None:
    with pytest.raises(error) as refusal:
        right(session, actor)
    assert str(refusal.value) == sentence


def test_the_loser_is_told_who_decided_what_and_when() -> None:
    session = awaiting()
    denied = decided(session, CAROL, "deny").model_copy(update={"at": AT + timedelta(minutes=3)})
    with pytest.raises(AlreadyDecided) as refusal:
        right(apply(SID, session, denied), BOB)
    assert (refusal.value.verdict, refusal.value.by, refusal.value.at) == ("denied", "slack:U3", denied.at)
    assert refusal.value.name == "Carol"


def test_somebody_without_a_name_is_told_by_id() -> None:
    session = awaiting()
    with pytest.raises(AlreadyDecided, match="approved by api:pipeline"):
        right(apply(SID, session, decided(session, PIPELINE)), BOB)


# Forged decisions: the fold takes none of them


@pytest.mark.parametrize(
    ("approvers", "actor", "fields", "sentence"),
    [
        (None, BOB, {"digest": call_digest("shell", {"command": "rm"})}, "for a different call"),
        (None, BOB, {"digest": ""}, "for a different call"),
        (None, BOB, {"via": "user"}, "may not decide"),
        (None, BOB, {"via": "group:S-OPS"}, "may not decide"),
        (OPS, BOB, {"via": "anyone"}, "may not decide"),
        (OPS, BOB, {"via": "user"}, "may not decide"),
        (OPS, DAN, {"via": "group:S-SEC"}, "may not decide"),
        (Approvers(users=("U3",)), BOB, {"via": "user"}, "may not decide"),
        (Approvers(users=("U3",)), BOB, {"via": ""}, "may not decide"),
        (BOTH, ALICE, {"via": "group:S-OPS"}, "Who asked for the session"),
        (Approvers(exclude_requester=True), ALICE, {"via": "anyone"}, "Who asked for the session"),
    ],
)
@pytest.mark.parametrize("verdict", ["approve", "deny"])
def test_a_forged_decision_is_refused_by_the_log(
    approvers: Approvers | None, actor: Actor, fields: dict[str, str], sentence: str, verdict: str
) -> None:
    session = awaiting(approvers)
    with pytest.raises(IllegalEvent, match=sentence):
        apply(SID, session, decided(session, actor, verdict, **fields))


def test_one_person_counts_once_towards_a_quorum() -> None:
    session = approved_by_bob(awaiting(BOTH))
    assert session.call("1.1").phase == "awaiting"
    for verdict in ("approve", "deny"):
        with pytest.raises(IllegalEvent, match="counts once"):
            apply(SID, session, decided(session, BOB, verdict, via="user"))
    second = apply(SID, session, decided(session, CAROL, via="group:S-OPS"))
    assert second.call("1.1").phase == "approved"
    assert [d.by for d in second.call("1.1").decisions] == [BOB.id, CAROL.id]


def test_one_denial_is_enough_and_nothing_is_decided_after_it() -> None:
    session = approved_by_bob(awaiting(BOTH))
    denied = apply(SID, session, decided(session, DAN, "deny", via="group:S-SEC", reason="Too risky"))
    assert denied.call("1.1").phase == "denied"
    with pytest.raises(IllegalEvent, match="already denied"):
        apply(SID, denied, decided(denied, CAROL, via="group:S-OPS"))
    with pytest.raises(IllegalEvent):
        apply(SID, denied, one_of_each(attempt=0)["ToolStarted"])


def test_the_policy_in_force_is_the_one_recorded_with_the_call() -> None:
    session = awaiting(OPS)
    assert session.call("1.1").call.approvers == OPS
    assert Session.model_validate_json(session.model_dump_json()).call("1.1").call.approvers == OPS


def test_a_decision_that_comes_before_the_question_is_refused() -> None:
    session = fold(SID, [launched(), responded(tool_call())])
    with pytest.raises(IllegalEvent, match="not shown to anybody yet"):
        apply(SID, session, decided(session, BOB))


def test_an_explanation_says_of_each_rule_why_it_decides_or_not() -> None:
    """It is about the rules of the persona itself, at the time and with the arguments that are given."""
    hours = Hours.model_validate({"from": "09:00", "to": "10:00", "zone": "UTC"})
    schema = {"properties": {"command": {"const": "ls"}}, "required": ["command"]}
    own = persona(
        ApprovalRule(tool="deploy", mode="deny"),
        ApprovalRule(tool="shell", mode="allow", arguments=schema, hours=hours),
        ApprovalRule(tool="shell", mode="ask", when={"cwd": Comparison(within="docs")}, approvers=OPS),
        ApprovalRule(tool="*", mode="deny"),
    ).model_copy(update={"under": persona(ApprovalRule(tool="*", mode="deny", reason="Never"))})
    hour = f"it is within {hours}"
    first = explain(own, "shell", {"command": "ls"}, changes=True, at=AT)
    assert (first.rule, first.decision.mode) == (2, "allow")
    assert first.rules == {
        1: ("it is for `deploy`",),
        2: ("the arguments fit the schema: yes", f"{hour}: yes"),
    }
    later = explain(own, "shell", {"command": "ls"}, changes=True, at=AT + timedelta(hours=2))
    assert (later.rule, later.decision.rules) == (3, (OPS,))
    assert later.rules[2] == ("the arguments fit the schema: yes", f"{hour}: no")
    assert later.rules[3] == ('`cwd` is {"within": "docs"}: it cannot be compared, and so it counts as yes',)
    untold = explain(own, "shell", {"command": "rm", "cwd": "src"}, changes=True)
    assert (untold.rule, untold.decision.mode) == (4, "deny")
    assert untold.rules[2] == (
        "the arguments fit the schema: no",
        f"{hour}: it cannot be compared, and so it counts as no",
    )
    assert untold.rules[4] == ("it is for `*`, whatever the arguments",)
    for changes, mode in ((True, "ask"), (False, "allow")):
        none = explain(persona(), "shell", {}, changes=changes)
        assert (none.rule, none.decision.mode, none.rules) == (None, mode, {})
