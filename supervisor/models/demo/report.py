"""The other script of the demo, for tasks that ask for a report or to be asked first: two calls in one turn."""

from __future__ import annotations

from collections.abc import Iterator

from supervisor.core.events.base import NOTE_DECISION
from supervisor.core.messages import ModelRequest
from supervisor.models.demo.conversation import (
    Call,
    Result,
    fence,
    join,
    one_line,
    quote,
    results_of,
    task_of,
)

REPORT = "report.md"
LOOK_ONLY, LOOK_AND_WRITE, STOP = "Only look", "Look and write a report", "Stop here"
DISK_WORDS = ("disk", "storage", "space left", "free space")


def wants_a_report(task: str) -> bool:
    return "report" in task.lower() or wants_a_question(task)


def wants_a_question(task: str) -> bool:
    return task.lower().startswith("ask ") or "ask me" in task.lower()


def report_steps(request: ModelRequest) -> Iterator[tuple[str, tuple[Call, ...]]]:
    """Yield the text and the calls of each step: a question or a note, the proposed calls, reading the report."""
    offered = {tool.name for tool in request.tools}
    task, results = task_of(request), results_of(request)
    if "ask_human" in offered and wants_a_question(task):
        yield "Before I start, I need a decision from you.", (_question(task),)
        if STOP in _answer(results):
            return
    elif NOTE_DECISION in offered:
        note = {"decision": f"Write `{REPORT}`.", "why": "The task asks for a report."}
        yield "I note first what I go by.", ((NOTE_DECISION, note),)
    proposals = tuple(call for call in _proposals(task, results) if call[0] in offered)
    if proposals:
        yield _proposal_text(proposals), proposals
    if "read_file" in offered and any(r.tool == "write_file" and r.ran for r in results):
        yield f"I read `{REPORT}` back to see what is in it.", (("read_file", {"path": REPORT}),)


def report_ending(request: ModelRequest) -> str:
    """Return the last words: what each call brought, what was not done, and what to try next."""
    results = results_of(request)
    lines = [f"Done with: {one_line(task_of(request))}"]
    if STOP in _answer(results):
        lines.append("You asked me to stop here, so nothing was run.")
    else:
        # A later result replaces an earlier one: that of reading the report replaces that of writing it.
        told = {
            result.tool if _path(result) != REPORT else REPORT: result for result in results if _tells(result)
        }
        lines += [_outcome(result) for result in told.values()]
        if failed := [r.tool for r in results if not r.ran]:
            lines.append(f"Not done: {', '.join(f'`{tool}`' for tool in failed)}.")
    return join([*lines, 'What to try next: the guided tour, with `launch sre "check the disk"`.'])


def _question(task: str) -> Call:
    question = f"How far shall I go with this: {one_line(task)}"
    return "ask_human", {"question": question, "options": [LOOK_ONLY, LOOK_AND_WRITE, STOP]}


def _proposals(task: str, results: list[Result]) -> list[Call]:
    about_disk = any(word in task.lower() for word in DISK_WORDS)
    command = "df -h . && du -sh ." if about_disk else "uname -a && date -u && ls -la"
    look: Call = ("shell", {"command": command})
    if LOOK_ONLY in _answer(results):
        return [look]
    return [("write_file", {"path": REPORT, "content": _report(task, command, results)}), look]


def _proposal_text(proposals: tuple[Call, ...]) -> str:
    names = " and ".join(f"`{tool}`" for tool, _ in proposals)
    return f"I propose {names} now; what changes something waits for your approval."


def _report(task: str, command: str, results: list[Result]) -> str:
    answer = _answer(results)
    sections = [
        f"# Report\n\n## Task\n\n{quote(task)}",
        f"## Looked at\n\n`{command}`, run in the workspace folder; its output is in the log of this session.",
        f"## Decision\n\n{quote(answer)}" if answer else "",
        "Written by the scripted demo.",
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _answer(results: list[Result]) -> str:
    return next((r.content for r in results if r.tool == "ask_human" and not r.failed), "")


def _tells(result: Result) -> bool:
    return result.ran and (result.tool in ("shell", "ask_human") or _path(result) == REPORT)


def _path(result: Result) -> object:
    return result.arguments.get("path")


def _outcome(result: Result) -> str:
    match result.tool:
        case "shell":
            return f"`{result.arguments.get('command', '')}` said:\n{fence(result.output)}"
        case "ask_human":
            return f"You decided: {one_line(result.content)}"
        case "write_file":
            return f"`{REPORT}` is written."
    return f"`{REPORT}` has {len(result.content.splitlines())} lines."
