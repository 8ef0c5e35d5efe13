"""What the demo says to what people did: one sentence for each outcome of a call, and for their words."""

from __future__ import annotations

import json
from collections.abc import Iterable

from supervisor.core.messages import ModelRequest
from supervisor.models.demo.conversation import Result, one_line, recent, words_added


def acknowledge(request: ModelRequest) -> list[str]:
    """Return a sentence for each message of people since the last reply; an answer to a question is none of them."""
    said = [f"Noted: {one_line(text)}" for text in words_added(request)]
    if said:
        said.append("I read your words before my next step; they never approve or deny a call.")
    return said


def react(request: ModelRequest) -> list[str]:
    """Return a sentence for each call since the last reply whose outcome is worth one."""
    return [sentence for sentence in _once(reaction(result) for result in recent(request)) if sentence]


def reaction(result: Result) -> str:
    who, why, name = result.who, one_line(result.why), named(result)
    match result.outcome:
        case "denied":
            because = (
                f"The reason I read: {why}" if why else "No reason was given; with one I would know why."
            )
            return f"{who} denied {name}, so it did not run, and I do not propose it again. {because}"
        case "answered":
            return f"{who} answered in place of running {name}: {why}"
        case "superseded":
            return f"{who} took the request back, so nothing ran. I do this instead: {why}"
        case "changed":
            return f"{who} changed {name} before it ran, so it ran {_instead(result)}."
        case "expired":
            return f"Nobody decided on {name} in time, so it did not run; that is no denial."
        case "refused":
            return f"{name} did not run: {why}"
    if result.failed:
        return f"{name} ran and failed: {one_line(result.content) or 'no reason was given'}"
    if result.tool == "ask_human":
        return f"Your answer: “{one_line(result.content)}”."
    return f"{name} ran as you saw it." if result.tool in ("shell", "write_file") else ""


def named(result: Result) -> str:
    """Return the call by what people know it as: its command, or the file that it writes."""
    shown = result.arguments.get("command") if result.tool == "shell" else None
    if shown is None and result.tool == "write_file":
        return f"writing `{result.arguments.get('path')}`"
    return f"`{one_line(str(shown or result.tool))}`"


def _instead(result: Result) -> str:
    """Return what ran in place of the call: its command, where it is one that can be read at a glance."""
    try:
        arguments = json.loads(result.why)
    except ValueError:
        arguments = {}
    command = arguments.get("command") if isinstance(arguments, dict) else None
    if result.tool != "shell" or not isinstance(command, str):
        return "with those arguments, not with mine"
    return f"as `{one_line(command).replace('`', chr(39))}`"


def _once(sentences: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(sentences))
