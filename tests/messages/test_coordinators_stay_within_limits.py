"""Whatever sub-agents are called, ask and answer: Slack takes all of it, nothing acts, and nothing is left out."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from hypothesis import HealthCheck, given, settings

from bot.playground.block_kit.blocks import check_message_blocks, check_view
from bot.playground.methods.chat import UPDATE_CHARACTERS
from handlers.action_ids import Action, Target
from handlers.messages.approval import request
from handlers.messages.board import ROWS_SHOWN
from handlers.messages.message import FAILURE, Message
from handlers.messages.pending import in_all, pending_items
from handlers.messages.progress import delegations
from handlers.messages.proposal import SHOWN_A_PLAN, full_text
from handlers.messages.subagents import Subagents
from handlers.messages.thread import thread
from handlers.modals.deny import deny_modal
from handlers.modals.subagent import subagent_modal
from supervisor.core.delegation import plan_of, subtask_statuses
from supervisor.core.reducer import fold
from supervisor.core.state import Session
from supervisor.core.text.masking import Masker
from tests.core.build import SID, launched, responded
from tests.examples import examples
from tests.messages.coordinators import ADDRESS, plan_calls, trees
from tests.messages.test_messages_stay_within_limits import PEOPLE, buttons, every_page, rows_of
from tests.support.scenario import live_markup

MASK = Masker()
Known = tuple[Session, Subagents]
DECISIONS = {Action.APPROVE, Action.DENY, Action.EDIT, Action.CHILD_RETRY, Action.ANSWER_FORM}
often = settings(
    max_examples=examples(8),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)


def messages(known: Known) -> Iterator[Message]:
    """Of everybody in a subagents, as each is shown: who was not launched by a person knows those next to it."""
    root, subagents = known
    yield from thread(root, MASK, subagents)
    for session in list(subagents.below.values())[:4]:
        yield from thread(session, MASK, Subagents(within=f"team › {session.id}"))


def board_of(known: Known) -> Message | None:
    root, subagents = known
    return next((m for m in thread(root, MASK, subagents) if m.key == "board"), None)


def links(shown: Any) -> Iterator[str]:
    if isinstance(shown, dict):
        if shown.get("type") == "link":
            yield shown["url"]
        shown = list(shown.values())
    if isinstance(shown, list | tuple):
        for part in shown:
            yield from links(part)


def words(blocks: Any) -> str:
    """All texts of rich text, one after another."""
    found = [
        part["text"] for block in blocks for part in block.get("elements", []) if part.get("type") == "text"
    ]
    inner = [words(block["elements"]) for block in blocks if isinstance(block.get("elements"), list)]
    return "".join([*found, *inner])


@often
@given(trees())
def test_whatever_a_coordinator_and_its_sub_agents_hold(known: Known) -> None:
    slack_takes_every_message_and_only_our_own_links_are_alive(known)
    windows_of_sub_agents_are_taken(known)
    each_sub_agent_is_on_the_board_or_counted_and_what_it_asks_has_one_message(known)
    every_subtask_is_on_the_card_or_counted(known)


def slack_takes_every_message_and_only_our_own_links_are_alive(known: Known) -> None:
    for message in messages(known):
        check_message_blocks(list(message.blocks))
        assert 0 < len(message.text) <= UPDATE_CHARACTERS
        live = live_markup({"text": message.text, "blocks": list(message.blocks)}) - {"link"} - PEOPLE
        assert all(re.fullmatch(rf"<{ADDRESS}\d+\|[^<>\n]*>", markup) for markup in live)
        assert all(url.startswith(ADDRESS) for url in links(message.blocks))


def windows_of_sub_agents_are_taken(known: Known) -> None:
    _, subagents = known
    for session in list(subagents.below.values())[:4]:
        view = subagent_modal(session, subagents, MASK)
        check_view(view, "modal")
        assert {button["action_id"] for button in buttons(view["blocks"])}.isdisjoint(DECISIONS)


def each_sub_agent_is_on_the_board_or_counted_and_what_it_asks_has_one_message(known: Known) -> None:
    root, subagents = known
    waiting = pending_items(root, MASK, subagents)
    everybody = {root.id: root, **subagents.below}
    asked = [
        request
        for session in everybody.values()
        for message in thread(session, MASK, Subagents(within="a name" if session.lineage else ""))
        for request in message.decides
        if message.key != "card"
    ]
    of_children = [
        request for request in asked if request.session.id != root.id or request.buttons == FAILURE
    ]
    assert len(waiting) == len([r for r in of_children if not r.session.ended or r.buttons == FAILURE])
    shown = board_of(known)
    if not shown:
        assert not [child for child in root.children if child.id in subagents.below]
        return
    pressed = [block["accessory"] for block in shown.blocks if "accessory" in block]
    looks = [Target.decode(button["value"]).session_id for button in pressed]
    assert {button["action_id"] for button in pressed} <= {Action.CHILD_LOOK}
    assert not buttons(list(shown.blocks))
    rows = [block for block in shown.blocks if block["type"] == "section"][1:]
    assert len(rows) <= ROWS_SHOWN
    assert len(looks) == len(set(looks))
    text = json.dumps(shown.blocks, ensure_ascii=False)
    begun = {child.id for child in root.children}
    assert begun & set(looks) == begun or " more" in text or len(begun) > len(looks)
    if waiting:
        assert in_all(waiting) in text


def every_subtask_is_on_the_card_or_counted(known: Known) -> None:
    root, subagents = known
    card = thread(root, MASK, subagents)[0]
    stands = [standing for call in delegations(root) for standing in subtask_statuses(root, call)]
    asked = [block for call in root.calls_in("awaiting") for block in request(root, call, MASK)]
    rich = [b for b in card.blocks if b["type"] == "rich_text" and b not in asked]
    lists = [e for b in rich for e in b["elements"] if e.get("indent") == 0]
    lines = sum(len(part["elements"]) for part in lists)
    assert lines <= len(stands)
    if stands:
        done = sum(standing.state == "completed" for standing in stands)
        text = json.dumps(card.blocks, ensure_ascii=False)
        assert f"{done}/{len(stands)} done" in text
        assert lines == len(stands) or " more" in text


@often
@given(plan_calls())
def test_every_character_of_a_plan_is_shown_or_one_click_away(call: Any) -> None:
    session = fold(SID, [launched(), responded(call.model_copy(update={"mode": "allow"}))])
    asked = session.call("1.1").model_copy(update={"phase": "awaiting", "request_id": "r2"})
    step = session.steps[0].model_copy(update={"calls": (asked,)})
    session = session.model_copy(update={"steps": (step,)})
    (ask,) = [m for m in thread(session, MASK) if m.key.startswith("ask:")]
    check_message_blocks(list(ask.blocks))
    assert live_markup(list(ask.blocks)) <= PEOPLE
    row = rows_of(ask)["1.1"]
    text, full = words(row), full_text(asked, MASK)
    assert every_page(session, asked) == full
    check_view(deny_modal(session, asked, MASK), "modal")
    left = re.search(r"([\d,]+) more characters?", json.dumps(row))
    for subtask in plan_of(asked).subtasks:
        assert f"{subtask.id} ({subtask.persona})" in full
        if not left:
            assert f"{subtask.id} ({subtask.persona})" in text
    assert "If one fails, " in full
    assert left or "If one fails, " in text
    assert len(text) <= SHOWN_A_PLAN + 200
