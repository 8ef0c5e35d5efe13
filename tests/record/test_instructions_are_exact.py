"""What a Pause Checkpoint says one may type is understood, and the buttons that it names are there."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable

import pytest
import typer.main

from bot.cli.app import app
from handlers.listeners.commands.parser import parse
from handlers.messages.message import Message
from handlers.messages.thread import thread
from supervisor.core.events import ChildFinished, Paused
from supervisor.session_log.render.instructions import instructions
from supervisor.session_log.render.moments import Rest, rests, walk
from tests.record.stories import STORIES
from tests.record.story import Story
from tests.record.written import SID

CLI = typer.main.get_command(app)


def undecided() -> Story:
    """A plan whose last sub-agent failed, and nobody has said what next."""
    story = STORIES["plan"]()
    story.events = story.events[:-1]
    story.add(ChildFinished, after=9, child_id="chan-0001", ending="failed", result="It did not work.")
    return story


def stopped(reason: str, **budgets: float) -> Story:
    """A session that its budgets, or errors, have stopped."""
    story = STORIES["copy"]()
    limits = story.persona.budgets.model_copy(update=budgets)
    first = story.events[0].model_copy(update={"budgets": limits})
    story.events = [first, *story.events[1:10]]
    story.add(Paused, reason=reason, detail="Enough.")
    return story


MORE: dict[str, Callable[[], Story]] = {
    "undecided": undecided,
    "errors": lambda: stopped("error_threshold_exceeded"),
    "steps": lambda: stopped("budget_exceeded", max_steps=3),
    "minutes": lambda: stopped("budget_exceeded", max_minutes=1.0),
    "tokens": lambda: stopped("budget_exceeded", max_tokens=100),
    "context": lambda: stopped("context_budget_exceeded", max_context_tokens=100),
}
ALL = {**STORIES, **MORE}


def found(name: str) -> list[Rest]:
    return rests(walk(SID, ALL[name]().events))


def spans(words: str) -> list[str]:
    return re.findall(r"`([^`]+)`", words)


@pytest.mark.parametrize("name", ALL)
def test_every_command_is_understood(name: str) -> None:
    lines = [span for rest in found(name) for _, words in instructions(rest) for span in spans(words)]
    typed = [line for line in lines if line.startswith("flagman ")]
    assert typed
    for line in typed:
        verb, *words = shlex.split(line.split("|")[0].removeprefix("flagman "))
        CLI.commands[verb].make_context(verb, words)  # type: ignore[attr-defined]
    slash = [line for line in lines if line.startswith("/agent ")]
    assert slash
    for line in slash:
        assert parse(line.removeprefix("/agent "), slash="/agent").session_id == SID


@pytest.mark.parametrize("name", ALL)
def test_every_button_is_there(name: str) -> None:
    named = 0
    for rest in found(name):
        labels = " | ".join(label for message in thread(rest.session) for label in buttons(message))
        for way, words in instructions(rest):
            for label in re.findall(r"\*\*([^*]+)\*\*", words) if way == "Buttons" else ():
                named += 1
                assert label in labels, (rest.reason, label, labels)
    assert named or name == "plan"


def buttons(message: Message) -> list[str]:
    rows = [block.get("elements", []) for block in message.blocks if block["type"] == "actions"]
    return [element["text"]["text"] for row in rows for element in row if element["type"] == "button"]


def test_where_nothing_is_shown_in_slack_no_button_is_named() -> None:
    story = STORIES["release"]()
    first = story.events[0].model_copy(update={"origin": {}})
    for rest in rests(walk(SID, [first, *story.events[1:]])):
        ways = dict(instructions(rest))
        assert "Buttons" not in ways
        assert "Command line" in ways
        assert ("Slack" in ways) == (rest.session.pause is not None)


def test_a_decision_on_a_failed_sub_agent_is_a_pause() -> None:
    last = found("undecided")[-1]
    assert (last.reason, last.ended) == ("human_input_required", None)
    assert f"`flagman settle {SID} database retry|skip|stop`" in str(instructions(last))
