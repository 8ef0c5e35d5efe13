"""The content of a proposed call for people: its arguments, or the subtasks of a plan with their dependencies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import ValidationError

from handlers.blocks.rich_text import MOST_CHARACTERS, Piece, Runs, Series, blocks, short
from handlers.blocks.text import Block, argument_text, preformatted
from supervisor.core.delegation import PLAN, Plan, Subtask, plan_of
from supervisor.core.state import Call
from supervisor.core.text.masking import Masker
from supervisor.core.text.visible import call_json, call_name, call_text, one_line

SHOWN_A_CALL, SHOWN_A_PLAN = 2400, 5000
ON_FAILURE = {
    "continue": "what does not need it continues.",
    "fail_fast": "all the others stop.",
    "ask": "people decide: retry, continue without it, or stop the rest.",
}
_BOLD = frozenset({"bold"})


def full_text(call: Call, mask: Masker) -> str:
    """Return the full text of a proposed call, with known secrets masked."""
    return _full_text(masked(call, mask))


def masked(call: Call, mask: Masker) -> Call:
    """Return the call with its arguments, proposed and as they are now, as people may see them."""
    hidden = {
        name: one.model_copy(update={"arguments": mask.arguments(one.arguments)})
        for name, one in (("call", call.call), ("proposed", call.proposed))
        if one is not None
    }
    return call.model_copy(update=hidden)


def _full_text(call: Call) -> str:
    plan = _plan(call)
    if plan is None:
        return argument_text(call.call.arguments)
    # The indent keeps a task from looking like another subtask.
    parts = [
        f"{number}. {_head(subtask)}\n{_indent(subtask.task)}"
        for number, subtask in enumerate(plan.subtasks, 1)
    ]
    return "\n\n".join([*parts, _policy(plan)])


def parts(call: Call, mask: Masker | None) -> dict[str, str]:
    """Return the full text in parts, by argument or subtask; `mask` is None for a comparison."""
    plan = _plan(call)
    arguments = call.call.arguments
    shown: Callable[[Any], Any] = mask.arguments if mask else lambda value: value
    if plan is None:
        named = arguments if isinstance(arguments, dict) else {"": arguments}
        return {name: _part(shown(name), shown(value)) for name, value in named.items()}
    tasks = {s.id: f"{shown(_head(s))}:\n{_indent(shown(s.task))}" for s in plan.subtasks}
    return {**tasks, " on_failure": _policy(plan)}


def _part(name: str, value: Any) -> str:
    """Return the text of an argument; a list has one item a line, so that adding an item changes one line."""
    if not isinstance(value, list) or not value:
        return argument_text({name: value})
    items = "".join(f"\n    {call_json(item, indent=None)}" for item in value)
    return f"{call_name(name)}:\n    {items}"


def as_proposed(call: Call) -> Call:
    """Return the call as the agent proposed it, before any change by a person."""
    return call.model_copy(update={"call": call.proposed or call.call, "proposed": None})


def proposal(call: Call, mask: Masker) -> tuple[list[Block], int]:
    """Return the blocks for an approval message, and the number of characters left out."""
    call = masked(call, mask)
    plan = _plan(call)
    if plan is None:
        text = argument_text(call.call.arguments)
        return [preformatted(text[:SHOWN_A_CALL])], max(len(text) - SHOWN_A_CALL, 0)
    pieces = [_item(number, subtask) for number, subtask in enumerate(plan.subtasks, 1)]
    pieces.append(Piece("section", Runs([(f"\n{_policy(plan)}", frozenset())])))
    shown, left = short(pieces, SHOWN_A_PLAN)
    return blocks(shown, MOST_CHARACTERS, 0), left


def in_short(call: Call, mask: Masker) -> str:
    """Return the names of the subtasks of a plan on one line, for lists; empty for other calls."""
    plan = _plan(masked(call, mask))
    names = ", ".join(subtask.id for subtask in plan.subtasks) if plan else ""
    return one_line(names, 90)


def length(call: Call) -> int:
    """Return the approximate number of characters that `proposal` shows."""
    return min(len(_full_text(call)), SHOWN_A_PLAN if _plan(call) else SHOWN_A_CALL)


def _plan(call: Call) -> Plan | None:
    """Return the plan that a call proposes; None for other calls, and where a name in it cannot be shown in full."""
    if call.call.tool != PLAN:
        return None
    try:
        plan = plan_of(call)
    except ValidationError:
        return None
    named = all(subtask.persona == one_line(subtask.persona, 40) for subtask in plan.subtasks)
    return plan if named else None


def _head(subtask: Subtask) -> str:
    after = f", after {', '.join(subtask.depends_on)}" if subtask.depends_on else ""
    return f"{subtask.id} ({subtask.persona}){after}"


def _indent(text: str) -> str:
    return "\n".join(f"    {line}" for line in call_text(text).split("\n"))


def _policy(plan: Plan) -> str:
    return f"If one fails, {ON_FAILURE[plan.on_failure]}"


def _item(number: int, subtask: Subtask) -> Piece:
    runs = Runs()
    runs.add(subtask.id, _BOLD)
    runs.add(_head(subtask).removeprefix(subtask.id))
    runs.add(f"\n{call_text(subtask.task)}")
    return Piece("item", runs, series=Series(1, ordered=True, indent=0), number=number)
