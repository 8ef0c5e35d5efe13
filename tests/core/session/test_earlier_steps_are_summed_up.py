"""A summary takes the place of the steps it is about, for the model alone; what came after is there word for word."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supervisor.core.control import CallModel, Compact, Finish, Pause, compactable, next_action
from supervisor.core.errors import IllegalEvent
from supervisor.core.events import (
    ApprovalRequested,
    Compacted,
    ContextAdded,
    Event,
    Paused,
    Resumed,
    ToolFinished,
    ToolStarted,
)
from supervisor.core.messages import ModelTurn, ToolTurn, Turn, Usage
from supervisor.core.persona import Budgets
from supervisor.core.prompt import SUM_UP, conversation, to_sum_up
from supervisor.core.reducer import apply, fold
from supervisor.core.state import Session
from supervisor.runtime.prompt_cache import PromptCache
from tests.core.build import AT, BOB, SID, by, grown, launched, one_of_each, responded, step_events, tool_call

CENT = Decimal("0.01")
FULL = Usage(input_tokens=900, output_tokens=100)
SMALL = Budgets(max_context_tokens=1000)
BY_ITSELF = Budgets(max_context_tokens=1000, when_full="compact")


def compacted(through: int, summary: str = "All was well", **fields: Any) -> Compacted:
    return Compacted(**by(), through_step=through, summary=summary, **fields)


def words(turns: tuple[Turn, ...]) -> list[str]:
    return [t.content if isinstance(t, ToolTurn) else t.text for t in turns]


def summary_of(through: int, text: str) -> str:
    return f"Your summary of the steps up to {through}:\n{text}"


# What the model reads


def test_the_summary_stands_in_place_of_its_steps_and_of_them_alone() -> None:
    session = apply(SID, grown(4), compacted(2))
    assert words(conversation(session, 0)) == [
        "Tidy up", summary_of(2, "All was well"), "step 3", "result 3", "step 4", "result 4"
    ]  # fmt: skip
    assert len(session.steps) == 4, "the log keeps them all"


def test_what_people_said_after_it_is_there() -> None:
    session = grown(1)
    session = fold(SID, step_events(2, context_seen=0), session)
    # Said before step 2 was asked for, shown before step 3: not in what was summed up.
    session = fold(SID, step_events(3, context_seen=1), session)
    session = fold(SID, [compacted(2), ContextAdded(**by(BOB), text="And now?")], session)
    assert words(conversation(session, 1)) == [
        "Tidy up", summary_of(2, "All was well"), "Bob: Mind the gap", "step 3", "result 3", "Bob: And now?"
    ]  # fmt: skip


def test_what_people_said_before_it_is_in_what_is_summed_up() -> None:
    session = grown(3)
    assert words(to_sum_up(session, 2)) == [
        "Tidy up", "step 1", "result 1", "Bob: Mind the gap", "step 2", "result 2", SUM_UP
    ]  # fmt: skip
    assert "Bob: Mind the gap" not in words(conversation(apply(SID, session, compacted(2)), 0))


def test_decisions_that_the_agent_noted_are_told_word_for_word_after_every_summary() -> None:
    noted = tool_call(
        mode="allow", tool="note_decision", arguments={"decision": "Use JWT", "why": "No session store"}
    )
    start = ToolStarted(**by(), call_id="1.1", attempt=1, idempotency_key="k", digest=noted.digest)
    end = ToolFinished(**by(), call_id="1.1", attempt=1, ok=True, content="Noted.")
    events = [launched(), responded(noted), start, end, *step_events(2), *step_events(3)]
    told = "Decisions that you noted in these steps, word for word:\n- Use JWT – No session store"
    for through in (1, 2):
        session = fold(SID, [*events, compacted(through, "First")])
        assert words(conversation(session, 0))[:3] == ["Tidy up", summary_of(through, "First"), told]
        assert told in words(to_sum_up(session, through + 1))
    assert told not in words(conversation(fold(SID, events), 0))


def test_a_second_summary_is_made_of_the_first_and_what_came_since() -> None:
    session = fold(SID, [compacted(2, "First"), *step_events(5)], grown(4))
    assert words(to_sum_up(session, 4)) == [
        "Tidy up", summary_of(2, "First"), "step 3", "result 3", "step 4", "result 4", SUM_UP
    ]  # fmt: skip
    session = apply(SID, session, compacted(4, "Second"))
    assert words(conversation(session, 0)) == ["Tidy up", summary_of(4, "Second"), "step 5", "result 5"]


def test_everything_may_be_summed_up() -> None:
    session = fold(SID, [compacted(1), ContextAdded(**by(BOB), text="Go on")], grown(1))
    assert words(conversation(session, 1)) == ["Tidy up", summary_of(1, "All was well"), "Bob: Mind the gap"]


@settings(max_examples=100, deadline=None, database=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.booleans(), st.integers(0, 3)), min_size=1, max_size=12))
def test_nothing_is_lost_and_nothing_is_told_twice(story: list[tuple[int, bool, int]]) -> None:
    """Steps, words said before and after the model looked, and summaries of as much as can be."""
    session, questions = fold(SID, [launched()]), PromptCache()
    told: list[tuple[int, str]] = []  # each with the step that it belongs to
    heard: list[str] = []
    for notes, sums_up, keeps in story:
        number = len(session.steps) + 1
        for _ in range(notes):
            heard.append(f"Bob: note {len(heard)}")
            session = apply(SID, session, ContextAdded(**by(BOB), text=heard[-1].removeprefix("Bob: ")))
        seen = max(len(session.inbox) - keeps, 0)
        told += [(number, f"Bob: {note.text}") for note in session.inbox[:seen]]
        told += [(number, f"step {number}"), (number, f"result {number}")]
        session = fold(SID, step_events(number, context_seen=seen), session)
        through = compactable(session)
        if sums_up and through:
            session = apply(SID, session, compacted(through, f"Up to {through}"))
        done = session.compactions[-1].through_step if session.compactions else 0
        expected = [summary_of(done, f"Up to {done}")] if done else []
        expected += [text for step, text in told if step > done]
        inbox = [f"Bob: {note.text}" for note in session.inbox]
        asked = conversation(session, len(inbox))
        assert words(asked) == ["Tidy up", *expected, *inbox]
        assert questions.conversation(session, len(inbox)) == asked, "written step by step it is the same"
        assert_answered(asked)
    assert Session.model_validate_json(session.model_dump_json()) == session


def assert_answered(turns: tuple[Turn, ...]) -> None:
    """Every call has its result, and no result is without its call."""
    due: list[str] = []
    for turn in turns:
        if isinstance(turn, ModelTurn):
            assert not due
            due = [c.call_id for c in turn.calls]
        elif isinstance(turn, ToolTurn):
            assert due.pop(0) == turn.call_id
    assert not due


# When it is done


def test_a_full_context_is_summed_up_by_itself_where_the_budget_says_so() -> None:
    session = grown(3, budgets=BY_ITSELF, usage=FULL)
    assert next_action(session, AT) == Compact(2)
    after = apply(SID, session, compacted(2))
    assert isinstance(next_action(after, AT), CallModel)


def test_otherwise_a_person_is_asked() -> None:
    session = grown(3, budgets=SMALL, usage=FULL)
    assert next_action(session, AT) == Pause(
        "context_budget_exceeded", "1,000 of 1,000 tokens of context are used."
    )


def test_compact_and_continue() -> None:
    paused = apply(SID, grown(3, budgets=SMALL, usage=FULL), Paused(**by(), reason="context_budget_exceeded"))
    resumed = apply(SID, paused, Resumed(**by(BOB), compact=True))
    assert next_action(resumed, AT) == Compact(2)
    after = apply(SID, resumed, compacted(2))
    assert isinstance(next_action(after, AT), CallModel)
    assert not after.compact_next
    # It is full again only by what the next answer says.
    small = fold(SID, step_events(4, usage=Usage(input_tokens=300)), after)
    assert isinstance(next_action(small, AT), CallModel)
    full = fold(SID, step_events(4, usage=FULL), after)
    assert isinstance(next_action(full, AT), Pause)


def test_a_wish_to_sum_up_outlives_another_pause() -> None:
    events: list[Event] = [
        Paused(**by(), reason="manual"),
        Resumed(**by(BOB), compact=True),
        Paused(**by(BOB), reason="manual"),
        Resumed(**by(BOB)),
    ]
    assert next_action(fold(SID, events, grown(2)), AT) == Compact(1)


def test_twice_in_a_row() -> None:
    session = grown(3, budgets=BY_ITSELF, usage=FULL)
    through: list[int] = []
    for number in (4, 5, 6):
        action = next_action(session, AT)
        assert isinstance(action, Compact)
        through.append(action.through_step)
        session = apply(SID, session, compacted(action.through_step))
        assert isinstance(next_action(session, AT), CallModel), "not twice without an answer between"
        session = fold(SID, step_events(number, usage=FULL), session)
    assert through == [2, 3, 4]


def test_where_there_is_nothing_to_sum_up_a_person_is_asked() -> None:
    fresh = fold(SID, [launched(budgets=BY_ITSELF)])
    assert compactable(fresh) == 0
    assert isinstance(next_action(fresh, AT), CallModel)
    one = grown(1, budgets=BY_ITSELF, usage=FULL)
    assert next_action(one, AT) == Compact(1)
    none = apply(SID, one, compacted(1))
    assert compactable(none) == 0
    wished = fold(SID, [Paused(**by(), reason="manual"), Resumed(**by(BOB), compact=True)], none)
    assert isinstance(next_action(wished, AT), CallModel)


def test_a_summary_is_not_made_while_a_call_is_open() -> None:
    asked = ApprovalRequested(**by(), request_id="r", call_ids=("3.1",))
    waiting = fold(SID, [responded(tool_call("3.1"), usage=FULL), asked], grown(2, budgets=BY_ITSELF))
    assert not isinstance(next_action(waiting, AT), Compact)
    with pytest.raises(IllegalEvent, match="Only steps that are over"):
        apply(SID, waiting, compacted(2))


def test_a_last_word_is_not_summed_up_but_said() -> None:
    session = fold(SID, [responded(text="Done", usage=FULL, context_seen=1)], grown(1, budgets=BY_ITSELF))
    assert next_action(session, AT) == Finish("Done")


@pytest.mark.parametrize(
    ("budgets", "reason"),
    [
        ({"max_cost_usd": Decimal("0.02")}, "$0.02 of $0.02"),
        ({"max_tokens": 2000}, "2,000 of 2,000 tokens"),
        ({"max_steps": 2}, "2 of 2 steps"),
        ({"max_minutes": 1}, "The 1 minute is used up"),
    ],
)
def test_a_summary_is_not_paid_for_from_a_budget_that_is_used_up(budgets: Any, reason: str) -> None:
    limits = BY_ITSELF.model_copy(update=budgets)
    session = grown(2, budgets=limits, usage=FULL, cost_usd=CENT)
    later = AT + timedelta(minutes=2)
    assert isinstance(next_action(session, later), Pause)
    wished = fold(SID, [Paused(**by(), reason="manual"), Resumed(**by(BOB), compact=True)], session)
    action = next_action(wished, later)
    assert isinstance(action, Pause)
    wide = wished.model_copy(update={"budgets": limits.model_copy(update={"max_context_tokens": None})})
    action = next_action(wide, later)
    assert isinstance(action, Pause)
    assert action.detail.startswith(reason)


def test_after_too_many_errors_nothing_is_summed_up() -> None:
    session = grown(3, budgets=BY_ITSELF, usage=FULL).model_copy(update={"errors_in_a_row": 3})
    assert next_action(session, AT) == Pause("error_threshold_exceeded", "3 consecutive errors.")


# What the log takes


@pytest.mark.parametrize("through", [0, 1, 4, 99])
def test_only_steps_that_are_over_and_new_are_summed_up(through: int) -> None:
    session = apply(SID, grown(3), compacted(1))
    with pytest.raises(IllegalEvent, match="Only steps that are over, and not summed up yet"):
        apply(SID, session, compacted(through))


def test_what_a_summary_costs_is_paid() -> None:
    session = grown(2, cost_usd=CENT, usage=Usage(input_tokens=10))
    paid = apply(SID, session, compacted(1, usage=Usage(input_tokens=5, output_tokens=2), cost_usd=CENT))
    assert (paid.cost_usd, paid.usage, paid.unpriced) == (
        3 * CENT,
        Usage(input_tokens=25, output_tokens=2),
        False,
    )
    assert apply(SID, session, compacted(1, cost_usd=None)).unpriced


def test_a_summary_that_comes_within_a_pause_counts_and_after_the_end_it_does_not() -> None:
    session = grown(2)
    events = one_of_each()
    assert apply(SID, apply(SID, session, events["Paused"]), compacted(1)).compactions
    for end in ("Completed", "Failed", "Cancelled"):
        with pytest.raises(IllegalEvent):
            apply(SID, apply(SID, session, events[end]), compacted(1))
