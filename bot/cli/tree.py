"""Loads the sub-agents of a session, and shows them as the tree of its plan."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from bot.cli.terminal import BOLD, DIM, console, is_terminal, text
from bot.sdk.http_backend import HttpBackend
from supervisor.contract.models import SessionView
from supervisor.core.subagents import ChildStanding
from supervisor.core.text.labels import WAITING
from supervisor.core.text.visible import one_line

SubagentViews = Mapping[str, SessionView]
MARKS = {
    "waiting": ("·", DIM),
    "running": ("▸", "cyan"),
    "paused": ("‖", "yellow"),
    "completed": ("✓", "green"),
    "failed": ("✗", "red"),
    "cancelled": ("✗", DIM),
    "skipped": ("–", DIM),
}
WIDEST = 400


async def subagents_of(remote: HttpBackend, session: SessionView) -> dict[str, SessionView]:
    """Return the sessions of all sub-agents at any depth, by id."""
    found: dict[str, SessionView] = {}
    level = [session]
    while level:
        parents = [one for one in level if any(child.id for child in one.children)]
        level = [child for parent in parents for child in await _children(remote, parent.id)]
        found |= {child.id: child for child in level}
    return found


async def _children(remote: HttpBackend, parent: str) -> list[SessionView]:
    page = await remote.page(parent=parent, limit=200)
    found = page.sessions
    while page.next:
        page = await remote.page(parent=parent, limit=200, cursor=page.next)
        found = [*found, *page.sessions]
    return found


def plans(session: SessionView, subagents: SubagentViews) -> Iterator[tuple[str, list[Any]]]:
    """Yield for each plan a text with its progress, and the lines of its tree."""
    for _, children in groupby(session.children, key=lambda child: child.call_id):
        parts = list(children)
        done = sum(child.status == "completed" for child in parts)
        yield f"{done} of {len(parts)} completed", list(_branches(parts, subagents, "  "))


def _branches(parts: Sequence[ChildStanding], subagents: SubagentViews, before: str) -> Iterator[Any]:
    for number, child in enumerate(parts, start=1):
        last = number == len(parts)
        mark, style = ("?", "yellow") if _needs_person(child) else MARKS.get(child.status, (" ", ""))
        rest = before + ("   " if last else "│  ")
        yield text(
            (f"{before}{'└─' if last else '├─'} ", DIM),
            (f"{mark} ", style),
            (child.name, BOLD),
            (f" {child.persona}", "blue") if child.persona != child.name else "",
            (f"  {phrase(child, parts)}", style),
            (f"  {child.id}", DIM) if child.id else "",
        )
        if child.result and child.status != "paused":
            yield _short(rest + "  ", child.result)
        own = subagents.get(child.id or "")
        if own:
            yield from _branches(own.children, subagents, rest)


def _short(before: str, words: str) -> Any:
    room = console().width - len(before) if is_terminal() else WIDEST
    return text((before, DIM), (one_line(words, max(room, 20)), DIM))


def _needs_person(child: ChildStanding) -> bool:
    return child.undecided or child.waiting_for in ("human_approval_required", "human_input_required")


def phrase(child: ChildStanding, parts: Sequence[ChildStanding]) -> str:
    """Return the state of one subtask in a few words."""
    if child.undecided:
        return f"{child.status}: retry, skip or stop?"
    if child.status == "waiting":
        done = {part.name for part in parts if part.status == "completed"}
        left = [name for name in child.depends_on if name not in done]
        return f"after {', '.join(left)}" if left else "begins"
    if child.status == "skipped":
        return f"skipped: {child.reason}" if child.reason else "skipped"
    if child.waiting_for:
        return WAITING[child.waiting_for]
    return "runs" if child.status == "running" else child.status
