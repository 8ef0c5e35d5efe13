"""A coordinator and its sub-agents in a scenario: what each says is scripted by its name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from supervisor.core.messages import ModelReply, ModelRequest
from supervisor.core.state import Session
from tests.support.scenario import Director, Scene, key_of, write_persona
from tests.support.scripted import Behaviour, calls, in_turn, says, told
from tests.support.slack import OPS, Json, texts, wait_for

COORDINATOR: Json = {
    "agents": ["*"],
    "delegates": ["*"],
    "approvals": [{"tool": "plan_tasks", "mode": "allow"}],
}
CHILD_RETRY, CHILD_SKIP, CHILD_STOP = "child_retry", "child_skip", "child_stop"


def subtask(name: str, *after: str, persona: str = "worker") -> Json:
    """A part whose task begins with its name, by which `subagents` knows who speaks."""
    return {"id": name, "persona": persona, "task": f"{name}: do your part", "depends_on": list(after)}


def plan(*subtasks: Json, on_failure: str = "continue") -> ModelReply:
    return calls(("plan_tasks", {"subtasks": list(subtasks), "on_failure": on_failure}))


def subagents(first: ModelReply, parts: Mapping[str, Behaviour]) -> Behaviour:
    """The coordinator replies with its plan and then sums up; each sub-agent follows the script of its name."""
    coordinator = in_turn(first, says("All parts are in."))

    def behave(request: ModelRequest) -> Any:
        name, _, _ = told(request)[0].partition(":")
        return parts.get(name, coordinator)(request)

    return behave


def deploys(service: str, text: str = "Deployed.") -> Behaviour:
    """Proposes one call that needs an approval."""
    return in_turn(calls(("deploy", {"service": service})), says(text))


async def coordinated(
    scenario: Director, folder: Path, first: ModelReply, parts: Mapping[str, Behaviour], **more: Any
) -> Scene:
    """The coordinator is the persona `ops`, its sub-agents are `worker`, or `lead`, who may launch others."""
    write_persona(folder / "personas", "worker", **more.pop("worker", {}))
    write_persona(folder / "personas", "lead", **COORDINATOR)
    return await scenario(subagents(first, parts), persona={**COORDINATOR, **more.pop("persona", {})}, **more)


async def child(scene: Scene, session: Session, name: str) -> Session:
    """The newest sub-agent of that name, once it is there."""

    async def look() -> Session | None:
        supervisor = scene.flagman.core.supervisor
        found = [c for c in (await supervisor.get(session.id)).children if c.name == name]
        return await supervisor.get(found[-1].id) if found else None

    return await wait_for(look)


async def board(scene: Scene, session: Session, *words: str) -> Json:
    """The coordinator's board, once it says all of `words`."""
    card = await scene.card(session)

    async def look() -> Json | None:
        for row in await scene.slack.messages(OPS, card["ts"]):
            payload = (row.get("metadata") or {}).get("event_payload") or {}
            if payload == {"session": session.id, "key": "board"} and all(w in texts(row) for w in words):
                return row
        return None

    return await wait_for(look)


async def failure(scene: Scene, session: Session, *words: str) -> Json:
    """The message about a failed sub-agent in the coordinator's thread, once it says all of `words`."""
    card = await scene.card(session)

    async def look() -> Json | None:
        for row in await scene.slack.messages(OPS, card["ts"]):
            if key_of(row).startswith("failed:") and all(w in texts(row) for w in words):
                return row
        return None

    return await wait_for(look)


def row_of(message: Json, session: Session, call_id: str = "1.1") -> str:
    """The block with the buttons of a call."""
    wanted = f"act:{session.id}:{call_id}"
    return next((b["block_id"] for b in message["blocks"] if b["block_id"] == wanted), "")
