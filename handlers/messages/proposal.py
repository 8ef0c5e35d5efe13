"""What a call proposes, as people read it: its arguments, or of a plan who does what after whom."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from handlers.blocks.rich_text import MOST_CHARACTERS, Piece, Runs, Series, blocks, short
from handlers.blocks.text import Block, argument_text, preformatted
from handlers.messages.message import Mask
from supervisor.core.delegation import PLAN, Plan, Subtask, plan_of
from supervisor.core.state import Call
from supervisor.core.text.visible import call_json, call_name, call_text, one_line

SHOWN_A_CALL, SHOWN_A_PLAN = 2400, 5000
ON_FAILURE = {
    "continue": "what does not need it goes on.",
    "fail_fast": "all the others stop.",
    "ask": "people decide: retry, go on without it, or stop the rest.",
}
_BOLD = frozenset({"bold"})


def full_text(call: Call) -> str:
    """Every character of what it proposes."""
    plan = _plan(call)
    if plan is None:
        return argument_text(call.call.arguments)
    # The indent keeps a task from looking like a further one.
    parts = [
        f"{number}. {_head(subtask)}\n{_indent(subtask.task)}"
        for number, subtask in enumerate(plan.subtasks, 1)
    ]
    return "\n\n".join([*parts, _policy(plan)])


def parts(call: Call) -> dict[str, str]:
    """The same piece by piece, by the name of the argument or of the subtask."""
    plan = _plan(call)
    arguments = call.call.arguments
    if plan is None:
        named = arguments if isinstance(arguments, dict) else {"": arguments}
        return {name: _part(name, value) for name, value in named.items()}
    tasks = {s.id: f"{_head(s)}:\n{_indent(s.task)}" for s in plan.subtasks}
    return {**tasks, " on_failure": _policy(plan)}


def _part(name: str, value: Any) -> str:
    """A list an item a line, without the commas that would make a line of its neighbour's."""
    if not isinstance(value, list) or not value:
        return argument_text({name: value})
    items = "".join(f"\n    {call_json(item, indent=None)}" for item in value)
    return f"{call_name(name)}:\n    {items}"


def as_proposed(call: Call) -> Call:
    """The call as the agent proposed it, before any change by a person."""
    return call.model_copy(update={"call": call.proposed or call.call, "proposed": None})


def proposal(call: Call, mask: Mask) -> tuple[list[Block], int]:
    """As much as an approval message shows, and how many characters more there are."""
    plan = _plan(call)
    if plan is None:
        text = mask(argument_text(call.call.arguments))
        return [preformatted(text[:SHOWN_A_CALL])], max(len(text) - SHOWN_A_CALL, 0)
    pieces = [_item(number, subtask, mask) for number, subtask in enumerate(plan.subtasks, 1)]
    pieces.append(Piece("section", Runs([(f"\n{_policy(plan)}", frozenset())])))
    shown, left = short(pieces, SHOWN_A_PLAN)
    return blocks(shown, MOST_CHARACTERS, 0), left


def in_short(call: Call, mask: Mask) -> str:
    """For lists, of a call that launches sub-agents: who they are."""
    plan = _plan(call)
    names = ", ".join(subtask.id for subtask in plan.subtasks) if plan else ""
    return one_line(mask(names), 90)


def length(call: Call) -> int:
    """About how many characters `proposed` shows."""
    return min(len(full_text(call)), SHOWN_A_PLAN if _plan(call) else SHOWN_A_CALL)


def _plan(call: Call) -> Plan | None:
    """None for any other call, and for one with more in it than a plan."""
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


def _item(number: int, subtask: Subtask, mask: Mask) -> Piece:
    runs = Runs()
    runs.add(subtask.id, _BOLD)
    runs.add(mask(_head(subtask).removeprefix(subtask.id)))
    runs.add(f"\n{mask(call_text(subtask.task))}")
    return Piece("item", runs, series=Series(1, ordered=True, indent=0), number=number)
