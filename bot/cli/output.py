"""Prints a session, a proposed call and the log as lines on a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from bot.cli.labels import advice, approvers, spent, status_phrase
from bot.cli.terminal import BOLD, DIM, STATUS_STYLES, ago, beside, chop, clock, is_terminal, show, text
from bot.cli.tree import SubagentViews, plans
from supervisor.contract.models import CallView, EventView, SessionView
from supervisor.core.records import RunningCall
from supervisor.core.text.format import join_items, not_here, span
from supervisor.core.text.labels import PHASES
from supervisor.core.text.visible import call_name, call_text, call_value, one_line, visible
from supervisor.session_log.render.transcript import lines

MARKS = {
    "Completed": ("✓", "green"),
    "Failed": ("✗", "red"),
    "Cancelled": ("✗", "bright_black"),
    "ApprovalRequested": ("?", "yellow"),
    "QuestionAsked": ("?", "yellow"),
    "InputRequested": ("?", "yellow"),
    "OutcomeLost": ("?", "red"),
    "Paused": ("‖", "yellow"),
    "Resumed": ("▸", "cyan"),
    "ApprovalDecided": ("!", "magenta"),
    "ToolFinished": ("·", "green"),
    "ChildLaunched": ("▸", "cyan"),
    "ChildSkipped": ("–", "bright_black"),
    "ApprovalOverdue": ("‖", "yellow"),
    "ApprovalWithdrawn": ("!", "magenta"),
    "CallEdited": ("!", "magenta"),
    "ChildDecided": ("!", "magenta"),
}


# Events left out while one waits: later events report their results.
_PASSED_OVER = ("ToolStarted", "ToolNotBegun", "WaitBegun", "WaitEnded", "ChildFinished")
SHORT = 160


def session(state: SessionView, subagents: SubagentViews) -> None:
    """Print the state of a session; `subagents` are the sessions of its sub-agents."""
    style = STATUS_STYLES.get(state.status, "")
    show(text((state.id, BOLD), "  ", (state.status, style), "  ", (state.persona, "blue")))
    for name, value in _about(state):
        if value:
            _field(name, value)
    for done, branches in plans(state, subagents):
        _field("plan", done)
        for line in branches:
            show(line)
    if said := state.result or state.said:
        _field("result" if state.result else "said", said)
    for proposed in state.calls:
        # A plan that is carried out is already shown as a tree.
        if proposed.phase != "delegating":
            show()
            call(proposed)
    for line in advice(state):
        show(text((f"  {line}", DIM)))


def _about(state: SessionView) -> Iterator[tuple[str, str]]:
    forked = state.forked_from
    yield "task", state.task
    yield "waits", status_phrase(state) if state.waiting_for else ""
    yield "because", state.pause.detail if state.pause else ""
    people = ", ".join(who.removeprefix("slack:") for who in state.launched_for)
    by = f"{state.launched_by_name or state.launched_by}{people and f', for {people}'}"
    yield "launched", f"{clock(state.launched_at)} by {by}"
    yield "changed", f"{clock(state.changed_at)} ({ago(state.changed_at)})"
    yield "part of", state.parent or ""
    yield "copy of", f"{forked.id}, up to step {forked.step}" if forked else ""
    yield "missing", not_here(forked.missing) if forked and forked.missing else ""
    yield "spent", spent(state)
    yield "files", join_items(state.artifacts, 20)
    for running in state.running:
        yield "running", running_words(running)
    for noted in state.decisions:
        yield "decided", noted.text
    for reminder in state.reminders:
        yield "reminder", f"{reminder.id} {clock(reminder.due)} {reminder.text}"


def running_words(running: RunningCall, *, short: bool = False) -> str:
    """Return what runs and for how long, with the lines that it printed last; `short` takes the last of them."""
    for_ = span(datetime.now(UTC) - running.since)
    words = f"{running.tool or 'the model'} for {for_}, since {clock(running.since)}"
    if short:
        return " · ".join(filter(None, [words, running.lines.rpartition("\n")[2]]))
    return "\n".join([words, *(f"│ {line}" for line in running.lines.splitlines())])


def _field(name: str, value: str) -> None:
    label = text((f"  {name:<9}", DIM))
    if is_terminal():
        show(beside(label, text(value)))
        return
    first, *more = visible(value).splitlines() or [""]
    show(text(label.plain, " ", first))
    for line in more:
        show(text(f"{'':12}{line}".rstrip()))


def _asked(proposed: CallView) -> Iterator[str]:
    """Yield what a server asks for besides its message: the address, the fields, and until when."""
    if (wanted := proposed.input) is None:
        return
    yield f"asked by the server {wanted.server}, in its call of {proposed.tool}"
    if wanted.url:
        yield f"it wants a person to open {wanted.url}"
    fields = wanted.form.get("properties")
    if isinstance(fields, dict) and fields:
        needed = wanted.form.get("required") or ()
        for name, schema in fields.items():
            yield f"field {name}{_hint(schema, needed=name in needed)}"
    if wanted.until:
        yield f"the call is held open until {wanted.until:%H:%M} UTC"


def _hint(schema: object, *, needed: bool) -> str:
    """Say in brackets what a field takes, as far as its schema has it in a few words."""
    known = schema if isinstance(schema, dict) else {}
    items = known["items"] if isinstance(known.get("items"), dict) else known
    titled = items.get("oneOf") or items.get("anyOf") or ()
    choices = items.get("enum") or [
        one["const"] for one in titled if isinstance(one, dict) and "const" in one
    ]
    takes = " | ".join(str(one) for one in choices) or str(known.get("format") or known.get("type") or "")
    notes = [takes] if takes else []
    if items is not known:
        notes.append("several")
    if needed:
        notes.append("needed")
    return f" ({', '.join(notes)})" if notes else ""


def call(proposed: CallView, *, err: bool = False) -> None:
    """Print a call with every character of it; a bar before each line of an argument marks it as such.

    With `err` it goes to standard error.
    """
    if proposed.phase in ("asking", "open"):
        show(text((f"  {proposed.call_id} ", BOLD), ("asks: ", "yellow"), proposed.question), err=err)
        for option in (*_asked(proposed), *proposed.options):
            show(text(("        │ ", DIM), option), err=err)
        return
    phase = PHASES[proposed.phase]
    show(text((f"  {proposed.call_id} ", BOLD), (proposed.tool, "blue"), (f"  {phase}", "yellow")), err=err)
    for line in _arguments(proposed.arguments):
        show(line, err=err)
    if proposed.preview:
        show(text(("      preview, as things stood when it was asked for", DIM)), err=err)
        for line in call_text(proposed.preview).splitlines():
            for piece in chop(line, 10):
                show(text(("        │ ", DIM), piece), err=err)
    if proposed.definition:
        server, _, name = proposed.definition.partition("\n")[0].partition(": ")
        _noted("tool", f"`{name}` of the MCP server `{server}`; --json has what it says of it", err=err)
    if proposed.runs_as:
        _noted("runs as", proposed.runs_as, err=err)
    for line in approvers(proposed) if proposed.phase == "awaiting" else ():
        _noted("approvers", line, err=err)
    approved = [d.by_name or d.by for d in proposed.decisions if d.verdict == "approve"]
    if approved and proposed.phase == "awaiting":
        _noted("approved", f"so far by {', '.join(approved)}", err=err)
    for note in proposed.notes:
        show(
            beside(text(("      ! ", "yellow")), text(note)) if is_terminal() else text("      ! ", note),
            err=err,
        )
    show(text((f"      sha256 {proposed.digest}", DIM)), err=err)


def _noted(name: str, value: str, *, err: bool) -> None:
    show(
        beside(text((f"      {name}", DIM)), text(value)) if is_terminal() else text(f"      {name} ", value),
        err=err,
    )


def _arguments(arguments: dict[str, Any] | str) -> Iterator[Any]:
    given = {"": arguments} if isinstance(arguments, str) else arguments
    for name, value in given.items():
        if name:
            yield text((f"      {call_name(name)}", DIM))
        for line in call_value(value).split("\n"):
            for number, piece in enumerate(chop(line, 10)):
                yield text((f"        {'┊' if number else '│'} ", DIM), piece)


def log_lines(
    events: Iterable[EventView], *, short: bool = False, wrapped: bool = False, about: str = ""
) -> Iterator[Any]:
    """Yield the lines of the log with time, actor and text. `wrapped` is for a terminal, with further lines indented.

    `short` cuts each event to one line; `about` names the sub-agent whose log it is.
    """
    for event in events:
        if short and event.type in _PASSED_OVER:
            continue
        mark, style = MARKS.get(event.type, (" ", ""))
        for at, who, words in said_of(event):
            # The actor is left out where it is Flagman itself.
            by = () if who == "system" or (short and who.startswith("model:")) else ((f"{who}  ", "blue"),)
            named = ((f"{about}  ", "magenta"),) if about else ()
            said = one_line(words, SHORT) if short else visible(words).rstrip()
            when = f"{clock(at)} "
            if wrapped:
                yield beside(text((when, DIM)), text((mark, style)), text(*named, *by, (said, style)))
                continue
            first, *more = said.splitlines() or [""]
            yield text((when, DIM), (f"{mark} ", style), *named, *by, (first, style))
            for line in more:
                yield text(f"{'':11}{line}".rstrip())


def said_of(event: EventView) -> Iterator[tuple[datetime, str, str]]:
    """Yield the lines of an event as time, actor and text."""
    try:
        found = list(lines([event.fact()]))
    except ValueError:
        # A newer Flagman may have events that this one does not know.
        yield event.at, event.by_name or event.by, event.type
        return
    for line in found:
        yield line.at, line.who, line.text
