"""Edit: what a person saves in the window is what runs, under the same policy, and everybody sees what was changed."""

from __future__ import annotations

import asyncio
import json
from typing import Any, Literal

import pytest

from supervisor.core.events import ApprovalDecided, CallEdited
from supervisor.core.session import Session
from supervisor.tools.contract import ToolContext, Toolset
from supervisor.tools.typed import tool
from tests.support.scripted import calls, in_turn, results, says
from tests.support.slack import ADA, GRACE, LINUS, OPS, Json, buttons, texts, wait_for
from tests.support.stage import APPROVE, VIEW, Director, Scene, live_markup

EDIT = "call_edit"
HOSTILE = "<!channel> <@U0GRACE01> *b* `c` <https://evil.example|x>"
ONE = in_turn(calls(("deploy", {"service": "shop", "notes": "quick"})), says("Done."))


def asked(by: dict[str, Any], *, when: dict[str, str] | None = None) -> dict[str, Any]:
    """A persona that asks these people to deploy (only `when`, if given; otherwise anybody)."""
    return {
        "approvals": [{"tool": "deploy", "mode": "ask", "approvers": by, **({"when": when} if when else {})}]
    }


async def begun(stage: Director, behave: Any = ONE, **more: Any) -> tuple[Scene, Session, Json]:
    """The scene, the session that waits, and its approval message."""
    scene = await stage(behave, **more)
    session = await scene.launch()
    (ask,) = await scene.asked(session)
    return scene, await scene.waiting(session), ask


async def window(scene: Scene, ask: Json, user: str = ADA) -> Json:
    assert (await scene.slack.click(user, OPS, ask["ts"], EDIT))["ok"]
    return await scene.slack.view(user)


def block_of(view: Json, name: str) -> Json:
    """The input with this label."""
    return next(b for b in view["blocks"] if b["type"] == "input" and b["label"]["text"] == name)


def filled(view: Json, **values: Any) -> Json:
    """The state of some inputs, by label: a text, the text of an option, or a list of options."""
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
    return await scene.slack.submit(user, view, filled(view, **values))


def errors(view: Json, answer: Json) -> dict[str, str]:
    """What the window says is wrong, by label."""
    assert not answer["ok"], answer
    labels = {b["block_id"]: b["label"]["text"] for b in view["blocks"] if b["type"] == "input"}
    return {labels[block]: text for block, text in answer["errors"].items()}


async def log(scene: Scene, session: Session, kind: type[Any]) -> list[Any]:
    events = await scene.flagman.core.supervisor.sessions.events(session.id)
    return [event for event in events if isinstance(event, kind)]


async def test_what_is_saved_is_what_runs(stage: Director) -> None:
    scene, session, ask = await begun(stage)
    view = await window(scene, ask, GRACE)
    assert block_of(view, "service")["element"]["initial_value"] == "shop"
    assert not block_of(view, "service")["optional"]
    assert block_of(view, "notes")["optional"]
    assert (await save(scene, view, GRACE, service="bank", notes=""))["ok"]
    await scene.ended(session)
    assert [row[3] for row in scene.runs("deploy")] == [{"service": "bank", "notes": ""}]
    (change,) = await log(scene, session, CallEdited)
    (approval,) = await log(scene, session, ApprovalDecided)
    assert change.by == approval.by == f"slack:{GRACE}"
    assert "deployed bank" in results(scene.model.requests[-1])[0]
    rows = await scene.settled(session)
    shown = texts(next(row for row in rows if row["ts"] == ask["ts"]))
    assert f"Changed by <@{GRACE}>" in shown
    assert "- service: shop" in shown
    assert "+ service: bank" in shown
    assert "- notes: quick" in shown
    assert await scene.refused() == []


async def test_the_full_call_shows_both_versions(stage: Director) -> None:
    scene, session, ask = await begun(stage)
    await save(scene, await window(scene, ask), service="bank")
    await scene.ended(session)
    await scene.settled(session)
    assert (await scene.slack.click(ADA, OPS, ask["ts"], VIEW))["ok"]
    shown = json.dumps((await scene.slack.view(ADA))["blocks"])
    assert (
        shown.index("service: bank") < shown.index("As the agent proposed it") < shown.index("service: shop")
    )


