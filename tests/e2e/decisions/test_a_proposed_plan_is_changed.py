"""Edit on a plan: its tasks, who does them, what they wait for, and what happens when one fails."""

from __future__ import annotations

import json
from typing import Any

import pytest

from supervisor.core.delegation import plan_of
from supervisor.core.events import CallEdited
from supervisor.core.messages import ModelReply, ModelRequest
from supervisor.core.state import Session
from tests.support.editing import begun, block_of, recorded, save, window
from tests.support.scenario import VIEW, Director, Scene, live_markup, write_persona
from tests.support.scripted import calls, in_turn, says, told
from tests.support.slack import ADA, OPS, SIGNING_SECRET, Json, texts

HOSTILE = "<!channel> <@U0GRACE01> *b* `c`"
PLAN: dict[str, Any] = {
    "subtasks": [
        {"id": "disk", "persona": "ops", "task": "Look at the disk."},
        {"id": "logs", "persona": "ops", "task": "Look at the logs."},
        {"id": "report", "persona": "ops", "task": "Write it up.", "depends_on": ["disk", "logs"]},
    ],
    "on_failure": "ask",
}


def planning(plan: dict[str, Any]) -> Any:
    """Who was launched by a person proposes the plan; everybody else is done at once."""

    def behave(request: ModelRequest) -> ModelReply:
        first = told(request)[0]
        if "ship it" in first:
            return in_turn(calls(("plan_tasks", plan)), says("All done."))(request)  # type: ignore[return-value]
        return says(f"Did: {first}")

    return behave


async def proposed(scenario: Director, plan: dict[str, Any] = PLAN) -> tuple[Scene, Session, Json]:
    rules = {"agents": ["*"], "approvals": [{"tool": "plan_tasks", "mode": "ask"}]}
    for name in ("writer", "hidden"):
        write_persona(scenario.personas, name)
    return await begun(scenario, planning(plan), persona={**rules, "agents": ["ops", "writer"]})


async def test_each_subtask_can_be_read_and_changed(scenario: Director) -> None:
    scene, session, ask = await proposed(scenario)
    view = await window(scene, ask)
    assert block_of(view, "1. disk")["element"]["initial_value"] == "Look at the disk."
    assert [o["value"] for o in block_of(view, "who:0")["element"]["options"]] == ["ops", "writer"]
    after = block_of(view, "after:2")["element"]
    assert [o["value"] for o in after["initial_options"]] == ["disk", "logs"]
    changes: dict[str, Any] = {
        "task:0": "Look at /var.",
        "who:2": "writer",
        "after:2": ["disk"],
        "on_failure": "continue",
    }
    assert (await save(scene, view, **changes))["ok"]
    ended = await scene.ended(session)
    plan = plan_of(ended.steps[0].calls[0])
    assert [(s.task, s.persona, s.depends_on) for s in plan.subtasks] == [
        ("Look at /var.", "ops", ()),
        ("Look at the logs.", "ops", ()),
        ("Write it up.", "writer", ("disk",)),
    ]
    assert plan.on_failure == "continue"
    assert {child.task for child in ended.children} == {s.task for s in plan.subtasks}
    rows = await scene.settled(session)
    shown = texts(next(row for row in rows if row["ts"] == ask["ts"]))
    assert f"Changed by <@{ADA}>" in shown
    assert "-     Look at the disk." in shown
    assert "+     Look at /var." in shown
    assert "- report (ops), after disk, logs:" in shown
    assert "+ report (writer), after disk:" in shown
    assert "Look at the logs." not in shown[shown.index("Changed by") :].split("Approved by")[0]
    assert (await scene.slack.click(ADA, OPS, ask["ts"], VIEW))["ok"]
    both = json.dumps((await scene.slack.view(ADA))["blocks"])
    assert (
        both.index("Look at /var.") < both.index("As the agent proposed it") < both.index("Look at the disk.")
    )
    assert await scene.refused() == []


async def test_an_emptied_subtask_is_taken_out(scenario: Director) -> None:
    scene, session, ask = await proposed(scenario)
    view = await window(scene, ask)
    wrong = await save(scene, view, **{"task:1": "  "})
    assert wrong["errors"] == {"after:2": "logs is taken out of the plan, so nothing can begin after it."}
    changes: dict[str, Any] = {"task:1": "", "after:2": ["disk"]}
    assert (await save(scene, view, **changes))["ok"]
    ended = await scene.ended(session)
    assert [child.name for child in ended.children] == ["disk", "report"]


