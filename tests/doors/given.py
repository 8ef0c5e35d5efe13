"""How a session stands before something is done with it; each way returns the names that stand in the cells."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from supervisor.core.commands.base import stamp
from supervisor.core.events import ApprovalDecided, Event, InputRequested, OutcomeLost, ToolStarted
from supervisor.core.messages import ModelReply, ModelRequest
from supervisor.core.reducer import fold
from supervisor.core.state import Session
from tests.api.conftest import House
from tests.core.build import AT, BOB, INPUT, by
from tests.support.scripted import calls, results, told
from tests.support.slack import ADA, OPS
from tests.support.two_level_plan import part, plan, two_level_plan

Names = dict[str, Any]


def behave(request: ModelRequest) -> ModelReply:
    """As `two_level_plan`; `split` has one sub-agent that deploys, `break` one that fails, about which is asked."""
    word = told(request)[0].partition(" ")[0]
    subtask = {"split": part("ship", "deploy shop"), "break": part("broken", "fail it")}.get(word)
    if subtask and not results(request):
        return calls(("plan_tasks", plan(subtask, on_failure="ask")))
    return two_level_plan(request)


async def nothing(house: House) -> Names:
    return {"ID": ""}


async def waits(house: House) -> Names:
    session = await house.scene.waiting(await house.scene.launch("deploy shop"))
    call = session.calls_in("awaiting")[0]
    return {"ID": session.id, "CALL": call.call_id, "DIGEST": call.call.digest}


async def has_written(house: House) -> Names:
    session = await house.scene.launch("write report")
    return {"ID": (await house.scene.ended(session)).id}


async def asks(house: House) -> Names:
    session = await house.scene.launch("ask which one")
    return {"ID": (await house.until(session.id, lambda s: s.calls_in("asking"))).id}


async def has_a_subagent(house: House) -> Names:
    session = await house.scene.launch("split it")
    (child,) = (await house.until(session.id, lambda s: s.running_children)).running_children
    await house.until(child.id, lambda s: s.waiting_for)
    return {"ID": session.id}


async def has_one_that_failed(house: House) -> Names:
    session = await house.scene.launch("break it")

    def asked_about(found: Session) -> bool:
        return found.waiting_for == "human_input_required"

    found = await house.until(session.id, asked_about)
    return {"ID": session.id, "CHILD": found.children[0].id}


async def was_cut_off(house: House) -> Names:
    names = await waits(house)
    sessions = house.scene.flagman.core.sessions
    before = await sessions.load(names["ID"])
    about = {"call_id": names["CALL"], "digest": names["DIGEST"]}
    events: list[Event] = [
        ApprovalDecided(**stamp(BOB, AT), **about, verdict="approve"),
        ToolStarted(**by(), **about, attempt=1, idempotency_key="k"),
        OutcomeLost(**by(), call_id=names["CALL"], attempt=1),
    ]
    await sessions.append(before, fold(before.id, events, before), events)
    return names


async def is_asked_by_a_server(house: House) -> Names:
    names = await waits(house)
    sessions = house.scene.flagman.core.sessions
    before = await sessions.load(names["ID"])
    about = {"call_id": names["CALL"], "digest": names["DIGEST"]}
    events: list[Event] = [
        ApprovalDecided(**stamp(BOB, AT), **about, verdict="approve"),
        ToolStarted(**by(), **about, attempt=1, idempotency_key="k"),
        InputRequested(**by(), call_id=names["CALL"], attempt=1, requests=(INPUT,), state="s"),
    ]
    await sessions.append(before, fold(before.id, events, before), events)
    return names


async def has_a_reminder(house: House) -> Names:
    names = await waits(house)
    await house.api.post(f"/v1/sessions/{names['ID']}/reminders", {"when": "in 2h"})
    return names


async def is_scheduled(house: House) -> Names:
    await house.scene.slack.command(ADA, OPS, 'schedule "0 9 * * MON" launch ops "weekly report"')
    (made,) = (await house.api.get("/v1/schedules"))["schedules"]
    return {"ID": "", "SCHEDULE": made["id"]}


async def is_scheduled_and_paused(house: House) -> Names:
    names = await is_scheduled(house)
    await house.api.post(f"/v1/schedules/{names['SCHEDULE']}/pause")
    return names


def is_paused_until(condition: str) -> Callable[[House], Awaitable[Names]]:
    async def make(house: House) -> Names:
        names = await waits(house)
        body = {"resume_conditions": [condition]}
        paused = await house.api.post(f"/v1/sessions/{names['ID']}/pause", body)
        return {**names, "TOKEN": paused["resume_token"]}

    return make


GIVEN: dict[str, Callable[[House], Awaitable[Names]]] = {
    "nothing": nothing,
    "waits for an approval": waits,
    "has written out/report.md": has_written,
    "asks which one": asks,
    "is asked by a server": is_asked_by_a_server,
    "has a sub-agent at work": has_a_subagent,
    "has a sub-agent that failed": has_one_that_failed,
    "has a call that was cut off": was_cut_off,
    "has the reminder t1": has_a_reminder,
    "is scheduled as SCHEDULE": is_scheduled,
    "is scheduled as SCHEDULE, and paused": is_scheduled_and_paused,
    "is paused until webhook: go": is_paused_until("webhook: go"),
    "is paused until event: deploy.finished": is_paused_until("event: deploy.finished"),
}