async def test_saved_as_it_was_is_an_approval_of_the_very_call(stage: Director) -> None:
    scene, session, ask = await begun(stage)
    assert (await save(scene, await window(scene, ask)))["ok"]
    ended = await scene.ended(session)
    assert await log(scene, session, CallEdited) == []
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


async def test_every_kind_of_argument_has_its_input(stage: Director) -> None:
    runs: list[Json] = []
    given = {"where": "dev", "count": 3, "names": ["a", "b"], "labels": {"x": "1"}}
    behave = in_turn(calls(("everything", given)), says("Done."))
    scene, session, ask = await begun(stage, behave, tools=everything(runs))
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


async def test_what_does_not_fit_is_said_at_its_field(stage: Director) -> None:
    scene, _, ask = await begun(stage, in_turn(calls(("fail", {"times": 3})), says("Done.")))
    view = await window(scene, ask)
    assert errors(view, await save(scene, view, times="12")) == {
        "times": "Input should be less than or equal to 9."
    }
    assert errors(view, await save(scene, view, times="1.5")) == {"times": "Enter a whole number."}
    assert scene.runs() == []


async def test_what_policy_denies_is_refused_in_the_window(stage: Director) -> None:
    rules = [
        {"tool": "deploy", "when": {"service": "bank*"}, "mode": "deny", "reason": "Not the bank."},
        {"tool": "deploy", "mode": "ask"},
    ]
    scene, session, ask = await begun(stage, persona={"approvals": rules})
    view = await window(scene, ask)
    wrong = await save(scene, view, notes="x", service="bank-eu")
    assert errors(view, wrong) == {"service": "Policy forbids this call. Not the bank."}
    assert await log(scene, session, CallEdited) == []
    assert (await save(scene, view, service="shop-eu"))["ok"]
    await scene.ended(session)
    assert scene.runs("deploy")[0][3]["service"] == "shop-eu"


BANK_NEEDS_GRACE = {
    "approvals": [
        {"tool": "deploy", "when": {"service": "bank"}, "mode": "ask", "approvers": {"users": [GRACE]}},
        {"tool": "deploy", "mode": "ask"},
    ]
}


async def test_a_change_that_is_for_others_waits_for_them(stage: Director) -> None:
    scene, session, ask = await begun(stage, persona=BANK_NEEDS_GRACE)
    assert (await save(scene, await window(scene, ask), service="bank"))["ok"]
    assert "others have to approve it" in texts(await scene.slack.view(ADA))
    waits = await scene.waiting(session)
    digest = waits.steps[0].calls[0].call.digest
    assert digest != session.steps[0].calls[0].call.digest

    def renewed(message: Json) -> bool:
        return message["ts"] == ask["ts"] and "Changed by" in texts(message)

    shown = await scene.slack.message(OPS, renewed, ask["thread_ts"])
    assert f"May decide: <@{GRACE}>" in texts(shown)
    assert "still needs approval" in texts(shown)
    assert digest[:20] in buttons(shown)[APPROVE]["value"]
    for action in (APPROVE, EDIT):
        assert (await scene.slack.click_stale(GRACE, OPS, ask, action))["ok"]
    told = await scene.whispers(GRACE, 2, ask["thread_ts"])
    assert all("That message shows another call" in row["text"] for row in told)
    assert (await scene.slack.click(ADA, OPS, ask["ts"], APPROVE))["ok"]
    (late,) = await scene.whispers(ADA, 1, ask["thread_ts"])
    assert "You may not decide" in late["text"]
    assert scene.runs() == []
    assert (await scene.slack.click(GRACE, OPS, ask["ts"], APPROVE))["ok"]
    await scene.ended(session)
    assert scene.runs("deploy")[0][3]["service"] == "bank"


