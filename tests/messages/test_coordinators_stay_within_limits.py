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
from handlers.messages.approval import policy, request
from handlers.messages.headline import failures
from handlers.messages.message import Message
from handlers.messages.pending import STOPPED, pending_items
from handlers.messages.progress import delegations
from handlers.messages.proposal import SHOWN_A_PLAN, full_text
from handlers.messages.subagents import Subagents
from handlers.messages.thread import thread
from handlers.modals.deny import deny_modal
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
CHILD = {Action.CHILD_RETRY, Action.CHILD_SKIP, Action.CHILD_STOP}
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
        near = {c.id: subagents.below[c.id] for c in session.children if c.id in subagents.below}
        yield from thread(session, MASK, Subagents(near, subagents.cards))


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
    a_row_of_the_board_shows_what_the_approval_itself_shows(known)
    all_that_waits_is_on_the_board_or_counted_and_nothing_else_has_a_button(known)
    every_subtask_is_on_the_card_or_counted(known)


def slack_takes_every_message_and_only_our_own_links_are_alive(known: Known) -> None:
    for message in messages(known):
        check_message_blocks(list(message.blocks))
        assert 0 < len(message.text) <= UPDATE_CHARACTERS
        live = live_markup({"text": message.text, "blocks": list(message.blocks)}) - {"link"} - PEOPLE
        assert all(re.fullmatch(rf"<{ADDRESS}\d+\|[^<>\n]*>", markup) for markup in live)
        assert all(url.startswith(ADDRESS) for url in links(message.blocks))


def a_row_of_the_board_shows_what_the_approval_itself_shows(known: Known) -> None:
    _, subagents = known
    shown = board_of(known)
    rows = rows_by_session(shown) if shown else {}
    for (session_id, call_id), blocks in rows.items():
        session = subagents.below[session_id]
        asked = [m for m in thread(session, MASK, subagents) if m.key.startswith("ask:")]
        (own,) = [row for m in asked for name, row in rows_of(m).items() if name == call_id]
        once = [*policy(session.call(call_id)), {"type": "divider"}]
        assert [b for b in blocks[1:] if b not in once] == [b for b in own[1:] if b not in once]


def rows_by_session(shown: Message) -> dict[tuple[str, str], list[Any]]:
    rows: dict[tuple[str, str], list[Any]] = {}
    current: tuple[str, str] | None = None
    for block in shown.blocks:
        kind, _, rest = str(block.get("block_id", "")).partition(":")
        if kind == "row":
            session_id, _, call_id = rest.rpartition(":")
            current = (session_id, call_id)
        elif block["type"] == "divider":
            current = None
        if current:
            rows.setdefault(current, []).append(block)
        if kind == "act":
            current = None
    return rows


def all_that_waits_is_on_the_board_or_counted_and_nothing_else_has_a_button(known: Known) -> None:
    root, subagents = known
    everybody = {root.id: root, **subagents.below}
    waiting = pending_items(root, MASK, subagents)
    shown = board_of(known)
    pressed = buttons(list(shown.blocks)) if shown else []
    undecided = {(s.id, child.id) for s in everybody.values() for child in failures(s)}
    for button in pressed:
        target = Target.decode(button["value"])
        session = everybody[target.session_id]
        assert not session.ended
        if button["action_id"] in CHILD:
            assert (session.id, target.extra) in undecided
        elif button["action_id"] in (Action.APPROVE, Action.DENY):
            assert session.call(target.call_ids[0]).phase == "awaiting"
            assert session.id != root.id
    below = [s for s in subagents.below.values() if not s.ended]
    calls = [call for s in below for call in s.calls_in("awaiting", "asking")]
    stopped = [s for s in below if s.pause and s.pause.reason in STOPPED]
    assert len(waiting) == len(calls) + len(stopped) + len(undecided)
    if not shown:
        assert not waiting
        return
    text = json.dumps(shown.blocks, ensure_ascii=False)
    rows = sum(block["type"] == "actions" for block in shown.blocks)
    assert rows <= 7
    assert rows or not waiting
    assert ("Nothing waits for a decision." in text) == (not waiting)
    if len(waiting) > rows:
        assert f"{len(waiting) - rows} more, from" in text
    assert not any(s.lineage and m.key == "board" for s in below[:4] for m in thread(s, MASK))


def every_subtask_is_on_the_card_or_counted(known: Known) -> None:
    root, subagents = known
    card = thread(root, MASK, subagents)[0]
    stands = [standing for call in delegations(root) for standing in subtask_statuses(root, call)]
    asked = [block for call in root.calls_in("awaiting") for block in request(call, MASK)]
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
