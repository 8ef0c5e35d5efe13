"""Whatever an agent, a person or a tool writes: no message, window, document or terminal carries a hidden character."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from bot.cli import editor, output, replay_screen
from bot.cli.frames import frames
from bot.cli.terminal import as_json, done, show, table
from handlers.blocks.json_schema import arguments
from handlers.messages.thread import thread
from handlers.modals.answer import answer_modal
from handlers.modals.deny import deny_modal
from handlers.modals.edit_call import edit_form, saved_modal
from handlers.modals.full_call import full_call_modal
from handlers.modals.launch import launch_modal
from handlers.modals.outcome import outcome_modal
from handlers.origin import Place, SlackChannels
from supervisor.contract.views import event_view, session_view
from supervisor.core.events import Event, decode, encode
from supervisor.core.persona import Persona
from supervisor.core.reducer import fold
from supervisor.core.state import Call, Session
from supervisor.core.text.masking import Masker
from supervisor.core.text.visible import visible
from tests.messages.homes import home_of
from tests.session_log.stories import STORIES
from tests.session_log.test_hostile_content_has_no_power import spoiled
from tests.session_log.written import SID, written

MASK = Masker()
# Programs read these, no person does.
UNSEEN = {"value", "action_id", "block_id", "private_metadata", "callback_id", "type", "name", "url"}
WORDS = [
    "rm -rf /tmp/a\U000e0100",
    "\u3164\u115f\uffa0\u2800x",
    "a\u200b\u200c\u200d\u2060\ufeff\u00adb",
    "\u202egnp.exe\u2066",
    "\U000e0041\U000e007f\ufe00\ufe0fa\u034f",
    "\ue000\U0010fffd\u0378\uffff",
    "a\u00a0\u2003\u3000\u2028\u2029b\x1b[2J\x00\x85\x9b",
    "e\u0301\u0301\u0301\u0301\u0301",
]


def hostile(words: str) -> tuple[Persona, list[Event], Session]:
    """A session in which everything that is free text is `words`: tools, arguments, names, files, the persona."""
    story = STORIES["release"]()
    rows = [json.loads(encode(event)) for event in spoiled(story, words)]
    for row in rows:
        for call in (*row.get("calls", ()), *([row["call"]] if "call" in row else [])):
            if call.get("mode") != "allow" and call["tool"] != "plan_tasks":
                call["tool"] = words
    events = [decode(SID, n, json.dumps(row).encode()) for n, row in enumerate(rows)]
    session = fold(SID, events).model_copy(update={"persona": words})
    return story.persona, events, session


def read(value: Any, key: str = "") -> Iterator[str]:
    """Every text of a message or window that a person reads."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield from read(item, name)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from read(item, key)
    elif isinstance(value, str) and key not in UNSEEN:
        yield value


def assert_shown(*values: Any) -> None:
    found = [text for value in values for text in read(value)]
    assert found
    for text in found:
        # A word joiner after a mark is ours: by it Slack takes the mark for text.
        plain = text.replace("\u2060", "")
        assert visible(plain) == plain


def calls_of(session: Session) -> list[Call]:
    return [call for step in session.steps for call in step.calls]


@pytest.mark.parametrize("words", WORDS, ids=ascii)
def test_slack_messages_and_windows(words: str) -> None:
    persona, events, _ = hostile(words)
    for end in range(3, len(events) + 1):
        session = fold(SID, events[:end]).model_copy(update={"persona": words})
        assert_shown(*([message.text, *message.blocks] for message in thread(session, MASK)))
    named = persona.model_copy(update={"name": words, "description": words})
    assert_shown(launch_modal([named], Place("C0OPS0001", "")), home_of(session, MASK))
    for call in calls_of(session):
        assert_shown(
            deny_modal(session, call, MASK),
            saved_modal(call),
            answer_modal(session, call, MASK),
            outcome_modal(session, call, "done"),
            full_call_modal(session, call, 0, MASK),
        )


@pytest.mark.parametrize("words", WORDS, ids=ascii)
@pytest.mark.parametrize("kind", ["string", "array", "object", "integer"])
def test_the_edit_window_shows_them_and_changes_nothing(words: str, kind: str) -> None:
    _, _, session = hostile(words)
    call = next(call for call in calls_of(session) if call.call.mode == "ask")
    given: dict[str, Any] = {words: words, "list": [words, "b"], "deep": {words: [words]}, "plain": "x"}
    call = call.model_copy(update={"call": call.call.model_copy(update={"arguments": given})})
    schema = {"properties": {name: {"type": kind, "description": words, "title": words} for name in given}}
    assert arguments(schema, given)
    form = edit_form(call, schema, (), MASK)
    view = form.view(session)
    assert_shown(view)
    state = {
        block["block_id"]: {"value": block["element"].get("initial_value")}
        for block in view["blocks"]
        if block["type"] == "input"
    }
    assert form.read(state) == (given, {})


@pytest.mark.parametrize("words", WORDS, ids=ascii)
def test_the_session_log(words: str) -> None:
    persona, events, _ = hostile(words)
    named = persona.model_copy(update={"description": words, "instructions": words})
    assert_shown(written(named, events))


@pytest.mark.parametrize("words", WORDS, ids=ascii)
def test_the_command_line(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    _, events, _ = hostile(words)
    rows = [event_view(n, event) for n, event in enumerate(events, start=1)]
    for line in output.log_lines(rows):
        show(line)
    shown = list(frames(SID, rows))
    for at in range(len(shown)):
        size = replay_screen.Size(200, 50)
        show(*replay_screen.screen("title", shown, at, None, size))
    for end in range(3, len(events) + 1):
        session = fold(SID, events[:end]).model_copy(update={"persona": words})
        state = session_view(session, {}, session.changed_at, SlackChannels())
        output.session(state, {})
        for call in state.calls:
            editor.show_difference(call, {words: words, "deep": [words]})
            assert_shown(editor._text(call.arguments))
    done(words)
    table(("A",), [[words]])
    as_json({words: words})
    assert_shown(capsys.readouterr().out)
