"""What a Pause Checkpoint says one may type is understood, and the buttons that it names are there."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable

import pytest
import typer.main

from bot.cli.app import app
from bot.resume_hints import Hints, hints_of
from handlers.listeners.commands.parser import parse
from handlers.messages.message import Message
from handlers.messages.thread import thread
from supervisor.core.conditions import Manual, Webhook
from supervisor.core.errors import VerificationError
from supervisor.core.events import ChildFinished, Paused
from supervisor.core.persona import Approvers
from supervisor.session_log.render.moments import PausePeriod, rests, walk
from supervisor.session_log.verify import verify
from tests.session_log.stories import STORIES
from tests.session_log.story import Story
from tests.session_log.written import KEY, SID, document

HINTS = Hints("/agent")
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


def reviewed() -> Story:
    """A session that waits for an approval, or for a webhook."""
    story = STORIES["copy"]()
    story.events = story.events[:10]
    conditions = (Manual(type="approval"), Webhook(type="webhook", name="go"))
    approvers = Approvers(users=("U0ADA0001",), quorum=2)
    story.add(
        Paused,
        reason="human_approval_required",
        detail="a review",
        conditions=conditions,
        approvers=approvers,
    )
    return story


MORE: dict[str, Callable[[], Story]] = {
    "undecided": undecided,
    "reviewed": reviewed,
    "errors": lambda: stopped("error_threshold_exceeded"),
    "steps": lambda: stopped("budget_exceeded", max_steps=3),
    "minutes": lambda: stopped("budget_exceeded", max_minutes=1.0),
    "tokens": lambda: stopped("budget_exceeded", max_tokens=100),
    "context": lambda: stopped("context_budget_exceeded", max_context_tokens=100),
}
ALL = {**STORIES, **MORE}


def found(name: str) -> list[PausePeriod]:
    return rests(walk(SID, ALL[name]().events))


def spans(words: str) -> list[str]:
    return re.findall(r"`([^`]+)`", words)


@pytest.mark.parametrize("name", ALL)
def test_every_command_is_understood(name: str) -> None:
    lines = [span for rest in found(name) for _, words in HINTS.ways(rest) for span in spans(words)]
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
        for way, words in HINTS.ways(rest):
            for label in re.findall(r"\*\*([^*]+)\*\*", words) if way == "Buttons" else ():
                named += 1
                assert label in labels, (rest.reason, label, labels)
    assert named or name == "plan"


def buttons(message: Message) -> list[str]:
    """The labels of the buttons of a message, and of what stands in its menus."""
    rows = [block.get("elements", []) for block in message.blocks if block["type"] == "actions"]
    shown = [one for row in rows for element in row for one in (element, *element.get("options", ()))]
    return [one["text"]["text"] for one in shown if "text" in one]


def test_where_nothing_is_shown_in_slack_no_button_is_named() -> None:
    story = STORIES["release"]()
    first = story.events[0].model_copy(update={"origin": {}})
    for rest in rests(walk(SID, [first, *story.events[1:]])):
        ways = dict(HINTS.ways(rest))
        assert "Buttons" not in ways
        assert "Command line" in ways
        assert ("Slack" in ways) == (rest.session.pause is not None)


def test_a_decision_on_a_failed_sub_agent_is_a_pause() -> None:
    last = found("undecided")[-1]
    assert (last.reason, last.ended) == ("human_input_required", None)
    assert f"`flagman settle {SID} database retry|skip|stop`" in str(HINTS.ways(last))


@pytest.mark.parametrize("name", ALL)
def test_another_slash_command_is_named_everywhere_and_recorded(name: str) -> None:
    text = document(ALL[name](), "/bot")
    assert "/agent" not in text
    assert '"settings":{"command":"/bot"}' in text
    assert verify(text.encode(), [KEY], hints_of).whole


def test_a_document_of_another_command_is_not_taken_for_one_of_this() -> None:
    story = ALL["steps"]()
    changed = document(story, "/bot").replace("`/bot resume", "`/agent resume")
    with pytest.raises(VerificationError, match=r"it says .*/agent resume.*the events say .*/bot resume"):
        verify(changed.encode(), [KEY], hints_of)
    assert '"settings"' not in document(story)


@pytest.mark.parametrize("settings", ['{"command":1}', '{"command":"/bot","more":1}', '["/bot"]', "null"])
def test_settings_that_no_flagman_wrote_are_refused(settings: str) -> None:
    with pytest.raises(ValueError, match="settings"):
        hints_of(json.loads(settings))
