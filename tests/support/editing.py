"""The window in which a proposed call is changed, as people use it."""

from __future__ import annotations

from typing import Any

from supervisor.core.state import Session
from tests.support.scenario import Director, Scene
from tests.support.scripted import calls, in_turn, says
from tests.support.slack import ADA, OPS, Json

EDIT = "call_edit"
ONE = in_turn(calls(("deploy", {"service": "shop", "notes": "quick"})), says("Done."))


def asked(approvers: dict[str, Any]) -> dict[str, Any]:
    """A persona that asks these people before it deploys."""
    return {"approvals": [{"tool": "deploy", "mode": "ask", "approvers": approvers}]}


async def begun(scenario: Director, behave: Any = ONE, **more: Any) -> tuple[Scene, Session, Json]:
    """The scene, the session that waits, and its approval message."""
    scene = await scenario(behave, **more)
    session = await scene.launch()
    (ask,) = await scene.asked(session)
    return scene, await scene.waiting(session), ask


async def window(scene: Scene, ask: Json, user: str = ADA) -> Json:
    """Press Edit; the window that opens."""
    assert (await scene.slack.click(user, OPS, ask["ts"], EDIT))["ok"]
    return await scene.slack.view(user)


def block_of(view: Json, name: str) -> Json:
    """The input with this label, or this block id."""
    inputs = [block for block in view["blocks"] if block["type"] == "input"]
    return next(b for b in inputs if name in (b["label"]["text"], b["block_id"]))


def filled(view: Json, **values: Any) -> Json:
    """The state of some inputs, by label or block id: a text, the text of an option, or a list of options."""
    state: Json = {}
    for name, value in values.items():
        block = block_of(view, name)
        element = block["element"]
        options = {o["text"]["text"]: o for o in element.get("options", ())}
        if element["type"] == "static_select":
            given: Json = {"selected_option": options[value] if value else None}
        elif element["type"] == "multi_static_select":
            given = {"selected_options": [options[v] for v in value]}
        else:
            given = {"value": value}
        state[block["block_id"]] = {"value": {"type": element["type"], **given}}
    return state


async def save(scene: Scene, view: Json, user: str = ADA, **values: Any) -> Json:
    """Fill some inputs in and press “Save and approve”."""
    return await scene.slack.submit(user, view, filled(view, **values))


def errors(view: Json, answer: Json) -> dict[str, str]:
    """What the window says is wrong, by label."""
    assert not answer["ok"], answer
    labels = {b["block_id"]: b["label"]["text"] for b in view["blocks"] if b["type"] == "input"}
    return {labels[block]: text for block, text in answer["errors"].items()}


async def recorded(scene: Scene, session: Session, kind: type[Any]) -> list[Any]:
    """The events of one kind in the session's log."""
    events = await scene.flagman.core.supervisor.sessions.events(session.id)
    return [event for event in events if isinstance(event, kind)]


def submission(view: Json, user: str, **values: Any) -> Json:
    """What Slack sends when a person saves, whoever had opened the window."""
    return {
        "type": "view_submission",
        "user": {"id": user, "name": "somebody"},
        "team": {"id": "T0PLAYGRD1"},
        "view": {**view, "state": {"values": filled(view, **values)}},
    }
