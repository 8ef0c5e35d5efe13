"""The next reply of the demo, as a pure function of the conversation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from supervisor.core.delegation import PLAN
from supervisor.core.messages import Json, ModelRequest, ModelTurn, ToolTurn, UserTurn
from supervisor.models.demo.coordinator import coordinates, outcome, plan, summary

NOTES, REPORT = "notes.md", "report.md"
LOOK_ONLY, LOOK_AND_WRITE, STOP = "Only look", "Look and write a report", "Stop here"
DISK_WORDS = ("disk", "storage", "space left", "free space")
REFUSAL_WORDS = ("denied", "deny", "declined", "not allowed", "not approved", "not run:", "rejected")
SHOWN_LINES, SHOWN_WIDTH = 8, 120

GREETING = (
    "I am Flagman's scripted demo, not a language model: I follow a fixed script. "
    "Set `FLAGMAN_MODEL` (such as `anthropic:claude-sonnet-4-6`) and that provider's key to use a real one."
)

Call = tuple[str, Json]


@dataclass(frozen=True)
class Step:
    """One reply of the demo. Without calls, the session is finished."""

    text: str
    calls: tuple[Call, ...] = ()


@dataclass(frozen=True)
class Result:
    """One call with its result; `failed` is also True for a call that was denied."""

    tool: str
    arguments: Json
    content: str
    failed: bool


def next_step(request: ModelRequest) -> Step:
    """Return the step that follows: a question or the notes, proposed calls, reading the report, and a summary."""
    if request.purpose == "summary":
        return Step(summary(request))
    steps = list(_plan(request))
    position = sum(isinstance(turn, ModelTurn) and bool(turn.calls) for turn in request.turns)
    opening = [*_greeting(request), *_acknowledge(request), *_setbacks(request)]
    if position < len(steps):
        text, calls = steps[position]
        return Step(_join([*opening, text]), calls)
    return Step(_join([*opening, _summary(request)]))


def _plan(request: ModelRequest) -> Iterator[tuple[str, tuple[Call, ...]]]:
    offered = {tool.name for tool in request.tools}
    task, results = _task(request), _results(request)
    if coordinates(request):
        yield (
            "I split this over three sub-agents; the last one needs what the others found.",
            ((PLAN, plan(request, task)),),
        )
        return
    if "ask_human" in offered and _wants_a_question(task):
        yield "Before I start, I need a decision from you.", (_question(task),)
        if STOP in _answer(results):
            return
    elif "read_file" in offered:
        yield f"First I look whether there are notes in `{NOTES}`.", (("read_file", {"path": NOTES}),)
    proposals = tuple(call for call in _proposals(task, results) if call[0] in offered)
    if proposals:
        yield _proposal_text(proposals), proposals
    if "read_file" in offered and _written(results):
        yield f"I read `{REPORT}` back to see what is in it.", (("read_file", {"path": REPORT}),)


def _question(task: str) -> Call:
    question = f"How far shall I go with this: {_one_line(task)}"
    return "ask_human", {"question": question, "options": [LOOK_ONLY, LOOK_AND_WRITE, STOP]}


def _proposals(task: str, results: list[Result]) -> list[Call]:
    command = "df -h . && du -sh ." if _is_about_disk(task) else "uname -a && date -u && ls -la"
    look: Call = ("shell", {"command": command})
    if LOOK_ONLY in _answer(results):
        return [look]
    return [("write_file", {"path": REPORT, "content": _report(task, command, results)}), look]


def _proposal_text(proposals: tuple[Call, ...]) -> str:
    names = " and ".join(f"`{tool}`" for tool, _ in proposals)
    return f"I propose {names} now; what changes something waits for your approval."


def _report(task: str, command: str, results: list[Result]) -> str:
    notes = next((r.content for r in results if _path(r) == NOTES and not r.failed), "")
    answer = _answer(results)
    sections = [
        f"# Report\n\n## Task\n\n{_quote(task)}",
        f"## Looked at\n\n`{command}`, run in the workspace folder; its output is in the log of this session.",
        f"## Decision\n\n{_quote(answer)}" if answer else "",
        f"## Notes\n\n{_quote(notes)}" if notes else f"## Notes\n\nThere was no `{NOTES}` to read.",
        "Written by the scripted demo.",
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


# --- the conversation so far ----------------------------------------------------------------------


def _task(request: ModelRequest) -> str:
    return next((turn.text.strip() for turn in request.turns if isinstance(turn, UserTurn)), "")


def _results(request: ModelRequest) -> list[Result]:
    calls = {c.call_id: c for turn in request.turns if isinstance(turn, ModelTurn) for c in turn.calls}
    results = []
    for turn in request.turns:
        if isinstance(turn, ToolTurn) and turn.call_id in calls:
            given = calls[turn.call_id].arguments
            arguments = given if isinstance(given, dict) else {}
            results.append(Result(turn.tool, arguments, turn.content.strip(), turn.failed))
    return results


def _answer(results: list[Result]) -> str:
    return next((r.content for r in results if r.tool == "ask_human" and not r.failed), "")


def _written(results: list[Result]) -> bool:
    return any(r.tool == "write_file" and not r.failed and not _refused(r) for r in results)


def _refused(result: Result) -> bool:
    return result.failed and any(word in result.content.lower() for word in REFUSAL_WORDS)


def _wants_a_question(task: str) -> bool:
    return task.lower().startswith("ask ") or "ask me" in task.lower()


def _is_about_disk(task: str) -> bool:
    return any(word in task.lower() for word in DISK_WORDS)


# --- sentences ------------------------------------------------------------------------------------


def _greeting(request: ModelRequest) -> list[str]:
    return [] if any(isinstance(turn, ModelTurn) for turn in request.turns) else [GREETING]


def _acknowledge(request: ModelRequest) -> list[str]:
    """Return a sentence for each message of people since the last reply of the demo, apart from the task."""
    users = [n for n, turn in enumerate(request.turns) if isinstance(turn, UserTurn)]
    last_reply = max((n for n, turn in enumerate(request.turns) if isinstance(turn, ModelTurn)), default=-1)
    added = (request.turns[n] for n in users[1:] if n > last_reply)
    return [f"Noted: {_one_line(turn.text)}" for turn in added if isinstance(turn, UserTurn)]


def _setbacks(request: ModelRequest) -> list[str]:
    """Return a sentence for each call that failed or was denied since the last reply of the demo."""
    last_reply = max((n for n, turn in enumerate(request.turns) if isinstance(turn, ModelTurn)), default=-1)
    recent = _results(request)[_settled_before(request, last_reply) :]
    return [_setback(result) for result in recent if result.failed]


def _settled_before(request: ModelRequest, position: int) -> int:
    return len(_results(request.model_copy(update={"turns": request.turns[: position + 1]})))


def _setback(result: Result) -> str:
    if _path(result) == NOTES:
        return f"There are no notes (`{NOTES}` could not be read), so I go by the task alone."
    why = _one_line(result.content.partition(" Do not propose")[0]) or "no reason was given"
    if _refused(result):
        return f"Understood, I leave `{result.tool}` at that. {why}"
    return f"`{result.tool}` did not work out: {why}"


def _summary(request: ModelRequest) -> str:
    results = _results(request)
    lines = [f"Done with: {_one_line(_task(request))}"]
    if STOP in _answer(results):
        return _join([*lines, "You asked me to stop here, so nothing was run."])
    # A later result replaces an earlier one: that of reading the report replaces that of writing it.
    told = {
        result.tool if _path(result) != REPORT else REPORT: result for result in results if _tells(result)
    }
    lines += [_outcome(result) for result in told.values()]
    if failed := [r.tool for r in results if r.failed and _path(r) != NOTES and not _tells(r)]:
        lines.append(f"Not done: {', '.join(f'`{tool}`' for tool in failed)}.")
    return _join(lines)


def _tells(result: Result) -> bool:
    if result.tool == PLAN:
        return not _refused(result)
    return not result.failed and (result.tool in ("shell", "ask_human") or _path(result) == REPORT)


def _path(result: Result) -> object:
    return result.arguments.get("path")


def _outcome(result: Result) -> str:
    match result.tool:
        case "shell":
            return f"`{result.arguments.get('command', '')}` said:\n{_fence(result.content)}"
        case "plan_tasks":
            return outcome(result.content)
        case "ask_human":
            return f"You decided: {_one_line(result.content)}"
        case "write_file":
            return f"`{REPORT}` is written."
    return f"`{REPORT}` has {len(result.content.splitlines())} lines."


def _fence(text: str) -> str:
    rows = [row[:SHOWN_WIDTH] for row in text.replace("```", "'''").splitlines() if row.strip()]
    if len(rows) > SHOWN_LINES:
        rows = [*rows[:SHOWN_LINES], f"… {len(rows) - SHOWN_LINES} more lines"]
    return "```\n" + "\n".join(rows or ["(no output)"]) + "\n```"


def _quote(text: str) -> str:
    return "\n".join(f"> {row}" for row in text.splitlines())


def _one_line(text: str) -> str:
    """Return the first paragraph as one line; in a sub-agent's task, the results of others follow it."""
    line = " ".join(text.partition("\n\n")[0].split())
    return line if len(line) <= 200 else line[:199] + "…"


def _join(paragraphs: list[str]) -> str:
    return "\n\n".join(paragraphs)
