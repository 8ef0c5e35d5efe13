"""What the demo reads from the conversation so far: the task, the results of its calls, and words of people."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from supervisor.core.messages import Json, ModelRequest, ModelTurn, ToolTurn, UserTurn

SHOWN_LINES, SHOWN_WIDTH = 8, 120
# The words of `supervisor/core/prompt.py` for each outcome of a call that did not run as it was proposed.
_DENIED = re.compile(
    r"^Denied by (?P<who>.+?); it did not run\.(?: Reason: (?P<why>.+?))? Do not propose", re.DOTALL
)
_ANSWERED = re.compile(
    r"^(?P<who>.+?) answered in place of running it; it did not run\. Answer: (?P<why>.+)$", re.DOTALL
)
_SUPERSEDED = re.compile(
    r"^Superseded: (?P<who>.+?) took the request back, and it did not run\. Do this instead: (?P<why>.+)$",
    re.DOTALL,
)
_CHANGED = re.compile(
    r"^(?P<who>.+?) changed the arguments and it ran with these instead: (?P<why>.+?)\. "
    r"Do not repeat the first ones\.\n",
    re.DOTALL,
)
_EXPIRED = re.compile(r"^Expired: ")
_REFUSED = re.compile(r"^Not run: (?P<why>.+)$", re.DOTALL)
_OUTCOMES = (
    ("denied", _DENIED),
    ("answered", _ANSWERED),
    ("superseded", _SUPERSEDED),
    ("changed", _CHANGED),
    ("expired", _EXPIRED),
    ("refused", _REFUSED),
)

Call = tuple[str, Json]


@dataclass(frozen=True)
class Result:
    """One call with its result; `outcome` says what people made of it, `who` and `why` are their name and words."""

    tool: str
    arguments: Json
    content: str
    failed: bool
    outcome: str = "ran"
    who: str = ""
    why: str = ""

    @property
    def ran(self) -> bool:
        """Whether it ran without an error, as it was proposed or as somebody changed it."""
        return not self.failed and self.outcome in ("ran", "changed")

    @property
    def output(self) -> str:
        """The result without the sentence on what was changed."""
        return _CHANGED.sub("", self.content) if self.outcome == "changed" else self.content


def task_of(request: ModelRequest) -> str:
    return next((turn.text.strip() for turn in request.turns if isinstance(turn, UserTurn)), "")


def steps_of(request: ModelRequest) -> list[list[Result]]:
    """Return the results of each reply that proposed calls, in order."""
    told = {turn.call_id: turn for turn in request.turns if isinstance(turn, ToolTurn)}
    return [
        [_result(told[call.call_id], call.arguments) for call in turn.calls if call.call_id in told]
        for turn in request.turns
        if isinstance(turn, ModelTurn) and turn.calls
    ]


def results_of(request: ModelRequest) -> list[Result]:
    return [result for step in steps_of(request) for result in step]


def position_of(request: ModelRequest) -> tuple[int, str]:
    """Return how many steps of a script were done, and what to do instead where the last one was taken back.

    The step that follows such words is none of the script.
    """
    done, instead = 0, ""
    for step in steps_of(request):
        done += not instead
        instead = next((result.why for result in step if result.outcome == "superseded"), "")
    return done, instead


def recent(request: ModelRequest) -> list[Result]:
    """Return the results that the last reply of the demo has not read."""
    steps = steps_of(request)
    last = next((turn for turn in reversed(request.turns) if isinstance(turn, ModelTurn)), None)
    return steps[-1] if last and last.calls and steps else []


def words_added(request: ModelRequest) -> Iterator[str]:
    """Yield what people said since the last reply of the demo, apart from the task."""
    users = [n for n, turn in enumerate(request.turns) if isinstance(turn, UserTurn)]
    replied = max((n for n, turn in enumerate(request.turns) if isinstance(turn, ModelTurn)), default=-1)
    for n in users[1:]:
        turn = request.turns[n]
        if n > replied and isinstance(turn, UserTurn):
            yield turn.text


def begins(request: ModelRequest) -> bool:
    """Whether the demo has not replied yet."""
    return not any(isinstance(turn, ModelTurn) for turn in request.turns)


def fence(text: str) -> str:
    rows = [row[:SHOWN_WIDTH] for row in text.replace("```", "'''").splitlines() if row.strip()]
    if len(rows) > SHOWN_LINES:
        rows = [*rows[:SHOWN_LINES], f"… {len(rows) - SHOWN_LINES} more lines"]
    return "```\n" + "\n".join(rows or ["(no output)"]) + "\n```"


def quote(text: str) -> str:
    return "\n".join(f"> {row}" for row in text.splitlines())


def one_line(text: str) -> str:
    """Return the first paragraph as one line; in a sub-agent's task, the results of others follow it."""
    line = " ".join(text.partition("\n\n")[0].split())
    return line if len(line) <= 200 else line[:199] + "…"


def join(paragraphs: list[str]) -> str:
    return "\n\n".join(paragraph for paragraph in paragraphs if paragraph)


def _result(turn: ToolTurn, given: Json | str) -> Result:
    arguments = given if isinstance(given, dict) else {}
    content = turn.content.strip()
    for outcome, pattern in _OUTCOMES:
        if turn.tool != "ask_human" and (found := pattern.match(turn.content)):
            parts = found.groupdict(default="")
            who, why = parts.get("who", ""), parts.get("why", "").strip()
            return Result(turn.tool, arguments, content, turn.failed, outcome, who, why)
    return Result(turn.tool, arguments, content, turn.failed)