@pytest.mark.parametrize(
    ("approvers", "may"),
    [
        ({"users": [GRACE]}, False),
        ({"groups": ["leads"]}, False),
        ({"groups": ["sre"]}, True),
        ({"exclude_requester": True}, False),
    ],
)
async def test_only_those_may_change_it_who_may_approve_it(
    stage: Director, approvers: dict[str, Any], may: bool
) -> None:
    scene, session, ask = await begun(stage, persona=asked(approvers))
    assert (await scene.slack.click(ADA, OPS, ask["ts"], EDIT))["ok"]
    if may:
        assert (await save(scene, await scene.slack.view(ADA), service="bank"))["ok"]
        await scene.ended(session)
        (approval,) = await log(scene, session, ApprovalDecided)
        assert approval.via == "group:sre"
        return
    (told,) = await scene.whispers(ADA, thread_ts=ask["thread_ts"])
    assert "may not decide" in told["text"] or "somebody else has to decide" in told["text"]
    assert await scene.slack.views(ADA) == []
    assert await log(scene, session, CallEdited) == []


async def test_a_window_opened_by_who_may_not_save_is_refused_when_saved(stage: Director) -> None:
    scene, session, ask = await begun(stage, persona=asked({"users": [GRACE]}))
    view = await window(scene, ask, GRACE)
    state = {"values": filled(view, service="bank")}
    payload = {
        "type": "view_submission",
        "user": {"id": ADA, "name": "ada"},
        "team": {"id": "T0PLAYGRD1"},
        "view": {**view, "state": state},
    }
    ack = await scene.slack.send("deliver", {"type": "interactive", "payload": payload})
    assert "You may not decide" in json.dumps(ack)
    assert await log(scene, session, CallEdited) == []


async def test_whose_group_may_approve_the_change_approves_it_too(stage: Director) -> None:
    rules = [
        {"tool": "deploy", "when": {"service": "bank"}, "mode": "ask", "approvers": {"groups": ["sre"]}},
        {"tool": "deploy", "mode": "ask", "approvers": {"users": [ADA, GRACE]}},
    ]
    scene, session, ask = await begun(stage, persona={"approvals": rules})
    assert (await save(scene, await window(scene, ask), service="bank"))["ok"]
    await scene.ended(session)
    (approval,) = await log(scene, session, ApprovalDecided)
    assert approval.via == "group:sre"


async def test_a_change_counts_once_towards_a_quorum_and_undoes_earlier_approvals(stage: Director) -> None:
    scene, session, ask = await begun(stage, persona=asked({"quorum": 2}))
    assert (await scene.slack.click(GRACE, OPS, ask["ts"], APPROVE))["ok"]
    await scene.slack.message(OPS, lambda m: "1 of 2 approvals" in texts(m), ask["thread_ts"])
    assert (await save(scene, await window(scene, ask), service="bank"))["ok"]
    changed = await scene.flagman.session(lambda s: s.calls_in("awaiting")[0].edited_by, session.id)
    assert [d.by for d in changed.calls_in("awaiting")[0].decisions] == [f"slack:{ADA}"]
    await scene.slack.message(OPS, lambda m: "Changed by" in texts(m), ask["thread_ts"])
    assert scene.runs() == []
    assert (await scene.slack.click(LINUS, OPS, ask["ts"], APPROVE))["ok"]
    await scene.ended(session)
    assert [row[3]["service"] for row in scene.runs("deploy")] == ["bank"]


async def test_sent_twice_it_is_changed_once(stage: Director) -> None:
    scene, session, ask = await begun(stage, webs=2)
    view = await window(scene, ask)
    state = {"values": filled(view, service="bank")}
    payload = {
        "type": "view_submission",
        "user": {"id": ADA, "name": "ada"},
        "team": {"id": "T0PLAYGRD1"},
        "view": {**view, "state": state},
    }
    answers = await asyncio.gather(
        *(scene.slack.send("deliver", {"type": "interactive", "payload": payload}) for _ in range(3))
    )
    assert sum("errors" in json.dumps(answer) for answer in answers) == 2
    await scene.ended(session)
    assert len(await log(scene, session, CallEdited)) == len(scene.runs("deploy")) == 1


