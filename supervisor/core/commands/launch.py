"""Launching: a new session from a persona and a task, with a given plan, or from an earlier session."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from supervisor.core.commands.base import check_text, stamp
from supervisor.core.commands.conversation import given
from supervisor.core.commands.fork import copy_events, cut_at, without_pause
from supervisor.core.delegation import PLAN
from supervisor.core.errors import InvalidInput
from supervisor.core.events import (
    Actor,
    ContextAdded,
    Event,
    GivenFile,
    Inherited,
    ModelResponded,
    Resumed,
    SessionForked,
    SessionLaunched,
)
from supervisor.core.messages import Json, ModelReply, ProposedCall, Usage
from supervisor.core.persona import Persona
from supervisor.core.reducer import fold
from supervisor.core.state import Session
from supervisor.core.text.sanitize import clean
from supervisor.core.tool_calls import ToolDeclaration, record_reply


def launch(
    persona: Persona,
    task: str,
    actor: Actor,
    at: datetime,
    *,
    tools: Mapping[str, ToolDeclaration],
    roster: Collection[str] = (),
    origin: Json | None = None,
    coordinate: bool = False,
    plan: Json | None = None,
    asked_by: Collection[str] = (),
    context: str = "",
    files: Sequence[GivenFile] = (),
) -> list[Event]:
    """Return the first events of a session. `tools` are those of the persona, `roster` the personas it may launch.

    `asked_by` are those who asked for it besides the actor. The agent reads `context` besides the task, and finds
    `files` in its folder.

    `coordinate`: the persona has to be able to split its task over sub-agents. With a `plan`, the arguments of
    `plan_tasks`, the session begins by carrying that out. Raises InvalidInput.
    """
    task = check_text(task, "The task")
    if (coordinate or plan is not None) and PLAN not in tools:
        raise InvalidInput(f"`{persona.name}` has no sub-agents to launch, so it cannot coordinate.")
    launched = SessionLaunched(
        **stamp(actor, at),
        task=task,
        persona=persona.name,
        persona_digest=persona.digest,
        budgets=persona.budgets,
        origin=clean(origin or {}),
        asked_by=tuple(sorted(set(asked_by) - actor.ids)),
    )
    context = check_text(context, "The context", optional=True)
    told = given(None, context, files, "mention", actor, at)
    if plan is None:
        return [launched, *told]
    return [launched, *told, _given_plan(persona, clean(plan), actor, at, tools, roster)]


def _given_plan(
    persona: Persona,
    plan: Json,
    actor: Actor,
    at: datetime,
    tools: Mapping[str, ToolDeclaration],
    roster: Collection[str],
) -> ModelResponded:
    """Return the given plan as a call of the model, under the same policy. Raises InvalidInput."""
    call = ProposedCall(call_id="given", tool=PLAN, arguments=plan)
    reply = ModelReply(
        text="", calls=(call,), usage=Usage(), cost_usd=Decimal(0), model="given", duration_ms=0
    )
    event = record_reply(reply, step=1, context_seen=0, persona=persona, tools=tools, roster=roster, at=at)
    if event.calls[0].mode == "refuse":
        raise InvalidInput(event.calls[0].reason)
    return event.model_copy(update=stamp(actor, at))


def fork(
    session_id: str,
    log: Sequence[Event],
    actor: Actor,
    at: datetime,
    *,
    persona: Persona | None = None,
    step: int | None = None,
    message: str = "",
    origin: Json | None = None,
    gone: Collection[str] = (),
) -> list[Event]:
    """Return the events of a copy of `log` up to the end of a step, from where the copy runs by itself.

    Nothing that ran before runs again. `persona` rules the copy (default: the one of the source). Without `step` it
    goes as far as every call has its result; `message` says what to do otherwise. `gone` are files of the source
    that are not on this machine. Raises InvalidInput where it cannot be copied there.
    """
    message = check_text(message, "The message", optional=True)
    source = fold(session_id, log)
    cut = cut_at(session_id, log, step, words=bool(message))
    events = copy_events(log, cut, origin=source.origin if origin is None else clean(origin), persona=persona)
    then = fold(session_id, log[: cut.version])
    files = _files(source, then, log)
    if undecided := then.approval is not None and then.approval.phase == "awaiting":
        events = without_pause(events)
    forked = SessionForked(
        **stamp(actor, at),
        source=session_id,
        step=cut.step,
        version=cut.version,
        requesters=tuple(sorted(source.requesters | source.steered_by)),
        files=files,
        missing=tuple(path for path in files.paths if path in gone) if files else (),
    )
    events += [forked, *([Resumed(**stamp(actor, at))] if cut.paused and not undecided else [])]
    events += [ContextAdded(**stamp(actor, at), text=message, kind="command")] if message else []
    return events


def _files(source: Session, then: Session, log: Sequence[Event]) -> Inherited | None:
    """Return the files of a copy: those that the source had written by then, and those that it had begun with."""
    given = [path if i.into == "." else f"{i.into}/{path}" for i in then.inherited for path in i.paths]
    removed = {path for step in then.steps for call in step.calls for path in call.removed}
    paths = tuple(dict.fromkeys((*(path for path in given if path not in removed), *then.artifacts)))
    if not paths:
        return None
    # The files of a copy in which no tool has run are still in the folder of its own source.
    since = [event.type for event in log[_copied(log) :]]
    first = source.forked.files if source.forked and "ToolStarted" not in since else None
    return Inherited(into=".", folder=first.folder if first else source.folder, paths=paths)


def _copied(log: Sequence[Event]) -> int:
    """Return the number of events that came from the source of a log."""
    return max((n for n, event in enumerate(log, start=1) if isinstance(event, SessionForked)), default=0)
