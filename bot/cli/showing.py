"""A session, a proposed call and the log, as lines on a terminal."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from bot.cli.terminal import BOLD, DIM, STATUS_STYLES, ago, chopped, clock, hanging, money, show, text
from handlers.presenters.text import one_line, visible
from supervisor.states import ProposedCall, SessionEvent, SessionState
from supervisor.transcript import lines

WAITING = {
    "human_approval_required": "waits for an approval",
    "human_input_required": "waits for an answer",
    "external_dependency": "waits for something outside",
    "scheduled": "waits for its time",
    "children_running": "waits for its sub-agents",
    "error_threshold_exceeded": "stopped after errors",
    "context_budget_exceeded": "stopped: the context is full",
    "budget_exceeded": "stopped: the budget is used up",
    "outcome_unknown": "waits for a decision on a call that was cut off",
    "manual": "paused",
}
_MARKS = {
    "Completed": ("✓", "green"),
    "Failed": ("✗", "red"),
    "Cancelled": ("✗", "bright_black"),
    "ApprovalRequested": ("?", "yellow"),
    "QuestionAsked": ("?", "yellow"),
    "OutcomeLost": ("?", "red"),
    "Paused": ("‖", "yellow"),
    "Resumed": ("▸", "cyan"),
    "ApprovalDecided": ("!", "magenta"),
    "ToolFinished": ("·", "green"),
}


# What goes by while one waits is told by what comes of it.
_PASSED_OVER = ("ToolStarted", "WaitBegun", "WaitEnded")
SHORT = 160


def standing(state: SessionState) -> str:
    """One phrase: what it does or waits for."""
    if state.waiting_for is None:
        return state.status
    phrase = WAITING.get(state.waiting_for, state.waiting_for)
    if state.pause and state.pause.conditions:
        return f"{phrase}: {' or '.join(state.pause.conditions)}"
    return phrase


def session(state: SessionState) -> None:
    """All that there is to know at a glance."""
    style = STATUS_STYLES.get(state.status, "")
    show(text((state.id, BOLD), "  ", (state.status, style), "  ", (state.persona, "blue")))
    _field("task", state.task)
    if state.waiting_for:
        _field("waits", standing(state))
    if state.pause and state.pause.detail:
        _field("because", state.pause.detail)
    by = state.launched_by_name or state.launched_by
    _field("launched", f"{clock(state.launched_at)} by {by}")
    _field("changed", f"{clock(state.changed_at)} ({ago(state.changed_at)})")
    _field("spent", f"{state.steps} steps, {money(state.cost_usd, state.unpriced)}")
    for reminder in state.reminders:
        _field("reminder", f"{reminder.id} {clock(reminder.due)} {reminder.text}")
    if state.result:
        _field("result", state.result)
    elif state.said:
        _field("said", state.said)
    for proposed in state.calls:
        show()
        call(proposed)
    for line in advice(state):
        show(text((f"  {line}", DIM)))


def _field(name: str, value: str) -> None:
    first, *more = visible(value).splitlines() or [""]
    show(text((f"  {name:<9} ", DIM), first))
    for line in more:
        show(text(f"{'':12}{line}".rstrip()))


def call(proposed: ProposedCall) -> None:
    """Every character of a call that will run; no line of an argument can pass for one of ours."""
    if proposed.phase in ("asking", "open"):
        show(text((f"  {proposed.call_id} ", BOLD), ("asks: ", "yellow"), proposed.question))
        for option in proposed.options:
            show(text(("        │ ", DIM), option))
        return
    phase = "waits for an approval" if proposed.phase == "awaiting" else proposed.phase
    show(text((f"  {proposed.call_id} ", BOLD), (proposed.tool, "blue"), (f"  {phase}", "yellow")))
    for line in _arguments(proposed.arguments):
        show(line)
    show(text((f"      sha256 {proposed.digest}", DIM)))


def _arguments(arguments: dict[str, Any] | str) -> Iterator[Any]:
    given = {"": arguments} if isinstance(arguments, str) else arguments
    for name, value in given.items():
        if name:
            yield text((f"      {name}", DIM))
        words = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)
        for line in visible(words).split("\n"):
            for number, piece in enumerate(chopped(line, 10)):
                yield text((f"        {'┊' if number else '│'} ", DIM), piece)


def advice(state: SessionState) -> Iterator[str]:
    """What one may type next."""
    phases = {c.phase for c in state.calls}
    if state.pause:
        yield f"flagman resume {state.id}"
    if "awaiting" in phases:
        yield f"flagman approve {state.id}   or   flagman deny {state.id} --reason …"
    elif "asking" in phases:
        yield f"flagman answer {state.id} …"
    elif "unknown" in phases:
        lost = next(c.call_id for c in state.calls if c.phase == "unknown")
        yield f"flagman settle {state.id} {lost} run-again|done|failed"


def log_lines(events: Iterable[SessionEvent], *, short: bool = False, wrapped: bool = False) -> Iterator[Any]:
    """The log, each line with its time, who, and what. `wrapped`: for a terminal, with what follows indented."""
    for event in events:
        if short and event.type in _PASSED_OVER:
            continue
        mark, style = _MARKS.get(event.type, (" ", ""))
        for at, who, words in _said(event):
            # Who is plain where it is Flagman itself.
            by = () if who == "system" or (short and who.startswith("model:")) else ((f"{who}  ", "blue"),)
            said = one_line(words, SHORT) if short else visible(words).rstrip()
            when = f"{clock(at)} "
            if wrapped:
                yield hanging(text((when, DIM)), text((mark, style)), text(*by, (said, style)))
                continue
            first, *more = said.splitlines() or [""]
            yield text((when, DIM), (f"{mark} ", style), *by, (first, style))
            for line in more:
                yield text(f"{'':11}{line}".rstrip())


def _said(event: SessionEvent) -> Iterator[tuple[Any, str, str]]:
    try:
        found = list(lines([event.fact()]))
    except ValueError:
        # A newer Flagman knows more than this one.
        yield event.at, event.by_name or event.by, event.type
        return
    for line in found:
        yield line.at, line.who, line.text
