"""A secret may stand anywhere in a session: none is in its document, and the chain is of what is masked."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from bot.resume_hints import hints_of
from supervisor.core.commands.approvals import Seen
from supervisor.core.commands.grants import Terms, allow, use
from supervisor.core.digest import call_digest
from supervisor.core.elicitation.request import InputRequest
from supervisor.core.events import (
    Actor,
    ApprovalDecided,
    ApprovalRequested,
    Cancelled,
    ContextAdded,
    Event,
    InputGiven,
    InputRequested,
    Paused,
    QuestionAnswered,
    QuestionAsked,
    Resumed,
    TimerSet,
    ToolFinished,
    ToolStarted,
)
from supervisor.core.persona import ApprovalRule, Persona
from supervisor.core.reducer import fold
from supervisor.core.rules.patterns import exactly
from supervisor.core.text.masking import MASK, Masker
from supervisor.session_log.verify import verify
from tests.core.build import ALICE, AT, BOB, LATER, SID, awaiting, by, launched, responded, tool_call
from tests.session_log.written import KEY, written

CONFIGURED = 'pass"word\\with ünusual\ncharacters'
# In the arguments of a call, which run, anything could be within these; they are masked everywhere else.
NOT_IN_CALLS = (
    "xoxb-1234567890-abcdefghij",
    "sk-" + "aB3" * 10,
    "ghp_0123456789abcdefghijABCDEFGHIJ0123",
    "AKIAIOSFODNN7EXAMPLE",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA\n-----END RSA PRIVATE KEY-----",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
)


def session(secret: str, *, in_calls: bool = True) -> tuple[Persona, list[Event]]:
    """The secret in every text that there is."""
    given = secret if in_calls else "nothing"
    arguments = {"command": f"login {given}", given: [given, {"deep": given}]}
    call = tool_call(arguments=arguments, tool="shell")
    asking = tool_call("1.2", tool="ask_human", arguments={"question": given}, mode="allow", control=True)
    refused = tool_call("1.3", tool=f"tool {secret}", arguments=f"raw {given}", mode="refuse", reason=secret)
    persona = Persona(
        name="helper",
        description=f"Knows {secret}"[:200],
        instructions=f"Use {secret} wherever you are asked.",
        approvals=(ApprovalRule(tool="shell", mode="ask", when={"command": secret}, reason=secret),),
    )
    who = Actor(id="slack:U2", name=f"Bob {secret}"[:80])
    native = json.dumps([{"parts": [{"content": secret}]}])
    digest = call_digest("shell", arguments)
    events: list[Event] = [
        launched(task=f"task {secret}", origin={"slack": {"channel": "C1"}, "note": secret}),
        ContextAdded(**by(who), text=f"note {secret}"),
        responded(call, asking, refused, text=f"I use {secret}", native=native, model=f"test:{secret}"[:90]),
        ApprovalRequested(**by(), request_id="r2", call_ids=("1.1",)),
        QuestionAsked(**by(), call_id="1.2", question=secret, options=(secret, "no")),
        QuestionAnswered(**by(who), call_id="1.2", answer=f"answer {secret}"),
        ApprovalDecided(**by(who), call_id="1.1", digest=digest, verdict="approve", reason=secret),
        ToolStarted(**by(), call_id="1.1", attempt=1, idempotency_key="k", digest=digest),
        InputRequested(
            **by(), call_id="1.1", attempt=1, requests=(_wanting(secret),), state=f"state {secret}"
        ),
        InputGiven(
            **by(who), call_id="1.1", key="k", action="accept", content={"name": secret}, answer=secret
        ),
        ToolStarted(**by(), call_id="1.1", attempt=2, idempotency_key="k", digest=digest),
        ToolFinished(
            **by(), call_id="1.1", attempt=2, ok=True, content=f"got {secret}", artifacts=(f"{secret}.md",)
        ),
        TimerSet(**by(who), timer_id="t1", due=AT, text=secret),
        Paused(**by(who), reason="manual", detail=secret),
        Resumed(**by(BOB), context=secret, data={secret: [secret]}),
        Cancelled(**by(ALICE), reason=secret),
    ]
    return persona, events


def _wanting(secret: str) -> InputRequest:
    rule = {"type": "string", "title": secret, "enum": [secret, "no"]}
    schema = {"type": "object", "properties": {"name": rule}}
    return InputRequest(key="k", server="host", message=f"Which {secret}?", schema_=schema)


def forms(secret: str) -> set[str]:
    """As it may stand in Markdown, in JSON, and in JSON within JSON."""
    once = json.dumps(secret, ensure_ascii=False)[1:-1]
    return {
        secret,
        once,
        json.dumps(once, ensure_ascii=False)[1:-1],
        json.dumps(secret)[1:-1],
        *secret.split("\n"),
    }


@pytest.mark.parametrize("secret", [CONFIGURED, *NOT_IN_CALLS])
def test_it_is_nowhere(secret: str) -> None:
    persona, events = session(secret, in_calls=secret == CONFIGURED)
    text = written(persona, events, mask=Masker([CONFIGURED]))
    found = [form for form in forms(secret) if len(form) > 12 and form in text]
    assert found == []
    assert text.count(MASK) > 30
    assert verify(text.encode(), [KEY], hints_of).session.ending == MASK


def test_what_is_masked_stays_masked_and_words_out_of_a_list_stay_what_they_are() -> None:
    # A secret that happens to be a word of the log itself.
    persona, events = session("approval!")
    text = written(persona, events, mask=Masker(["approve!", "approval", "cancelled", "SessionLaunched"]))
    again = verify(text.encode(), [KEY], hints_of)
    assert again.session.lifecycle == "cancelled"
    assert written(persona, again.events, mask=Masker(["approval"])).count("approval_required") > 0


def test_two_names_that_look_the_same_once_masked_are_still_two() -> None:
    one, two = "xoxb-1234567890-aaaaaaaaaa", "xoxb-1234567890-bbbbbbbbbb"
    call = tool_call(arguments={one: 1, two: 2})
    text = written(session(one)[0], [launched(), responded(call)], mask=Masker([one, two]))
    arguments: Any = verify(text.encode(), [KEY], hints_of).session.call("1.1").call.arguments
    assert sorted(arguments.values()) == [1, 2]


@pytest.mark.parametrize("mask", [Masker(), Masker([CONFIGURED])])
def test_masking_twice_changes_nothing(mask: Callable[[str], str]) -> None:
    for secret in (CONFIGURED, *NOT_IN_CALLS):
        assert mask(mask(f"a {secret} b")) == mask(f"a {secret} b")


@pytest.mark.parametrize("secret", [CONFIGURED, "ghp_0123456789abcdefghijABCDEFGHIJ0123"])
def test_a_log_with_a_masked_grant_comes_back(secret: str) -> None:
    """The calls of a grant are not compared with patterns in which something is masked."""
    arguments = {"command": f"login {secret} now"}
    session = awaiting(arguments=arguments)
    terms = Terms(exactly(arguments), LATER)
    first = session.call("1.1")
    events: list[Event] = [
        *allow(session, "1.1", terms, BOB, AT, seen=Seen.of(first)),
        ToolStarted(**by(), call_id="1.1", attempt=1, idempotency_key="k", digest=first.call.digest),
        ToolFinished(**by(), call_id="1.1", attempt=1, ok=True, content="fine"),
        responded(tool_call("2.1", arguments=arguments)),
    ]
    after = fold(SID, events, session)
    granted = use(after, after.call("2.1"), after.grants[0], BOB, (), AT)
    assert granted
    begun: list[Event] = [
        launched(),
        responded(tool_call("1.1", arguments=arguments)),
        ApprovalRequested(**by(), request_id="r2", call_ids=("1.1",)),
    ]
    persona = Persona(name="helper", description="x", instructions="y")
    document = written(persona, [*begun, *events, granted], session_id=SID, mask=Masker([CONFIGURED]))
    assert verify(document.encode(), [KEY], hints_of).session.call("2.1").grant == "g1"
