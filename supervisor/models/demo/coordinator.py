"""Plan and summary of the demo as a coordinator: pure functions of the conversation."""

from __future__ import annotations

import re

from supervisor.core.delegation import PLAN
from supervisor.core.messages import Json, ModelRequest, ToolTurn, UserTurn

_OFFERED = re.compile(r"^- `([a-z0-9-]+)`: ", re.MULTILINE)
_ENDED = re.compile(r"^## (.+)$", re.MULTILINE)
_DONE = re.compile(r"^\d+ of \d+ subtasks completed\.$", re.MULTILINE)
PARTS = (
    ("look", "sre", "Report how things stand: {task}"),
    ("options", "backend-architect", "Report what could be done: {task}"),
    ("write-up", "release-manager", "Write a report on what was found for: {task}"),
)


def coordinates(request: ModelRequest) -> bool:
    return any(tool.name == PLAN for tool in request.tools) and bool(_agents(request))


def plan(request: ModelRequest, task: str) -> Json:
    """Return the arguments of a plan with two subtasks in parallel and one that depends on both."""
    agents = _agents(request)
    subtasks = [
        {
            "id": name,
            "persona": who if who in agents else agents[n % len(agents)],
            "task": words.format(task=task),
            "depends_on": [],
        }
        for n, (name, who, words) in enumerate(PARTS)
    ]
    subtasks[-1]["depends_on"] = [name for name, *_ in PARTS[:-1]]
    return {"subtasks": subtasks, "on_failure": "ask"}


def outcome(content: str) -> str:
    """Return the results of the subtasks from the result of the plan, one line each."""
    first = _DONE.search(content)
    return "\n".join([first[0] if first else "", *(f"- {line}" for line in _ENDED.findall(content))])


def summary(request: ModelRequest) -> str:
    """Return the summary for a compaction: the messages of people, and the first line of each result."""
    said = [turn.text for turn in request.turns[1:-1] if isinstance(turn, UserTurn)]
    done = [
        f"- {turn.tool}{' (failed)' if turn.failed else ''}: {turn.content.strip().splitlines()[0][:160]}"
        for turn in request.turns
        if isinstance(turn, ToolTurn) and turn.content.strip()
    ]
    return "\n".join(["Summed up by the scripted demo.", *said, *done])


def _agents(request: ModelRequest) -> list[str]:
    """Return the personas that the agent may launch by its instructions."""
    return _OFFERED.findall(request.instructions)
