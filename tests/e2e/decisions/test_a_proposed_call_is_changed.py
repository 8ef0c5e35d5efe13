"""Edit: what a person saves in the window is what runs, under the same policy, and everybody sees what was changed."""

from __future__ import annotations

import json
from typing import Literal

from supervisor.core.events import ApprovalDecided, CallEdited
from supervisor.tools.contract import ToolContext, Toolset
from supervisor.tools.typed_tool import tool
from tests.support.editing import EDIT, begun, block_of, errors, recorded, save, window
from tests.support.scenario import APPROVE, VIEW, Director, live_markup
from tests.support.scripted import calls, in_turn, results, says
from tests.support.slack import ADA, GRACE, LINUS, OPS, SIGNING_SECRET, Json, texts, wait_for

HOSTILE = "<!channel> <@U0GRACE01> *b* `c` <https://evil.example|x>"


async def test_what_is_saved_is_what_runs(scenario: Director) -> None:
    scene, session, ask = await begun(scenario)
    view = await window(scene, ask, GRACE)
    assert block_of(view, "service")["element"]["initial_value"] == "shop"
    assert not block_of(view, "service")["optional"]
    assert block_of(view, "notes")["optional"]
    assert (await save(scene, view, GRACE, service="bank", notes=""))["ok"]
    await scene.ended(session)
    assert [row[3] for row in scene.runs("deploy")] == [{"service": "bank", "notes": ""}]
    (change,) = await recorded(scene, session, CallEdited)
    (approval,) = await recorded(scene, session, ApprovalDecided)
    assert change.by == approval.by == f"slack:{GRACE}"
    assert "deployed bank" in results(scene.model.requests[-1])[0]
    rows = await scene.settled(session)
    shown = texts(next(row for row in rows if row["ts"] == ask["ts"]))
    assert f"Changed by <@{GRACE}>" in shown
    assert "- service: shop" in shown
    assert "+ service: bank" in shown
    assert "- notes: quick" in shown
    assert await scene.refused() == []


async def test_the_full_call_shows_both_versions(scenario: Director) -> None:
    scene, session, ask = await begun(scenario)
    await save(scene, await window(scene, ask), service="bank")
    await scene.ended(session)
    await scene.settled(session)
    assert (await scene.slack.click(ADA, OPS, ask["ts"], VIEW))["ok"]
    shown = json.dumps((await scene.slack.view(ADA))["blocks"])
    assert (
        shown.index("service: bank") < shown.index("As the agent proposed it") < shown.index("service: shop")
    )


async def test_saved_as_it_was_is_an_approval_of_the_very_call(scenario: Director) -> None:
    scene, session, ask = await begun(scenario)
    assert (await save(scene, await window(scene, ask)))["ok"]
    ended = await scene.ended(session)
    assert await recorded(scene, session, CallEdited) == []
    assert ended.steps[0].calls[0].call == session.steps[0].calls[0].call
    assert len(scene.runs("deploy")) == 1


def everything(runs: list[Json]) -> Toolset:
    @tool
    async def everything(
        ctx: ToolContext,
        where: Literal["dev", "prod"],
        count: int,
        names: list[str],
        share: float = 0.5,
        sure: bool = False,
        labels: dict[str, str] | None = None,
        text: str | None = "main",
    ) -> str:
        """Take one of each.

        Args:
            where: Which cluster.
        """
        kept = {"where": where, "count": count, "names": names, "share": share, "sure": sure}
        runs.append({**kept, "labels": labels, "text": text})
        return "ok"

    return {"everything": everything}


async def test_every_kind_of_argument_has_its_input(scenario: Director) -> None:
    runs: list[Json] = []
    given = {"where": "dev", "count": 3, "names": ["a", "b"], "labels": {"x": "1"}}
    behave = in_turn(calls(("everything", given)), says("Done."))
    scene, session, ask = await begun(scenario, behave, tools=everything(runs))
    view = await window(scene, ask)
    kinds = {b["label"]["text"]: b["element"]["type"] for b in view["blocks"] if b["type"] == "input"}
    assert kinds == {
        "where": "static_select", "count": "number_input", "names": "plain_text_input", "share": "number_input",
        "sure": "static_select", "labels": "plain_text_input", "text": "plain_text_input",
    }  # fmt: skip
    assert block_of(view, "where")["hint"]["text"] == "Which cluster."
    assert block_of(view, "names")["element"]["initial_value"] == "a\nb"
    wrong = await save(scene, view, count="x", names="a", labels="{", share="many")
    assert errors(view, wrong) == {"count": "Enter a number.", "share": "Enter a number."}
    wrong = await save(scene, view, labels="{", share="1e3", where="dev")
    assert errors(view, wrong)["labels"].startswith("That is no JSON: line 1, Expecting property name")
    wrong = await save(scene, view, labels='{"x": 1}')
    assert errors(view, wrong) == {"labels": "X: Input should be a valid string."}
    assert (
        await save(
            scene,
            view,
            where="prod",
            count="7",
            names=" c \n\nd",
            share="0.25",
            sure="true",
            labels="",
            text="",
        )
    )["ok"]
    await scene.ended(session)
    assert runs == [
        {
            "where": "prod",
            "count": 7,
            "names": ["c", "d"],
            "share": 0.25,
            "sure": True,
            "labels": None,
            "text": "main",
        }
    ]


