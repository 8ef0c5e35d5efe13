"""Triggers: which signal fulfils which condition of a paused session. Pure functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from supervisor.core.conditions import At, Condition, Connected, Cron, Manual, OnEvent, Parent, Webhook
from supervisor.core.events import Event, PauseReason, Resumed, Trigger, WaitEnded
from supervisor.core.reducer import wake_text
from supervisor.core.state import Session

Kind = Literal["webhook", "event", "cron", "children", "parent", "connection", "manual"]


@dataclass(frozen=True)
class Signal:
    """A webhook or event by `name` with its data, a due time by the name of its wait, or the end of the last sub-agent.

    Or the end of the pause of the session that launched this one, or a connection, whose `name` is from
    `connection_name`.

    `delivery` identifies one webhook or event, which resumes a session once even if it is delivered again.
    """

    kind: Kind
    name: str = ""
    data: Any = None
    delivery: str = ""


class Delivered(NamedTuple):
    """The sessions that a webhook or event resumed; `repeated`: it came from the same sender before."""

    resumed: list[str]
    repeated: bool = False


def _webhook(_: str, condition: Condition, signal: Signal) -> bool:
    return (
        isinstance(condition, Webhook)
        and condition.name == signal.name
        and all(clause.holds(signal.data) for clause in condition.where)
    )


def _event(_: str, condition: Condition, signal: Signal) -> bool:
    if not isinstance(condition, OnEvent) or condition.event != signal.name:
        return False
    return all(clause.holds(signal.data) for clause in condition.where)


def _cron(wait: str, condition: Condition, signal: Signal) -> bool:
    return isinstance(condition, At | Cron) and wait == signal.name


def _children(_: str, condition: Condition, __: Signal) -> bool:
    return isinstance(condition, Manual) and condition.type == "children"


def _parent(_: str, condition: Condition, __: Signal) -> bool:
    return isinstance(condition, Parent)


def connection_name(server: str, person: str) -> str:
    """Return the name by which sessions wait for the connection of a person to a server."""
    return f"{server}:{person}"


def _connection(_: str, condition: Condition, signal: Signal) -> bool:
    return isinstance(condition, Connected) and signal.name == connection_name(
        condition.server, condition.person
    )


def _manual(_: str, __: Condition, ___: Signal) -> bool:
    return True


RESUME_TRIGGERS: Mapping[Kind, Callable[[str, Condition, Signal], bool]] = {
    "webhook": _webhook,
    "manual": _manual,
    "cron": _cron,
    "event": _event,
    "children": _children,
    "parent": _parent,
    "connection": _connection,
}


def matching_condition(session: Session, signal: Signal) -> Condition | None:
    """Return the first condition of the session that the signal fulfils; None where there is none."""
    if signal.delivery and any(halt.delivery == signal.delivery for halt in session.halts):
        return None
    decides = RESUME_TRIGGERS[signal.kind]
    for wait, condition in session.waits:
        if decides(wait, condition, signal):
            return condition
    return None


def named_condition(session: Session, trigger: Trigger, data: Any) -> Condition | None:
    """The first condition of the kind that a person names as what came; None where the session waits for none.

    With `data`, one that such data fulfils.
    """
    for _, condition in session.waits:
        fits = data is None or all(clause.holds(data) for clause in getattr(condition, "where", ()))
        if fits and (condition.type == trigger or (trigger == "clock" and isinstance(condition, At | Cron))):
            return condition
    return None


def awaited_signals(session: Session) -> list[str]:
    """Return what finds the session while it waits, as `webhook:<name>` or `event:<type>`, each once."""
    return list(dict.fromkeys(name for _, condition in session.waits if (name := _index_name(condition))))


def _index_name(condition: Condition) -> str:
    match condition:
        case Webhook():
            return f"webhook:{condition.name}"
        case OnEvent():
            return f"event:{condition.event}"
        case Connected():
            return f"connection:{connection_name(condition.server, condition.person)}"
    return ""


def resumption(session: Session, event: Resumed) -> list[Event]:
    """Return the events of a resume: `event`, and one for the end of each wait that the agent began itself."""
    ends: list[Event] = [
        WaitEnded(
            at=event.at,
            by=event.by,
            by_name=event.by_name,
            call_id=call.call_id,
            content=wake_text(event) or "A person resumed the session.",
        )
        for call in session.calls_in("sleeping")
    ]
    return [event, *ends]


def reason_for(conditions: Sequence[Condition]) -> PauseReason:
    """Return the reason of a pause with these conditions: an approval if there is one, else that of the first."""
    if any(condition.type == "approval" for condition in conditions):
        return "human_approval_required"
    for condition in conditions:
        match condition:
            case Webhook() | OnEvent():
                return "external_dependency"
            case At() | Cron():
                return "scheduled"
            case Manual(type="children"):
                return "children_running"
            case Parent():
                return "parent_paused"
            case Connected():
                return "connection_required"
    return "manual"
