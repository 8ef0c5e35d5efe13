"""A call whose server asks people: what its answers may be, and what a worker that dies meanwhile leaves behind."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from supervisor.core.control import RunTools, next_action
from supervisor.core.elicitation.answers import checked, options_of, read_words
from supervisor.core.elicitation.fields import Unfillable, form_fields, secrets_in
from supervisor.core.elicitation.request import InputRequest
from supervisor.core.errors import IllegalEvent, InvalidInput
from supervisor.core.events import InputRequested, OutcomeLost, ToolStarted
from supervisor.core.reducer import apply, fold
from supervisor.core.state import Session
from tests.core.build import AT, INPUT, LATER, SID, by, launched, responded, tool_call


def wanting(**properties: Any) -> InputRequest:
    schema = {"type": "object", "properties": properties, "required": [*properties]}
    return INPUT.model_copy(update={"schema_": schema})


TEXT: dict[str, Any] = {"type": "string"}


@pytest.mark.parametrize(
    ("rule", "good", "bad", "problem"),
    [
        ({**TEXT, "maxLength": 3}, "abc", "abcd", "has at most 3 characters"),
        ({**TEXT, "format": "email"}, "a@b.org", "a@b", "is an email address"),
        ({**TEXT, "format": "date"}, "2026-12-01", "tomorrow", "is a date, such as 2026-12-01"),
        ({**TEXT, "format": "date-time"}, "2026-12-01T09:00:00Z", "2026-12-01", "is a time, such as"),
        ({**TEXT, "format": "uri"}, "https://a.org", "a.org", "is an address, such as"),
        ({"type": "integer", "minimum": 1}, 1, 0, "is at least 1"),
        ({"type": "integer"}, 1, 1.5, "is a whole number"),
        ({"type": "integer"}, 1, 10**400, "is a whole number"),
        ({"type": "number", "minimum": 10**400}, None, 1, "is at least 1000"),
        ({"type": "number", "maximum": 2}, 1.5, 3, "is at most 2"),
        ({"type": "number"}, 1, True, "is a number"),
        ({"type": "boolean"}, False, "no", "is yes or no"),
        ({**TEXT, "enum": ["a", "b"]}, "a", "c", "is one of “a”, “b”"),
        ({"type": "array", "items": {"enum": ["a", "b"]}, "minItems": 1}, ["b"], [], "has at least 1 choice"),
        (
            {"type": "array", "items": {"anyOf": [{"const": "a", "title": "A"}]}},
            ["a"],
            ["A"],
            "has some of “A”",
        ),
        (TEXT, "x", None, "is needed"),
        ({"type": ["null", "integer"], "minimum": 1}, 1, 0, "is at least 1"),
        ({"anyOf": [{**TEXT, "maxLength": 1}, {"type": "null"}], "title": "T"}, "x", "xy", "has at most 1"),
    ],
)
def test_each_value_is_checked_against_its_rule(rule: Any, good: Any, bad: Any, problem: str) -> None:
    request = wanting(field=rule)
    if good is not None:
        assert checked(request, {"field": good}) == ({"field": good}, {})
    _, wrong = checked(request, {"field": bad})
    assert problem in wrong["field"]
    assert checked(request, {"field": good, "other": 1})[1]["other"] == "is none of its fields"


@pytest.mark.parametrize("kind", [["string", "integer"], ["null", "null"], [], {"const": "string"}, None, 1])
def test_a_type_that_is_no_word_is_not_asked_for(kind: Any) -> None:
    with pytest.raises(Unfillable, match="is no text, number, choice, or yes or no"):
        form_fields(wanting(field={"type": kind}).schema_)


@pytest.mark.parametrize(
    ("rule", "words", "value"),
    [
        (TEXT, " Grace ", "Grace"),
        ({"type": "integer"}, "12", 12),
        ({"type": "boolean"}, "Yes", True),
        ({**TEXT, "oneOf": [{"const": "eu", "title": "Europe"}]}, "europe", "eu"),
        ({"type": "array", "items": {"enum": ["a", "b"]}}, "b, a", ["b", "a"]),
        (TEXT, '{"field": "as JSON"}', "as JSON"),
    ],
)
def test_words_give_a_single_field(rule: Any, words: str, value: Any) -> None:
    assert read_words(wanting(field=rule), words) == ("accept", {"field": value})


def test_without_a_field_it_is_accepted_or_declined() -> None:
    request = INPUT.model_copy(update={"schema_": {}})
    assert options_of(request) == ("Accept",)
    assert read_words(request, "Decline.") == ("decline", {})
    with pytest.raises(InvalidInput, match="please answer `accept` or `decline`"):
        read_words(request, "perhaps")


@pytest.mark.parametrize(
    ("name", "secret"),
    [("password", True), ("apiKey", True), ("api_key", True), ("GITHUB_TOKEN", True), ("tokenizer", False)],
)
def test_what_looks_like_a_secret_is_found(name: str, secret: bool) -> None:
    assert bool(secrets_in(form_fields(wanting(**{name: TEXT}).schema_))) is secret
    assert not secrets_in(form_fields(wanting(**{name: {"type": "integer"}}).schema_)), "a number is none"


@pytest.mark.parametrize(
    "rule", [{"type": "object"}, {"type": "array", "items": TEXT}, {"enum": [1]}, "text"]
)
def test_what_no_form_can_show_is_refused(rule: Any) -> None:
    with pytest.raises(Unfillable):
        form_fields(wanting(field=rule).schema_)
    call = tool_call("1.1", mode="allow")
    begun = fold(SID, [launched(), responded(call), start(call.digest, 1)])
    with pytest.raises(IllegalEvent, match="People cannot be asked for that"):
        apply(SID, begun, InputRequested(**by(), call_id="1.1", attempt=1, requests=(wanting(field=rule),)))


def start(digest: str, attempt: int) -> ToolStarted:
    return ToolStarted(**by(), call_id="1.1", attempt=attempt, idempotency_key="k", digest=digest)


def held(*, idempotent: bool) -> tuple[Session, str]:
    call = tool_call("1.1", mode="allow", idempotent=idempotent)
    asked = InputRequested(
        **by(), call_id="1.1", attempt=1, requests=(INPUT,), until=AT + timedelta(minutes=10)
    )
    return fold(SID, [launched(), responded(call), start(call.digest, 1), asked]), call.digest


def test_a_call_that_is_held_open_is_under_way_for_the_crash_rules() -> None:
    session, digest = held(idempotent=False)
    action = next_action(session, LATER)
    assert isinstance(action, RunTools)
    assert [call.call_id for call in action.started] == ["1.1"]
    with pytest.raises(IllegalEvent, match="does not start again by itself"):
        apply(SID, session, start(digest, 2))
    lost = apply(SID, session, OutcomeLost(**by(), call_id="1.1", attempt=1))
    assert lost.waiting_for == "outcome_unknown"
    repeated, digest = held(idempotent=True)
    assert apply(SID, repeated, start(digest, 2)).call("1.1").phase == "started"