@pytest.mark.parametrize(
    ("changes", "errors"),
    [
        (
            {"task:0": "", "task:1": "", "task:2": ""},
            {"task:0": "A plan needs at least one subtask; to stop it, deny the call."},
        ),
        ({"after:0": ["report"]}, {"after:0": "These subtasks wait for each other: disk, report."}),
    ],
)
async def test_what_cannot_be_carried_out_is_said_where_it_is_wrong(
    scenario: Director, changes: dict[str, Any], errors: dict[str, str]
) -> None:
    scene, session, ask = await proposed(scenario)
    wrong = await save(scene, await window(scene, ask), **changes)
    assert wrong["errors"] == errors
    assert await recorded(scene, session, CallEdited) == []


async def test_who_may_not_be_launched_is_no_option(scenario: Director) -> None:
    scene, _, ask = await proposed(scenario)
    assert "hidden" not in json.dumps(await window(scene, ask))


async def test_a_long_or_secret_task_stays_and_the_rest_can_be_changed(scenario: Director) -> None:
    token = SIGNING_SECRET
    subtasks = [
        {"id": "long", "persona": "ops", "task": "x" * 3001},
        {"id": "secret", "persona": "ops", "task": f"Use {token}."},
    ]
    scene, session, ask = await proposed(scenario, {"subtasks": subtasks})
    view = await window(scene, ask)
    assert token not in json.dumps(view)
    assert not [b for b in view["blocks"] if b["block_id"] in ("task:0", "task:1")]
    assert (await save(scene, view, **{"who:1": "writer"}))["ok"]
    ended = await scene.ended(session)
    plan = plan_of(ended.steps[0].calls[0])
    assert [(s.task, s.persona) for s in plan.subtasks] == [("x" * 3001, "ops"), (f"Use {token}.", "writer")]


async def test_a_plan_of_fifty_is_changed_as_far_as_it_is_shown(scenario: Director) -> None:
    subtasks = [{"id": f"part-{n}", "persona": "ops", "task": f"Do part {n}."} for n in range(50)]
    subtasks[49]["depends_on"] = ["part-3"]  # type: ignore[assignment]
    scene, session, ask = await proposed(scenario, {"subtasks": subtasks})
    view = await window(scene, ask)
    assert "22 further subtasks have no room here" in json.dumps(view)
    wrong = await save(scene, view, **{"task:3": ""})
    assert wrong["errors"] == {
        "task:3": "part-49, further down in the plan, begins after this; it has to stay."
    }
    assert (await save(scene, view, **{"task:0": "", "task:27": "Do the last one."}))["ok"]
    changed = await scene.flagman.session(lambda s: s.steps[0].calls[0].edited_by, session.id)
    plan = plan_of(changed.steps[0].calls[0])
    assert len(plan.subtasks) == 49
    assert plan.subtasks[26].task == "Do the last one."
    await scene.ended(session)


async def test_hostile_tasks_are_inert(scenario: Director) -> None:
    subtasks = [{"id": "one", "persona": "ops", "task": HOSTILE}]
    scene, session, ask = await proposed(scenario, {"subtasks": subtasks})
    view = await window(scene, ask)
    assert live_markup(view["blocks"]) == set()
    assert (await save(scene, view, **{"task:0": f"{HOSTILE} <!here>"}))["ok"]
    await scene.ended(session)
    rows = await scene.settled(session)
    assert live_markup(next(row for row in rows if row["ts"] == ask["ts"])) <= {f"<@{ADA}>"}


async def test_one_sub_agent_can_be_chosen_from_those_allowed(scenario: Director) -> None:
    rules = {"agents": ["ops", "writer"], "approvals": [{"tool": "launch_agent", "mode": "ask"}]}
    write_persona(scenario.personas, "writer")

    def behave(request: ModelRequest) -> ModelReply:
        if "ship it" in told(request)[0]:
            launch = calls(("launch_agent", {"persona": "ops", "task": "Write it."}))
            return in_turn(launch, says("All done."))(request)  # type: ignore[return-value]
        return says("Done.")

    scene, session, ask = await begun(scenario, behave, persona=rules)
    view = await window(scene, ask)
    assert [o["text"]["text"] for o in block_of(view, "persona")["element"]["options"]] == ["ops", "writer"]
    assert (await save(scene, view, persona="writer"))["ok"]
    ended = await scene.ended(session)
    assert [child.persona for child in ended.children] == ["writer"]
