"""A coordinator and its sub-agents, scripted by the words of their tasks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from supervisor.core.messages import Json, ModelReply, ModelRequest
from tests.support.scenario import write_persona
from tests.support.scripted import calls, results, says, told

ALLOWED = [{"tool": name, "mode": "allow"} for name in ("plan_tasks", "write_file", "note")]
LEAD: dict[str, Any] = {"agents": ["helper"], "approvals": ALLOWED}


def write_helper(folder: Path) -> None:
    """Who is there besides `ops`, the coordinator of these tests."""
    write_persona(folder / "personas", "helper", approvals=ALLOWED)


def part(name: str, task: str, *depends_on: str) -> Json:
    return {"id": name, "persona": "helper", "task": task, "depends_on": list(depends_on)}


def plan(*parts: Json, on_failure: str = "continue") -> Json:
    return {"subtasks": list(parts), "on_failure": on_failure}


def two_level_plan(request: ModelRequest) -> ModelReply:
    """`coordinate` plans two parts of which the second deploys; `deploy`, `write`, `fail`, `ask` do so; else done."""
    task, done = told(request)[0], results(request)
    word, _, rest = task.partition(" ")
    if word == "coordinate" and not done:
        parts = (part("look", "look around"), part("ship", "deploy shop", "look"))
        return calls(("plan_tasks", plan(*parts)), text="I split it.")
    begins: dict[str, tuple[str, Json]] = {
        "deploy": ("deploy", {"service": rest.split("\n")[0]}),
        "write": ("write_file", {"path": "out/report.md", "content": f"# {rest}\n"}),
        "fail": ("give_up", {"reason": f"no {rest}"}),
        "ask": ("ask_human", {"question": rest}),
    }
    if word in begins and not done:
        return calls(begins[word])
    return says(f"Finished: {task.splitlines()[0]}" + (f" ({done[-1].splitlines()[0]})" if done else ""))
