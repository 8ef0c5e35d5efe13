"""What was stored once is read for ever; what cannot be read says which session, which event and why."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supervisor.core.errors import LogUnreadable
from supervisor.core.events import SCHEMA, Event, Resumed, decode, encode
from supervisor.core.reducer import fold
from supervisor.core.state import Session
from tests.core.build import AT, EVENT_TYPES, SID, by, launched, one_of_each, responded, tool_call

GOLDEN = Path(__file__).parent / "golden"
# Logs as they were written once; never changed, only added to by further files.
LOGS = (
    "log-v1",
    "agents-v1",
    "lost-worker-v1",
    "refusals-v1",
    "deadlines-v1",
    "files-v1",
    "ruled-anew-v1",
    "grants-v1",
    "server-tools-v1",
    "people/connection-v1",
    "inputs-v1",
)
ENDS = {"Completed", "Failed", "Cancelled"}
HEAD = b'{"type":"Cancelled","at":"2026-11-03T09:00:00Z","by":"slack:U1"'


def why(data: bytes, position: int = 6) -> str:
    with pytest.raises(LogUnreadable) as refusal:
        decode("p0-abcd", position, data)
    assert refusal.value.session_id == "p0-abcd"
    assert str(refusal.value).startswith("Session `p0-abcd` cannot be read: event 7 ")
    return str(refusal.value).removeprefix("Session `p0-abcd` cannot be read: ")


def lines(log: str) -> list[bytes]:
    return (GOLDEN / f"{log}.jsonl").read_bytes().splitlines()


def golden(log: str) -> list[Event]:
    return [decode(SID, n, line) for n, line in enumerate(lines(log))]


def test_the_golden_logs_have_one_of_every_event() -> None:
    assert {type(e) for log in LOGS for e in golden(log)} == set(EVENT_TYPES)
    assert all(json.loads(line)["v"] == 1 for log in LOGS for line in lines(log))


@pytest.mark.parametrize("log", LOGS)
def test_a_golden_log_means_what_it_meant_when_it_was_written(log: str) -> None:
    meant = json.loads((GOLDEN / f"{log}.decoded.json").read_text(encoding="utf-8"))
    for event, then in zip(golden(log), meant, strict=True):
        assert_still_there(then, event.model_dump(mode="json"))


def assert_still_there(then: Any, now: Any) -> None:
    """Everything that was there, with the same value; fields may have been added since."""
    if isinstance(then, dict):
        assert isinstance(now, dict)
        for key, value in then.items():
            assert_still_there(value, now[key])
    elif isinstance(then, list):
        assert len(then) == len(now)
        for a, b in zip(then, now, strict=True):
            assert_still_there(a, b)
    else:
        assert then == now


@pytest.mark.parametrize("end", sorted(ENDS))
def test_the_golden_log_can_still_be_folded(end: str) -> None:
    session = fold(SID, [e for e in golden("log-v1") if e.type not in ENDS or e.type == end])
    assert session.lifecycle == end.lower()
    assert [c.phase for c in session.steps[0].calls] == ["finished", "finished", "finished", "refused"]
    assert [n.text for n in session.notes] == ["It is web-2"]
    assert len(session.inbox) == 1
    assert Session.model_validate_json(session.model_dump_json()) == session


def test_the_golden_log_of_sub_agents_can_still_be_folded() -> None:
    session = fold(SID, golden("agents-v1"))
    assert session.lifecycle == "completed"
    assert [[c.phase for c in step.calls] for step in session.steps] == [
        ["finished", "finished"],
        ["refused"],
    ]
    assert [(c.name, c.state, c.verdict) for c in session.children] == [
        ("look", "failed", "skip"),
        ("mend", "completed", ""),
    ]
    assert [(s.name, s.reason) for s in session.skips] == [("tell", "it needs look, which failed")]
    assert session.call("1.2").call.arguments == {"command": "df -h", "deep": {"a": [1, None]}}
    assert (session.root, session.folder) == ("p0-root", "p0-root/agents/web-2-p0-test")
    assert session.requesters == {"agent:p0-parent", "agent:p0-root", "slack:U1", "slack:U4"}
    assert [(c.through_step, c.at_step) for c in session.compactions] == [(1, 1)]
    assert session.total_cost_usd == Decimal("0.1012")
    assert Session.model_validate_json(session.model_dump_json()) == session


def test_what_is_written_today_is_read_back_equal() -> None:
    for event in (*one_of_each().values(), *(e for log in LOGS for e in golden(log))):
        data = encode(event)
        assert data.startswith(f'{{"type":"{event.type}","v":{SCHEMA},'.encode())
        assert b"\n" not in data
        assert decode(SID, 0, data) == event


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None, database=None)
@given(arguments=st.dictionaries(st.text(), JSON, max_size=4), text=st.text(), data=JSON)
def test_any_text_and_json_survives(arguments: dict[str, Any], text: str, data: Any) -> None:
    call = tool_call(arguments=arguments, tool=text)
    events: list[Event] = [
        launched(task=text, origin=arguments),
        responded(call, text=text, native=text),
        Resumed(**by(), data=data, context=text),
    ]
    back = [decode(SID, n, encode(e)) for n, e in enumerate(events)]
    assert back == events
    session = fold(SID, events)
    assert fold(SID, back) == session
    assert Session.model_validate_json(session.model_dump_json()) == session


def test_a_newer_schema_says_to_update() -> None:
    newer = "event 7 was written by a newer Flagman (schema 2, this one knows 1). Update Flagman to go on with it."
    assert why(HEAD + b',"v":2}') == newer
    assert why(b'{"type":"Teleported","v":2,"where":"Mars"}') == newer
    assert why(HEAD + b',"v":2,"unheard_of":1}') == newer


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"7",
        b'"SessionLaunched"',
        b"\xff\xfe",
        HEAD,
        HEAD + b"}}",
        b'{"v":1}x',
        b"{" * 9999,
    ],
)
def test_what_is_no_json_object_is_called_damaged(data: bytes) -> None:
    assert why(data) == "event 7 is damaged (not a JSON object)."


@pytest.mark.parametrize(
    "data", [b"{}", b'{"v":1}', b'{"type":"Teleported","v":1}', b'{"type":7}', b'{"type":null}']
)
def test_an_unknown_type_is_named_as_such(data: bytes) -> None:
    assert why(data) == "event 7 is of no known type."


@pytest.mark.parametrize(
    ("data", "where"),
    [
        (b'{"type":"Cancelled","v":1,"by":"x"}', "Cancelled.at: Field required"),
        (HEAD + b',"extra":1}', "Cancelled.extra: Extra inputs are not permitted"),
        (HEAD + b',"reason":7}', "Cancelled.reason: Input should be a valid string"),
        (HEAD + b',"v":0}', "Cancelled.v: Input should be greater than or equal to 1"),
        (HEAD + b',"v":"x"}', "Cancelled.v: "),
        (HEAD.replace(b"2026-11", b"2026-13") + b"}", "Cancelled.at: "),
        (HEAD.replace(b"Cancelled", b"Paused") + b',"reason":"boredom"}', "Paused.reason: "),
    ],
)
def test_a_wrong_field_is_named(data: bytes, where: str) -> None:
    assert why(data).startswith(f"event 7 is damaged ({where}")


def test_no_value_of_a_damaged_event_is_repeated() -> None:
    assert "hunter2" not in why(HEAD + b',"reason":{"password":"hunter2"},"hunter":"hunter2"}')


def test_a_time_keeps_its_microseconds_and_zone() -> None:
    event = launched().model_copy(update={"at": AT.replace(microsecond=123_456)})
    back = decode(SID, 0, encode(event))
    assert back.at == event.at
    assert back.at.utcoffset() == AT.utcoffset()


def test_the_golden_log_of_a_lost_worker_can_still_be_folded() -> None:
    (call,) = fold(SID, golden("lost-worker-v1")).steps[0].calls
    assert (call.phase, call.attempt, call.ok) == ("finished", 2, True)
