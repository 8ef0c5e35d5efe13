"""What other agents read of a session: its state as a sentence, what it waits for, and where people see it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from supervisor.contract.models import CallView, PersonaView, SessionPage, SessionView
from supervisor.core.messages import Json
from supervisor.core.subagents import Need
from supervisor.core.text.labels import ENDED, WAITING, capital

# Of the task and of what the agent said last, where more than one session is listed.
SHORT = 300
# Of the result; the whole of it is in the session's log.
LONG = 32 * 1024
_UNANSWERED = frozenset({"awaiting", "asking", "unknown"})


def session_result(view: SessionView, *, barred: str = "") -> Json:
    """Return the session as a tool returns it; `barred` says why the caller may not approve its calls."""
    found: Json = {
        "session_id": view.id,
        "status": view.status,
        "summary": summary(view),
        "see": where(view),
        "persona": view.persona,
        "task": _cut(view.task, LONG),
        "launched_by": view.launched_by,
        "steps": view.steps,
        "cost_usd": float(view.total_cost_usd),
        "waiting_for": view.waiting_for,
        "calls": [_call(call) for call in view.calls],
        "needs": [_need(need) for need in view.needs if need.session_id != view.id],
        "sub_agents": [
            {"name": child.name, "session_id": child.id, "status": child.status} for child in view.children
        ],
        "said": "" if view.ended else _cut(view.said, LONG),
        "result": _cut(view.result, LONG),
        "files": view.artifacts,
        "note": barred if any(call.phase == "awaiting" for call in view.calls) else "",
    }
    return {name: value for name, value in found.items() if value not in (None, "", [])}


def page_result(page: SessionPage) -> Json:
    """Return a page of sessions, each in short."""
    rows = [
        {
            "session_id": view.id,
            "status": view.status,
            "summary": summary(view),
            "persona": view.persona,
            "task": _cut(view.task, SHORT),
            "see": where(view),
        }
        for view in page.sessions
    ]
    rows += [
        {"session_id": lost.id, "status": "unreadable", "summary": lost.problem} for lost in page.unreadable
    ]
    return {"sessions": rows, **({"next": page.next} if page.next else {})}


def personas_result(personas: list[PersonaView]) -> Json:
    """Return the personas that can be launched."""
    usable = [one for one in personas if not one.problem]
    return {"personas": [{"name": one.name, "description": one.description} for one in usable]}


def summary(view: SessionView) -> str:
    """Return how the session stands, as one sentence or two."""
    if view.ended:
        return f"{capital(ENDED[view.status])}."
    awaited = [call for call in view.calls if call.phase == "awaiting"]
    if view.waiting_for == "human_approval_required" and awaited:
        names = ", ".join(f"`{call.tool}` ({call.call_id})" for call in awaited)
        return f"Waiting for approval of {names}. A person decides: {where(view)}"
    asked = [call for call in view.calls if call.phase == "asking"]
    if asked:
        return f"Waiting for an answer to: {asked[0].question} Send it with `tell`."
    below = next((need for need in view.needs if need.session_id != view.id), None)
    if below:
        return f"Its sub-agent {below.name} needs a person: {WAITING[below.waiting_for]}. See {where(view)}"
    if view.waiting_for:
        detail = f": {view.pause.detail}" if view.pause and view.pause.detail else ""
        until = " or ".join(view.pause.conditions) if view.pause else ""
        return f"{capital(WAITING[view.waiting_for])}{detail}." + (
            f" It resumes on {until}." if until else ""
        )
    return f"Running, {view.steps} {'step' if view.steps == 1 else 'steps'} so far."


def where(view: SessionView) -> str:
    """Return where a person sees and decides: the address of its card, or else the command."""
    if view.link:
        return view.link
    return f"`flagman {'approve' if view.waiting_for == 'human_approval_required' else 'show'} {view.id}`"


def _call(call: CallView) -> Json:
    return dict(_fields(call))


def _fields(call: CallView) -> Iterator[tuple[str, Any]]:
    yield from (("call_id", call.call_id), ("tool", call.tool), ("arguments", call.arguments))
    yield from (("digest", call.digest), ("request", call.request), ("phase", call.phase))
    if call.phase in _UNANSWERED:
        for name in ("question", "options", "notes", "preview", "runs_as"):
            if value := getattr(call, name):
                yield name, value


def _need(need: Need) -> Json:
    return {"session_id": need.session_id, "name": need.name, "waiting_for": need.waiting_for}


def _cut(text: str, most: int) -> str:
    """Return the text, or its beginning with a note of how much is left out."""
    return text if len(text) <= most else f"{text[:most]} … ({len(text) - most:,} more characters)"
