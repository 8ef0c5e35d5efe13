"""The steps of a session as a plan, for workspaces in which Slack shows plans."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from handlers.blocks.text import Block

Status = Literal["pending", "in_progress", "complete", "error"]
_TITLE_CHARACTERS = 250


class Task(NamedTuple):
    """One step: an id that stays the same, one line of plain text, and how far it is."""

    id: str
    title: str
    status: Status


def plan(title: str, tasks: Sequence[Task]) -> Block:
    """Return the block of a plan."""
    cards = [
        {
            "type": "task_card",
            "task_id": task.id,
            "title": task.title[:_TITLE_CHARACTERS],
            "status": task.status,
        }
        for task in tasks
    ]
    return {"type": "plan", "title": title, "tasks": cards}
