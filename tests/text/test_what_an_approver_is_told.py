"""Sentences of which an approver reads what the call alone does not say, and those about events and files."""

from __future__ import annotations

from typing import Any

import pytest

from supervisor.core.messages import ToolDefinition
from supervisor.core.persona import Granted, Grants
from supervisor.core.records import Decision
from supervisor.core.state import Call
from supervisor.core.text.format import not_here, woken
from supervisor.core.text.labels import capital
from supervisor.core.text.requests import NO_SANDBOX, TOO_FEW, grants_text, request_notes
from tests.core.build import AT, tool_call

PROVIDED = ToolDefinition(server="host", name="run", schema_={}, provided={"zone": 1, "account": 2})


def denial(name: str, reason: str = "") -> Decision:
    return Decision(by=f"slack:{name}", by_name=name, verdict="deny", at=AT, reason=reason)


@pytest.mark.parametrize(
    ("fields", "notes"),
    [
        ({}, []),
        (
            {"denied_before": (denial("Ann"),)},
            ["The same call was denied once before, last by Ann."],
        ),
        (
            {"denied_before": (denial("Ann", "No"), denial("Bob", "Not\ntoday"))},
            ["The same call was denied 2 times before, last by Bob, with the reason “Not today”."],
        ),
        (
            {"denied_before": (denial("", "x" * 300),)},
            [f"The same call was denied once before, last by slack:, with the reason “{'x' * 199}…”."],
        ),
        (
            {"denied_before": (denial("n" * 80),)},
            [f"The same call was denied once before, last by {'n' * 59}…."],
        ),
        ({"too_few": True}, [TOO_FEW]),
        ({"unsandboxed": True, "grants": Granted(network=True)}, [NO_SANDBOX]),
        ({"grants": Granted()}, []),
        ({"grants": Granted(network=True)}, ["Its sandbox grants the network of this host."]),
        (
            {"grants": Granted(env=("PATH",), missing=("No folder /a.", "No variable B."))},
            ["Its sandbox grants the variable PATH.", "No folder /a. No variable B."],
        ),
        (
            {"redefined": PROVIDED},
            ["The server has changed this tool since people were asked about it, or since it was called."],
        ),
        (
            {"call": tool_call(definition=PROVIDED)},
            ["The app gives account, zone; the agent did not choose that."],
        ),
    ],
)
def test_what_is_known_of_a_request_is_said_in_sentences(fields: dict[str, Any], notes: list[str]) -> None:
    call = Call(**{"call": tool_call(), "phase": "awaiting", "request": 1, **fields})
    assert list(request_notes(call)) == notes


@pytest.mark.parametrize(
    ("grants", "text"),
    [
        (Grants(), ""),
        (Grants(read=("/srv/a", "/srv/b")), "reading /srv/a, reading /srv/b"),
        (
            Grants(network=True, read=("/srv/a",), env=("KEY", "HOME")),
            "the network of this host, reading /srv/a, the variable KEY, the variable HOME",
        ),
        (Grants(read=("/" + "a" * 250,)), f"reading /{'a' * 198}…"),
    ],
)
def test_grants_of_a_sandbox_are_a_list_in_a_sentence(grants: Grants, text: str) -> None:
    assert grants_text(grants) == text


@pytest.mark.parametrize(
    ("sessions", "others", "repeated", "text"),
    [
        (["ab12-cd34"], 0, False, "It resumed ab12-cd34."),
        (["ab12-cd34"], 1, True, "It resumed ab12-cd34, 1 other session."),
        (["a", "b"], 2, False, "It resumed a, b, 2 other sessions."),
        ([], 1, False, "It resumed 1 other session."),
        ([], 0, True, "This event came before, so nothing was done."),
        ([], 0, False, "Nobody waits for it yet; it is kept for a while."),
    ],
)
def test_an_event_says_what_it_did(sessions: list[str], others: int, repeated: bool, text: str) -> None:
    assert woken(sessions, others, repeated=repeated) == text


def test_files_that_are_elsewhere_are_counted_and_named() -> None:
    assert not_here(["a.md"]) == "1 of its files is not on this machine: a.md"
    assert not_here(list("abcdefg")) == "7 of its files are not on this machine: a, b, c, d, e and 2 more"


def test_a_sentence_begins_with_a_capital() -> None:
    assert [capital(words) for words in ("", "a", "paused: API off")] == ["", "A", "Paused: API off"]
