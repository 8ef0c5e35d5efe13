"""The guided tour of the demo: a safe command, a call to edit, a question, several calls, and one to deny."""

from __future__ import annotations

import re
from dataclasses import dataclass

from supervisor.core.messages import ModelRequest
from supervisor.models.demo.conversation import (
    Call,
    Result,
    one_line,
    quote,
    results_of,
    task_of,
    words_added,
)
from supervisor.models.demo.reactions import named

REPORT = "report.md"
SEVERAL, RISKY, STOP = "Two calls at once", "Something to deny", "Stop here"
DELETE = f"rm -f {REPORT}"
# Commands that only read, by the words that lead to them; each is small and there on every system.
_READS = (
    (re.compile(r"\b(?:disks?|storage|space|full)\b", re.IGNORECASE), "df -h ."),
    (re.compile(r"\b(?:files?|folders?|director\w+|list|ls)\b", re.IGNORECASE), "ls -la"),
    (re.compile(r"\b(?:machine|host|system|kernel|os|uname)\b", re.IGNORECASE), "uname -a"),
    (re.compile(r"\b(?:time|date|clock|day|today)\b", re.IGNORECASE), "date -u"),
)
_OTHERWISE = "date -u"


@dataclass(frozen=True)
class Stage:
    """One step of the tour: what the demo says, and what it proposes."""

    text: str
    calls: tuple[Call, ...]


def next_stage(request: ModelRequest, position: int) -> Stage | None:
    """Return the stage of the tour at `position`, or None at its end."""
    offered = {tool.name for tool in request.tools}
    stages = [
        stage
        for stage in _stages(task_of(request), results_of(request))
        if all(tool in offered for tool, _ in stage.calls)
    ]
    return stages[position] if position < len(stages) else None


def detour(request: ModelRequest, words: str) -> Stage | None:
    """Return a small command that the words of a person lead to, in place of a request that they took back."""
    if "shell" not in {tool.name for tool in request.tools}:
        return None
    text = "A script understands little, so your words lead me to this small command, which only reads."
    return Stage(text, _shell(_reads(words)))


def ending(request: ModelRequest) -> str:
    """Return the last words: what happened to each call, and what to try next."""
    results = results_of(request)
    lines = [f"- {named(result)}: {_outcome(result)}" for result in results if result.tool != "ask_human"]
    words = [f"- your last words: {one_line(text)}" for text in words_added(request)]
    told = "\n".join([*lines, *words]) or "- nothing was run"
    asked = task_of(request)
    return (
        f"Done with: {one_line(asked)}\n\nThat was the tour. What happened:\n{told}\n\n"
        "What to try next: *View log* on the card; a report with "
        '`launch sre "report on the disk"`; several agents with `launch project-coordinator "look around"`. '
        "With `FLAGMAN_MODEL` and its key set, a language model does your tasks in place of this script."
    )


def _stages(task: str, results: list[Result]) -> list[Stage]:
    look = _reads(task)
    answer = next((r.content for r in results if r.tool == "ask_human" and not r.failed), "")
    stages = [
        Stage(
            f"1 of 4. To begin with, one small and safe command: `{look}` only reads. Press Approve, and it runs at "
            "once.",
            _shell(look),
        ),
        Stage(
            f"2 of 4. Next I want to write `{REPORT}`, and one number in it is wrong on purpose: no disk is 1000 % "
            "full. Press View details and then Edit, put it right and save; then your text is written, not mine.",
            (("write_file", {"path": REPORT, "content": _report(task, look)}),),
        ),
        Stage(
            "3 of 4. Now I need a decision from you. Press one of the answers, or reply in your own words.",
            (("ask_human", {"question": "What shall I show you next?", "options": [SEVERAL, RISKY, STOP]}),),
        ),
    ]
    if STOP.lower() in answer.lower():
        return stages
    if SEVERAL.lower() in answer.lower():
        stages.append(
            Stage(
                "Two calls at once: decide on each, or press Approve all. Both only read.",
                (*_shell("uname -a"), *_shell("ls -la")),
            )
        )
    written = any(r.tool == "write_file" and r.ran for r in results)
    target = "the report that was just written" if written else f"`{REPORT}`, if there is one"
    stages.append(
        Stage(
            f"4 of 4. This one deletes {target}. Press Deny and say why: I read your reason. Under "
            "View details, Respond gives me an answer in place of a result; Do something else…, in the menu of the "
            "request, gives me another task.",
            _shell(DELETE),
        )
    )
    return stages


def _report(task: str, look: str) -> str:
    return (
        f"# Report\n\n## Task\n\n{quote(task)}\n\n## Looked at\n\n`{look}`\n\n## Found\n\n"
        "The disk is 1000 % full.\n\nWritten by the scripted demo.\n"
    )


def _shell(command: str) -> tuple[Call, ...]:
    return (("shell", {"command": command}),)


def _reads(words: str) -> str:
    return next((command for pattern, command in _READS if pattern.search(words)), _OTHERWISE)


def _outcome(result: Result) -> str:
    match result.outcome:
        case "denied":
            return f"denied by {result.who}" + (f" ({one_line(result.why)})" if result.why else "")
        case "answered":
            return f"answered by {result.who} in place of running it"
        case "superseded":
            return f"taken back by {result.who}"
        case "changed":
            return f"changed by {result.who}, then run" + (", and it failed" if result.failed else "")
        case "expired":
            return "not decided in time"
        case "refused":
            return "not run"
    if result.failed:
        return "ran and failed"
    return "ran as proposed" + (
        " (that was the one to deny)" if result.arguments.get("command") == DELETE else ""
    )