async def test_a_window_that_was_open_too_long_says_so(stage: Director) -> None:
    scene, session, ask = await begun(stage, persona=asked({"quorum": 2}))
    early, late = await window(scene, ask), await window(scene, ask, GRACE)
    assert (await save(scene, early, service="bank"))["ok"]
    wrong = await save(scene, late, GRACE, service="mint")
    assert errors(late, wrong) == {"service": "That message shows another call; please use the newest one."}
    await scene.slack.command(ADA, OPS, f"cancel {session.id}")
    assert len(await log(scene, session, CallEdited)) == 1


async def test_an_ended_session_and_a_decided_call_cannot_be_changed(stage: Director) -> None:
    scene, session, ask = await begun(stage)
    view = await window(scene, ask)
    assert (await scene.slack.click(GRACE, OPS, ask["ts"], APPROVE))["ok"]
    await scene.ended(session)
    assert "already approved" in str(errors(view, await save(scene, view, service="bank")))
    assert (await scene.slack.click_stale(LINUS, OPS, ask, EDIT))["ok"]
    (told,) = await scene.whispers(LINUS, thread_ts=ask["thread_ts"])
    assert "already approved by" in told["text"]


async def test_what_is_too_long_or_secret_stays_as_it_is(stage: Director) -> None:
    token = "xoxb-1234567890-abcdefghij"
    given = {"service": "shop " + token, "notes": "x" * 3001}
    scene, session, ask = await begun(stage, in_turn(calls(("deploy", given)), says("Done.")))
    assert (await scene.slack.click(ADA, OPS, ask["ts"], EDIT))["ok"]
    view = await scene.slack.view(ADA)
    shown = json.dumps(view)
    assert token not in shown
    assert not any(block["type"] == "input" for block in view["blocks"])
    assert view["submit"] is None
    assert "its 3,001 characters do not fit into a window" in shown
    assert "it holds a secret" in shown
    assert f"flagman approve {session.id} --edit" in shown


async def test_the_rest_is_kept_to_the_letter(stage: Director) -> None:
    notes = "long " * 700 + "\n\u202e end \n"
    scene, session, ask = await begun(
        stage, in_turn(calls(("deploy", {"service": " shop ", "notes": notes})), says("Done."))
    )
    assert (await save(scene, await window(scene, ask), service="bank"))["ok"]
    await scene.ended(session)
    assert scene.runs("deploy")[0][3] == {"service": "bank", "notes": notes}


async def test_hostile_values_are_inert(stage: Director) -> None:
    given = {"service": HOSTILE, "notes": HOSTILE + "\n# x"}
    scene, session, ask = await begun(stage, in_turn(calls(("deploy", given)), says("Done.")))
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


async def test_one_of_several_calls_is_changed_and_the_others_stay(stage: Director) -> None:
    three = calls(*(("deploy", {"service": name}) for name in ("one", "two", "three")))
    scene, session, ask = await begun(stage, in_turn(three, says("Done.")))
    assert (await scene.slack.click(ADA, OPS, ask["ts"], EDIT, block_id=f"act:{session.id}:1.2"))["ok"]
    assert (await save(scene, await scene.slack.view(ADA), service="second"))["ok"]
    await wait_for(lambda: scene.runs("deploy"))
    assert (await scene.slack.click_stale(ADA, OPS, ask, "call_approve_all"))["ok"]
    (told,) = await scene.whispers(ADA, thread_ts=ask["thread_ts"])
    assert "That message shows another call" in told["text"]
    await scene.slack.message(OPS, lambda m: "Approve all 2" in texts(m), ask["thread_ts"])
    assert (await scene.slack.click(ADA, OPS, ask["ts"], "call_approve_all"))["ok"]
    await scene.ended(session)
    assert {row[3]["service"] for row in scene.runs("deploy")} == {"one", "second", "three"}
