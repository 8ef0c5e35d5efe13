"""Conversation: the answer to a question of the agent, and messages that it reads at its next step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from supervisor.core.commands.approvals import withdraw
from supervisor.core.commands.base import MOST_UNREAD, check_data, check_room, check_text, stamp
from supervisor.core.elicitation.answers import check, read_words, words_of
from supervisor.core.elicitation.request import InputAction, InputRequest
from supervisor.core.errors import IllegalEvent, InvalidInput, LimitReached
from supervisor.core.events import (
    ActionRefused,
    Actor,
    ApprovalWithdrawn,
    ContextAdded,
    Event,
    GivenFile,
    InputGiven,
    QuestionAnswered,
)
from supervisor.core.messages import Json
from supervisor.core.reducer.session import MOST_REFUSALS
from supervisor.core.state import Session
from supervisor.core.text.format import count
from supervisor.core.triggers import Signal, awaited_signals

# The shortest time between two notes in a session that what it waits for was refused.
REFUSALS_APART = timedelta(minutes=10)
# The most refused actions that one log records.
MOST_RECORDED = 200
# The most files that people may attach to one session and to one message, and the most bytes of one.
MOST_FILES, MOST_FILES_AT_ONCE, MOST_FILE_BYTES = 100, 10, 20 * 2**20
Kind = Literal["reply", "mention", "command", "api"]
Heard = Literal["answered", "noted", "withdrawn"]


@dataclass(frozen=True)
class Given:
    """An answer: in words, or for a server with its fields in `content`, or not at all (`action`).

    `request` is the number of the request that was shown, None where nothing was.
    """

    text: str = ""
    content: Json | None = None
    action: InputAction = "accept"
    request: int | None = None


def answer(session: Session, call_id: str | None, given: Given, actor: Actor, at: datetime) -> list[Event]:
    """Answer a question; without `call_id` the only one that is open. Raises IllegalEvent or InvalidInput."""
    call = session.call(call_id or _only_question(session))
    if call.phase != "asking" or given.request not in (None, call.request):
        raise IllegalEvent("That question was already answered.")
    if asked := call.inputs.open:
        return [_input_given(call.call_id, asked.request, given, actor, at)]
    if given.content is not None or given.action != "accept":
        raise InvalidInput("That is a question of the agent, which is answered in words.")
    text = check_text(given.text, "The answer")
    return [QuestionAnswered(**stamp(actor, at), call_id=call.call_id, answer=text)]


def _input_given(call_id: str, request: InputRequest, given: Given, actor: Actor, at: datetime) -> InputGiven:
    action, content = given.action, given.content
    if action == "accept" and content is None:
        action, content = read_words(request, check_text(given.text, "The answer"))
    content = check(request, check_data(content)) if action == "accept" else None
    said = words_of(request, action, content or {})
    about = {"call_id": call_id, "key": request.key, "action": action}
    return InputGiven(**stamp(actor, at), **about, content=content or None, answer=said)


def tell(
    session: Session,
    text: str,
    actor: Actor,
    at: datetime,
    *,
    kind: Kind,
    answers: bool = True,
    persona: str = "",
    instead: bool = False,
    files: Sequence[GivenFile] = (),
) -> list[Event]:
    """Return the answer to the session's only open question, if it `answers`, or context for its next step.

    A note of a `persona` is no answer. `files` are attached to the message, which may then be empty. With `instead` the
    calls that wait for an approval are withdrawn, and the agent reads the text as what to do instead.
    """
    text = check_text(text, "The message", optional=bool(files))
    if instead:
        return [*withdraw(session, [], text, actor, at), *given(session, "", files, kind, actor, at)]
    asking = session.calls_in("asking")
    if answers and not persona and text and len(asking) == 1:
        answered = answer(session, asking[0].call_id, Given(text), actor, at)
        return [*answered, *given(session, "", files, kind, actor, at)]
    return given(session, text, files, kind, actor, at, persona=persona)


def given(
    session: Session | None,
    text: str,
    files: Sequence[GivenFile],
    kind: Kind,
    actor: Actor,
    at: datetime,
    *,
    persona: str = "",
) -> list[Event]:
    """Return the context with a text and attached files; nothing without both. Raises IllegalEvent or LimitReached."""
    if not text and not files:
        return []
    if files and session:
        check_files(session, files)
    names = ", ".join(f"{file.name} ({count(file.size, 'byte')})" for file in files)
    told = f"{text}\n\n(Attached: {names})".strip() if files else text
    if session:
        check_room(session, told)
    return [ContextAdded(**stamp(actor, at), text=told, kind=kind, persona=persona, files=tuple(files))]


def check_files(session: Session, files: Sequence[GivenFile]) -> None:
    """Raise LimitReached where a session has been given as many files as it may have."""
    has = len(session.attachments.taken) + len(session.attachments.awaited)
    if has + len(files) > MOST_FILES:
        raise LimitReached(
            f"This session has {has} attached files, and may have {MOST_FILES}; nothing was added."
        )


def note_refusal(
    session: Session, signal: Signal, most_bytes: int, actor: Actor, at: datetime
) -> list[Event]:
    """Return a note that what a paused session waits for came and was refused for its size, once in ten minutes."""
    if f"{signal.kind}:{signal.name}" not in awaited_signals(session):
        return []
    text = (
        f"A{'n' if signal.kind == 'event' else ''} {signal.kind} `{signal.name}` came and was refused, as it has more "
        f"than the {most_bytes:,} bytes that are taken. It did not resume this session."
    )
    told = any(note.text == text and at - note.at < REFUSALS_APART for note in session.inbox)
    if told or len(session.inbox) >= MOST_UNREAD:
        return []
    return [ContextAdded(**stamp(actor, at), text=text, kind="api")]


def refused(
    session: Session, attempt: str, problem: str, call_id: str, actor: Actor, at: datetime
) -> list[Event]:
    """Return a note that the actor was refused.

    It is made once in ten minutes for each kind of attempt, up to a limit; one log has at most `MOST_RECORDED`.
    """
    if session.ended or session.refused >= MOST_RECORDED:
        return []
    if len(session.refusals) >= MOST_REFUSALS and at - session.refusals[0].at < REFUSALS_APART:
        return []
    if was_refused(session, attempt, actor, at):
        return []
    return [ActionRefused(**stamp(actor, at), attempt=attempt, problem=problem, about=call_id)]


def was_refused(session: Session, attempt: str, actor: Actor, at: datetime) -> bool:
    """Whether the log records that the actor was refused the same a short time ago."""
    return any(
        r.by == actor.id and r.attempt == attempt and at - r.at < REFUSALS_APART for r in session.refusals
    )


def heard(events: list[Event]) -> Heard:
    """Return how `tell` recorded the message: as an answer, as context, or in place of calls that waited."""
    if any(isinstance(event, ApprovalWithdrawn) for event in events):
        return "withdrawn"
    return (
        "answered" if any(isinstance(event, QuestionAnswered | InputGiven) for event in events) else "noted"
    )


def _only_question(session: Session) -> str:
    asking = session.calls_in("asking")
    if len(asking) == 1:
        return asking[0].call_id
    many = "more than one question is open, so name its call" if asking else "no question is open"
    raise IllegalEvent(f"Nothing was answered: {many}.")