async def test_what_does_not_fit_is_said_at_its_field(scenario: Director) -> None:
    scene, _, ask = await begun(scenario, in_turn(calls(("fail", {"times": 3})), says("Done.")))
    view = await window(scene, ask)
    assert errors(view, await save(scene, view, times="12")) == {
        "times": "Input should be less than or equal to 9."
    }
    assert errors(view, await save(scene, view, times="1.5")) == {"times": "Enter a whole number."}
    assert scene.runs() == []


async def test_an_ended_session_and_a_decided_call_cannot_be_changed(scenario: Director) -> None:
    scene, session, ask = await begun(scenario)
    view = await window(scene, ask)
    assert (await scene.slack.click(GRACE, OPS, ask["ts"], APPROVE))["ok"]
    await scene.ended(session)
    assert "already approved" in str(errors(view, await save(scene, view, service="bank")))
    assert (await scene.slack.click_stale(LINUS, OPS, ask, EDIT))["ok"]
    (told,) = await scene.whispers(LINUS, thread_ts=ask["thread_ts"])
    assert "already approved by" in told["text"]


async def test_what_is_too_long_or_secret_stays_as_it_is(scenario: Director) -> None:
    token = SIGNING_SECRET
    given = {"service": "shop " + token, "notes": "x" * 3001}
    scene, session, ask = await begun(scenario, in_turn(calls(("deploy", given)), says("Done.")))
    assert (await scene.slack.click(ADA, OPS, ask["ts"], EDIT))["ok"]
    view = await scene.slack.view(ADA)
    shown = json.dumps(view)
    assert token not in shown
    assert not any(block["type"] == "input" for block in view["blocks"])
    assert view["submit"] is None
    assert "its 3,001 characters do not fit into a window" in shown
    assert "it holds a secret" in shown
    assert f"flagman approve {session.id} 1.1 --edit" in shown


async def test_the_rest_is_kept_to_the_letter(scenario: Director) -> None:
    notes = "long " * 700 + "\n\u202e end \n"
    scene, session, ask = await begun(
        scenario, in_turn(calls(("deploy", {"service": " shop ", "notes": notes})), says("Done."))
    )
    assert (await save(scene, await window(scene, ask), service="bank"))["ok"]
    await scene.ended(session)
    assert scene.runs("deploy")[0][3] == {"service": "bank", "notes": notes}


async def test_hostile_values_are_inert(scenario: Director) -> None:
    given = {"service": HOSTILE, "notes": HOSTILE + "\n# x"}
    scene, session, ask = await begun(scenario, in_turn(calls(("deploy", given)), says("Done.")))
    view = await window(scene, ask)
    assert live_markup(view["blocks"]) == set()
    assert (await save(scene, view, notes="<!here> " + HOSTILE))["ok"]
    await scene.ended(session)
    rows = await scene.settled(session)
    shown = next(row for row in rows if row["ts"] == ask["ts"])
    assert "Changed by" in texts(shown)
    assert live_markup(shown) <= {f"<@{ADA}>"}
    assert scene.runs("deploy")[0][3]["notes"] == "<!here> " + HOSTILE
    assert (await scene.slack.click(ADA, OPS, ask["ts"], VIEW))["ok"]
    assert live_markup((await scene.slack.view(ADA))["blocks"]) <= {f"<@{ADA}>"}


async def test_one_of_several_calls_is_changed_and_the_others_stay(scenario: Director) -> None:
    three = calls(*(("deploy", {"service": name}) for name in ("one", "two", "three")))
    scene, session, ask = await begun(scenario, in_turn(three, says("Done.")))
    assert (await scene.slack.click(ADA, OPS, ask["ts"], EDIT, block_id=f"act:{session.id}:1.2"))["ok"]
    assert (await save(scene, await scene.slack.view(ADA), service="second"))["ok"]
    await wait_for(lambda: scene.runs("deploy"))
    assert (await scene.slack.click_stale(ADA, OPS, ask, "call_approve_all"))["ok"]
    (told,) = await scene.whispers(ADA, thread_ts=ask["thread_ts"])
    assert "2 of 3 calls approved" in told["text"]
    assert "`1.2` deploy: This call was already approved" in told["text"]
    await scene.ended(session)
    assert {row[3]["service"] for row in scene.runs("deploy")} == {"one", "second", "three"}
