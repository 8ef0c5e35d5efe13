"""Whatever a session holds: Slack takes all that is shown of it, and no character of a call is out of reach."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.playground.block_kit.blocks import check_message_blocks, check_view
from bot.playground.methods.chat import UPDATE_CHARACTERS
from handlers.action_ids import Action, Target
from handlers.blocks.text import argument_text
from handlers.listeners.commands import replies as answers
from handlers.messages.card import MARK
from handlers.messages.message import Message
from handlers.messages.proposal import as_proposed, full_text
from handlers.messages.thread import thread
from handlers.modals.answer import answer_modal
from handlers.modals.cancel import cancel_modal
from handlers.modals.deny import deny_all_modal, deny_modal
from handlers.modals.full_call import full_call_modal
from handlers.modals.outcome import outcome_modal
from handlers.modals.resume import resume_modal
from supervisor.contract.models import PersonaView
from supervisor.core.events import ApprovalDecided, ApprovalRequested, Cancelled, ContextAdded, Event, Paused
from supervisor.core.reducer import fold
from supervisor.core.state import Call, CallPhase, Session
from supervisor.core.text.masking import Masker
from tests.core.build import BOB, SID, by, launched, responded, tool_call
from tests.examples import examples
from tests.messages.homes import home_of
from tests.messages.sessions import sessions, texts
from tests.support.scenario import live_markup

KNOWN = "known-0123-abcdefghij"
MASK = Masker([KNOWN])
PEOPLE = {f"<@U{n}>" for n in range(50)} | {"<#C0OPS0001>"}
DECIDING = {Action.APPROVE, Action.APPROVE_ALL, Action.DENY, Action.DENY_ALL, Action.EDIT}
often = settings(
    max_examples=examples(15),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)


def buttons(blocks: list[Any]) -> list[dict[str, Any]]:
    return [e for b in blocks for e in b.get("elements", []) if e.get("type") == "button"]


def preformatted(blocks: list[Any]) -> str:
    rows = [e for b in blocks if b["type"] == "rich_text" for e in b["elements"]]
    return "".join(
        part["text"] for e in rows if e["type"] == "rich_text_preformatted" for part in e["elements"]
    )


def every_page(session: Session, call: Call) -> str:
    text, page = "", 0
    while True:
        view = check_view(full_call_modal(session, call, page, MASK), "modal")
        text += preformatted(view["blocks"])
        following = [b for b in buttons(view["blocks"]) if b["text"]["text"] == "Next"]
        if not following:
            return text
        page += 1


def rows_of(message: Message) -> dict[str, list[Any]]:
    """The blocks of an approval message by call."""
    rows: dict[str, list[Any]] = {}
    current = ""
    for block in message.blocks:
        name = str(block.get("block_id", ""))
        if name.startswith(("row:", "all:")):
            current = name.rpartition(":")[2] if name.startswith("row:") else ""
        if current:
            rows.setdefault(current, []).append(block)
    return rows


@often
@given(sessions(), st.sampled_from(("done", "failed")), texts(5_000))
def test_whatever_a_session_holds(session: Session, verdict: str, words: str) -> None:
    slack_takes_every_message_and_nothing_in_it_is_alive(session)
    buttons_that_decide_stand_on_what_is_undecided_only(session)
    every_character_of_a_call_is_shown_or_one_click_away(session)
    slack_takes_every_window(session, verdict)
    slack_takes_home_and_every_answer(session, words)


def slack_takes_every_message_and_nothing_in_it_is_alive(session: Session) -> None:
    for message in thread(session, MASK):
        check_message_blocks(list(message.blocks))
        assert 0 < len(message.text) <= UPDATE_CHARACTERS
        assert live_markup({"text": message.text, "blocks": list(message.blocks)}) - {"link"} <= PEOPLE
        hint = {"type": "context", "elements": [{"type": "mrkdwn", "text": "I cannot write there."}]}
        check_message_blocks([*message.blocks, hint])


def buttons_that_decide_stand_on_what_is_undecided_only(session: Session) -> None:
    open_ = set() if session.ended else {c.call_id for c in session.calls_in("awaiting")}
    live: set[str] = set()
    for message in thread(session, MASK):
        for pressed in buttons(list(message.blocks)):
            if pressed["action_id"] in DECIDING:
                named = set(pressed["value"].split("|")[1].split(","))
                assert named <= open_
                live |= named
    assert live == open_


def every_character_of_a_call_is_shown_or_one_click_away(session: Session) -> None:
    messages = [m for m in thread(session, MASK) if m.key.startswith("ask:")]
    shown = {call_id: blocks for m in messages for call_id, blocks in rows_of(m).items()}
    asked = [c for step in session.steps for c in step.calls if c.request_id]
    assert set(shown) == {c.call_id for c in asked}
    for call in asked:
        full, row = argument_text(MASK.arguments(call.call.arguments)), shown[call.call_id]
        head = preformatted(row[:2])
        assert full.startswith(head) or not full.strip()
        left = len(full) - len(head)
        if left > 0:
            assert f"{left:,} more characters" in str(row)
            assert Action.VIEW in {b["action_id"] for b in buttons(row)}
        if len(full) > 2_000 or call.proposed:
            before = full_text(as_proposed(call), MASK) if call.proposed else ""
            assert every_page(session, call) == (full or " ") + (before or (" " if call.proposed else ""))
            assert f"Changed by <@{BOB.id.removeprefix('slack:')}>" in str(row) or not call.proposed


def slack_takes_every_window(session: Session, verdict: str) -> None:
    check_view(resume_modal(session), "modal")
    check_view(cancel_modal(session), "modal")
    several = [call for step in session.steps for call in step.calls][:7]
    all_of_them = deny_all_modal(Target.of(session, *several), several, MASK)
    check_view(all_of_them, "modal")
    assert live_markup(all_of_them) <= PEOPLE
    for step in session.steps:
        for call in step.calls[:5]:
            windows = [
                deny_modal(session, call, MASK),
                outcome_modal(session, call, verdict),
                answer_modal(session, call, MASK),
                full_call_modal(session, call, 10**6, MASK),
            ]
            for window in windows:
                check_view(window, "modal")
                assert live_markup(window) <= PEOPLE


def slack_takes_home_and_every_answer(session: Session, words: str) -> None:
    many = [session] * 20
    view = home_of(session, MASK)
    check_view(view, "home")
    persona = PersonaView(name="ops", description=words[:200], model=None, tools=["*"] * 40, notes=[words])
    said = [ContextAdded(**by(BOB), text=words or "x", kind="reply")] * 200
    shown = [
        answers.session_list(many, "all", MASK, "/agent"),
        answers.session_list([], "paused", MASK, "/agent"),
        answers.personas([persona] * 40),
        answers.log(session, said, MASK, "in <#C0OPS0001>"),
        answers.status(session, MASK, ""),
    ]
    for blocks in shown:
        check_message_blocks(blocks)
        assert live_markup(blocks) <= PEOPLE
    assert live_markup(view) <= PEOPLE


@pytest.mark.parametrize("character", ["&", "<", "* ", "\x00", "\U000e0001", "🙂"])
def test_nothing_but_the_longest_escapes(character: str) -> None:
    words = character * 20_000
    begun = launched(task=words, persona="a" * 40, origin={"slack": {"channel": "C0OPS0001"}})
    session = fold(SID, [begun, Paused(**by(BOB), reason="manual", detail=words)])
    said = [ContextAdded(**by(BOB), text=words or "x", kind="reply")] * 200
    check_message_blocks(answers.session_list([session] * 20, "all", MASK, "/agent"))
    check_message_blocks(answers.log(session, said, MASK, "in <#C0OPS0001>"))
    check_message_blocks(answers.status(session, MASK, ""))
    check_view(home_of(session, MASK), "home")
    for message in thread(session, MASK):
        check_message_blocks(list(message.blocks))


def test_a_secret_is_masked_wherever_it_stands() -> None:
    secret = KNOWN
    begun = launched(task=f"use {secret}")
    call = tool_call(arguments={"token": secret, "list": [secret]})
    asked = ApprovalRequested(**by(), request_id="r2", call_ids=("1.1",))
    denied = ApprovalDecided(
        **by(BOB), call_id="1.1", digest=call.digest, verdict="deny", reason=f"not with {secret}"
    )
    paused = Paused(**by(BOB), reason="manual", detail=f"because of {secret}")
    events: list[Event] = [begun, responded(call, text=secret), asked]
    endings: list[list[Event]] = [[], [denied], [denied, paused], [Cancelled(**by(BOB), reason=secret)]]
    for more in endings:
        session = fold(SID, [*events, *more])
        shown = [
            *((m.text, m.blocks) for m in thread(session, MASK)),
            answers.session_list([session], "all", MASK, "/agent"),
            answers.status(session, MASK, ""),
            home_of(session, MASK),
            full_call_modal(session, session.call("1.1"), 0, MASK),
            deny_modal(session, session.call("1.1"), MASK),
        ]
        assert secret not in str(shown)
        assert "[masked]" in str(shown)


def test_a_call_has_its_mark_on_the_card_in_every_phase() -> None:
    assert {*MARK, "finished"} == set(get_args(CallPhase))
