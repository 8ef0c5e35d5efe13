"""Rules compare arguments, and where that cannot be done the stricter way holds."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from supervisor.core.comparisons import LONGEST_TEXT, Comparison
from supervisor.core.persona import ApprovalRule, Persona
from supervisor.core.policy import evaluate, explain

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
COMPARISONS: list[dict[str, Any]] = [
    {"gt": 100}, {"ge": 1, "lt": 100.5}, {"eq": "prod"}, {"eq": None}, {"in": ["eu", "us", 3]},
    {"matches": "kubectl get .*"}, {"within": "reports"},
]  # fmt: skip


def mode(decides: str, comparison: dict[str, Any], arguments: dict[str, Any]) -> str:
    """The decision where a rule of mode `decides` compares `x`, and all else is allowed, or denied below an `allow`."""
    otherwise = "deny" if decides == "allow" else "allow"
    rules = [
        {"tool": "t", "when": {"x": comparison}, "mode": decides},
        {"tool": "*", "mode": otherwise},
    ]
    front = {"name": "p", "description": "d", "instructions": "i", "tools": ("t",)}
    persona = Persona.model_validate({**front, "approvals": rules})
    found = evaluate(persona, "t", arguments, changes=True)
    assert explain(persona, "t", arguments, changes=True).decision == found
    return found.mode


@pytest.mark.parametrize(
    ("comparison", "value", "holds"),
    [
        ({"gt": 100}, 100, False),
        ({"gt": 100}, 100.01, True),
        ({"gt": 100}, 10**30, True),
        ({"gt": 0.1, "le": 0.3}, 0.3, True),
        ({"ge": 1, "lt": 5}, 5, False),
        ({"gt": 100}, "101", None),
        ({"gt": 0}, True, None),
        ({"gt": 0}, [1], None),
        ({"eq": 1}, 1.0, True),
        ({"eq": 1}, "1", None),
        ({"eq": 1}, True, None),
        ({"eq": {"a": [1]}}, {"a": [1]}, True),
        ({"eq": {"a": [1]}}, {"a": [True]}, None),
        ({"eq": {"a": [1]}}, {"a": [1.0]}, True),
        ({"eq": {"a": 0}}, {"b": 0}, False),
        ({"eq": [1, 2]}, [1, "x"], None),
        ({"eq": [1, 2]}, [1, 3], False),
        ({"eq": None}, "text", None),
        ({"eq": None}, None, True),
        ({"in": ["eu", "us"]}, "us", True),
        ({"in": ["eu", "us"]}, "de", False),
        ({"in": ["eu", "us"]}, 5, None),
        ({"in": [1, "1"]}, "2", None),
        ({"matches": "kubectl get .*"}, "kubectl get pods", True),
        ({"matches": "kubectl get .*"}, "kubectl get pods\nrm -rf /", False),
        ({"matches": "get"}, "kubectl get pods", False),
        ({"matches": ".*"}, ["x"], None),
        ({"matches": ".*"}, "x" * (LONGEST_TEXT + 1), None),
        ({"matches": "(a|aa)+$"}, "a" * 5000 + "b", None),
        ({"within": "reports"}, "reports/2026/a.md", True),
        ({"within": "reports/"}, "./reports//a.md", True),
        ({"within": "."}, "anything", True),
        ({"within": "reports/2026"}, "reports//2026/./a.md", True),
        ({"within": "reports"}, "reports\0/a.md", None),
        ({"matches": ".*"}, "x" * LONGEST_TEXT, True),
        ({"within": "reports"}, "reports2/a.md", False),
        ({"within": "reports"}, "a.md", False),
        ({"within": "reports"}, "reports/../secrets", None),
        ({"within": "reports"}, "/reports/a.md", None),
        ({"within": "reports"}, "~/reports", None),
        ({"within": "reports"}, "reports\\..\\x", None),
        ({"within": "reports", "matches": r".*\.md"}, "reports/a.txt", False),
    ],
)
def test_what_cannot_be_compared_takes_the_stricter_way(
    comparison: dict[str, Any], value: Any, holds: bool | None
) -> None:
    found = Comparison.model_validate(comparison).holds(value)
    assert found is holds
    assert mode("allow", comparison, {"x": value}) == ("allow" if holds else "deny")
    for strict in ("ask", "deny"):
        assert mode(strict, comparison, {"x": value}) == ("allow" if holds is False else strict)


@given(comparison=st.sampled_from(COMPARISONS), value=ANYTHING)
def test_any_value_is_compared_or_not(comparison: dict[str, Any], value: Any) -> None:
    holds = Comparison.model_validate(comparison).holds(value)
    assert holds in (True, False, None)
    assert (mode("allow", comparison, {"x": value}) == "allow") is (holds is True)
    assert (mode("deny", comparison, {"x": value}) == "deny") is (holds is not False)


@pytest.mark.parametrize("comparison", COMPARISONS)
def test_a_missing_argument_takes_the_stricter_way(comparison: dict[str, Any]) -> None:
    assert mode("allow", comparison, {}) == "deny"
    assert [mode(strict, comparison, {}) for strict in ("ask", "deny")] == ["ask", "deny"]


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"gt": None},
        {"in": None},
        {"matches": "("},
        {"gt": "many"},
        {"in": []},
        {"within": "/etc"},
        {"within": "../x"},
        {"above": 3},
    ],
)
def test_what_is_no_comparison_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ApprovalRule.model_validate({"tool": "t", "when": {"x": wrong}, "mode": "ask"})


@pytest.mark.parametrize(
    "wanted", ["Evil.com", {"in": ["Evil.com"]}, {"eq": "EVIL.com"}, {"matches": "evil\\.com"}]
)
def test_the_host_is_the_one_that_is_connected_to(wanted: Any) -> None:
    rules = [
        {"tool": "http_request", "when": {"host": wanted}, "mode": "deny"},
        {"tool": "*", "mode": "allow"},
    ]
    front = {"name": "p", "description": "d", "instructions": "i", "tools": ("*",), "approvals": rules}
    persona = Persona.model_validate(front)

    def mode(url: Any) -> str:
        return evaluate(persona, "http_request", {"url": url}, changes=True).mode

    for host in ("evil.com", "EVIL.com", "evil.com.", "\uff45vil.com", "evil\u3002com", "\u24ba\u24e5il.com"):
        assert mode(f"https://{host}:8443/x?y") == "deny", host
    assert mode("https://good.example/evil.com") == "allow"
    if isinstance(wanted, dict):
        assert mode(7) == "deny"


def test_a_comparison_is_stored_as_it_was_given() -> None:
    for written in COMPARISONS:
        rule = ApprovalRule.model_validate({"tool": "t", "when": {"x": written}, "mode": "allow"})
        for stored in (rule.model_dump_json(exclude_defaults=True), rule.model_dump_json()):
            assert ApprovalRule.model_validate_json(stored) == rule
            assert json.loads(stored)["when"] == {"x": written}


def test_it_is_told_which_rule_decides_and_why() -> None:
    rules = [
        {"tool": "read_file", "mode": "allow"},
        {"tool": "shell", "when": {"command": "df *", "timeout_s": {"le": 60}}, "mode": "allow"},
        {"tool": "shell", "when": {"timeout_s": {"gt": 600}}, "mode": "deny"},
        {"tool": "shell", "mode": "ask", "reason": "Look twice"},
    ]
    front = {"name": "p", "description": "d", "instructions": "i", "tools": ("*",), "approvals": rules}
    persona = Persona.model_validate(front)
    told = explain(persona, "shell", {"command": "df -h", "timeout_s": "5"}, changes=True)
    assert (told.rule, told.decision.mode) == (3, "deny")
    assert told.rules == {
        1: ("it is for `read_file`",),
        2: (
            "`command` is df *: yes",
            '`timeout_s` is {"le": 60}: it cannot be compared, and so it counts as no',
        ),
        3: ('`timeout_s` is {"gt": 600}: it cannot be compared, and so it counts as yes',),
    }
    assert explain(persona, "write_file", {}, changes=True).rule is None
