"""Every command, with good and bad input, is answered by a friendly sentence that only the asker sees."""

from __future__ import annotations

import json
import re

from bot.playground.seed import Manifest, Shortcut
from tests.support.scenario import APPROVE, Director, Scene, live_markup, write_persona
from tests.support.scripted import calls, in_turn, says
from tests.support.seen import recent_sessions
from tests.support.slack import ADA, ADA_DM, GRACE, OPS, Json, Slack, buttons, texts, wait_for

ONE = in_turn(calls(("deploy", {"service": "shop"})), says("Done."))
NAMED = re.compile(r"· ops · ")
HOSTILE = "<!channel> <@U0GRACE01> <https://evil.example|ok> *b* `c` \u202e\x07 &amp; " + "x" * 300


async def answered(scene: Scene, text: str) -> str:
    """The answer to `/agent <text>`, which must be seen by the asker only, and be no fault."""
    answer = await scene.slack.command(ADA, OPS, text)
    assert answer["ok"], answer
    response = answer["response"]
    assert response["response_type"] == "ephemeral"
    said = str(response.get("text", "")) + json.dumps(response.get("blocks", []), ensure_ascii=False)
    assert "Something went wrong" not in said
    assert "refused" not in answer
    return said


NOTHING_THERE = (
    ("lanch ops x", "Did you mean `/agent launch`?"),
    ("frobnicate", "`/agent help` lists all commands"),
    ("launch", "Write it like this"),
    ("launch ops", "Write it like this"),
    ('launch ops ""', "The task is empty"),
    ("launch nobody do it", "There is no persona `nobody`. Choose one of: ops"),
    ("launch ops " + "x" * 20_001, "The task is too long: 20,001 characters"),
    ("list", "There are no sessions"),
    ("list paused", "There are no paused sessions"),
    ("list everything", "List what?"),
    ("personas", "The persona ops."),
    ("help", "starts an agent; `/agent` alone opens a form"),
    ("help", "`schedule pause <id>`"),
    ("HELP", "alone opens a form"),
    *((f"{verb}", "Which session?") for verb in ("status", "log", "pause", "resume", "cancel")),
    *(
        (f"{verb} abcd-0000", "There is no session `abcd-0000`")
        for verb in ("status", "log", "pause", "resume", "cancel")
    ),
    *((f"{verb} no/such:id", "“no/such:id” is no id of a session") for verb in ("status", "cancel")),
)


async def test_a_command_on_nothing(scenario: Director) -> None:
    scene = await scenario(ONE)
    for text, expected in NOTHING_THERE:
        said = (await answered(scene, text)).replace("&lt;", "<").replace("&gt;", ">")
        assert expected in said, text[:80]
    assert await recent_sessions(scene.flagman.core) == []


def link_of(message: Json, scene: Scene) -> str:
    """The address of a message in the channel."""
    return f"{scene.slack.playground.base_url}/archives/{OPS}/p{message['ts'].replace('.', '')}"


async def test_lists_link_to_the_cards(scenario: Director) -> None:
    scene = await scenario(ONE)
    session = await scene.waiting(await scene.launch())
    link = link_of(await scene.card(session), scene)
    assert f'"url": "{link}"' in await answered(scene, "list")
    assert f'"url": "{link}"' in await answered(scene, f"status {session.id}")

    async def at_home() -> bool:
        return f'"url": "{link}"' in json.dumps(await scene.slack.home(ADA))

    await wait_for(at_home)
    await answered(scene, f"cancel {session.id}")
    await scene.slack.message(OPS, lambda m: "no_entry_sign" in texts(m) and "raised_hand" not in texts(m))


async def test_hostile_words_stay_words(scenario: Director) -> None:
    scene = await scenario(in_turn(calls(("deploy", {"service": HOSTILE, "notes": HOSTILE}))))
    session = await scene.launch(HOSTILE)
    await scene.waiting(session)
    texts_ = [
        HOSTILE,
        f"launch {HOSTILE}",
        f"status {HOSTILE}",
        f"list {HOSTILE}",
        f"status {session.id} {HOSTILE}",
        f"log {session.id}",
        f"pause {session.id} {HOSTILE}",
        "list",
        f"status {session.id}",
        f"resume {session.id} {HOSTILE}",
        f"cancel {session.id} {HOSTILE}",
    ]
    for text in texts_:
        said = await answered(scene, text)
        assert "\u202e" not in said
    await scene.ended(session)
    await scene.settled(session)
    card = await scene.card(session)
    shown = [*await scene.slack.messages(OPS, card["ts"]), *await scene.whispers(ADA, len(texts_))]
    assert "\u202e" not in json.dumps(shown, ensure_ascii=False)
    for message in shown:
        assert live_markup(message) <= {f"<@{ADA}>", f"<#{OPS}>"}, message
    assert await scene.refused() == []


async def test_the_life_of_a_session_by_commands(scenario: Director) -> None:
    scene = await scenario(ONE)
    session = await scene.launch()
    await scene.waiting(session)
    assert session.id in await answered(scene, "list")
    assert session.id in await answered(scene, "list paused")
    assert "no running sessions" in await answered(scene, "list running")
    assert "waits for an approval" in await answered(scene, f"resume {session.id}")
    assert "is paused" in await answered(scene, f"PAUSE `{session.id}` out to lunch")
    assert "already paused" in await answered(scene, f"pause {session.id}")
    assert "out to lunch" in await answered(scene, f"status {session.id}")
    assert "resumes" in await answered(scene, f"resume {session.id} be quick")
    assert "be quick" in await answered(scene, f"log {session.id}")
    assert "is cancelled" in await answered(scene, f"cancel {session.id} enough")
    for verb in ("pause", "resume", "cancel"):
        assert "already" in await answered(scene, f"{verb} {session.id}")
    assert session.id in await answered(scene, "list ended")


async def test_a_long_list_of_hostile_tasks_is_still_a_list(scenario: Director) -> None:
    scene = await scenario(in_turn(calls(("deploy", {"service": "shop"}))))
    for _ in range(20):
        await scene.slack.command(ADA, OPS, "launch ops " + "&<>*_~`" * 40)
    said = await answered(scene, "list")
    assert len(NAMED.findall(said)) == 20
    listed = await scene.slack.messages(OPS)
    assert any(row.get("ephemeral") and len(NAMED.findall(texts(row))) == 20 for row in listed)


async def submit(slack: Slack, persona: str, task: str) -> Json:
    values = {"persona": {"launch_persona": _option(persona)["value"]}, "task": _text(task)}
    return await slack.submit(ADA, await slack.view(ADA), values)


def _option(value: str) -> Json:
    return {"value": {"type": "static_select", "selected_option": {"value": value}}}


def _text(value: str) -> Json:
    return {"value": {"type": "plain_text_input", "value": value}}


async def test_the_bare_command_opens_a_form(scenario: Director) -> None:
    scene = await scenario(ONE)
    assert (await scene.slack.command(ADA, OPS, ""))["ok"]
    assert "required" in (await submit(scene.slack, "ops", ""))["errors"]["task"]
    assert (await submit(scene.slack, "ops", "  \n "))["errors"] == {
        "task": "Please write what the agent shall do."
    }
    assert (await submit(scene.slack, "ops", "ship <it> & go"))["ok"]
    session = await scene.flagman.session(lambda s: True)
    assert session.task == "ship <it> & go"
    assert await scene.asked(session)


async def test_a_form_sent_twice_launches_once(scenario: Director) -> None:
    scene = await scenario(ONE)
    assert (await scene.slack.command(ADA, OPS, ""))["ok"]
    view = await scene.slack.view(ADA)
    state = {"values": {"persona": {"launch_persona": _option("ops")["value"]}, "task": _text("ship it")}}
    payload = {
        "type": "view_submission",
        "user": {"id": ADA, "name": "ada"},
        "team": {"id": "T0PLAYGRD1"},
        "view": {**view, "state": state},
    }
    for _ in range(2):
        assert (await scene.slack.send("deliver", {"type": "interactive", "payload": payload}))["ok"]
    assert len(await recent_sessions(scene.flagman.core)) == 1


async def test_the_home_tab_shows_what_waits_and_launches(scenario: Director, slack: Slack) -> None:
    scene = await scenario(ONE)
    session = await scene.launch()
    await scene.waiting(session)
    await slack.home(ADA)

    async def published() -> Json | None:
        return (await slack.home(ADA)).get("view")

    view = await slack.wait_for(published)
    assert session.id in json.dumps(view["blocks"])
    assert (await slack.click_in_view(ADA, view["id"], "launch_form"))["ok"]
    assert (await submit(slack, "ops", "from home"))["ok"]
    other = await scene.flagman.session(lambda s: s.task == "from home")
    card = await slack.message(ADA_DM, lambda m: other.id in texts(m))
    await slack.message(ADA_DM, lambda m: APPROVE in buttons(m), card["ts"])
    said = await answered(scene, f"status {other.id}")
    assert "<#" not in said
    assert await scene.refused() == []


async def home_of(scene: Scene, user: str, *words: str) -> Json:
    """The home tab of a person as it was published last, once it says all of `words`."""

    async def look() -> Json | None:
        view = scene.slack.playground.modals.homes.get(user)
        return view if view and all(word in texts(view) for word in words) else None

    return await wait_for(look)


async def test_home_decides_on_what_it_shows_and_stays_current(scenario: Director) -> None:
    rule = {"tool": "deploy", "mode": "ask", "approvers": {"users": [GRACE]}}
    scene = await scenario(ONE, persona={"approvals": [rule]})
    for user in (ADA, GRACE):
        await scene.slack.home(user)
        assert "Three things to try" in texts(await home_of(scene, user, "Nothing here yet"))
    session = await scene.launch()
    await scene.waiting(session)
    view = await home_of(scene, GRACE, "Needs you (1 session)", "service: shop")
    assert APPROVE in buttons(view)
    hers = await home_of(scene, ADA, "All caught up.", "ship it")
    assert APPROVE not in buttons(hers)
    assert (await scene.slack.click_in_view(GRACE, view["id"], APPROVE))["ok"]
    await scene.ended(session)
    assert len(scene.runs("deploy")) == 1
    shown = await home_of(scene, GRACE, "All caught up.", "Approved by you at")
    assert APPROVE not in buttons(shown)


async def test_home_counts_sessions_and_approves_all_calls_of_one(scenario: Director) -> None:
    three = calls(*[("deploy", {"service": f"s{n}"}) for n in range(3)])
    scene = await scenario(in_turn(three, says("Done.")))
    await scene.slack.home(ADA)
    session = await scene.launch()
    view = await home_of(scene, ADA, "Needs you (1 session)", "Approve all 3", "service: s2")
    assert (await scene.slack.click_in_view(ADA, view["id"], "call_approve_all"))["ok"]
    await scene.ended(session)
    assert len(scene.runs("deploy")) == 3


async def test_home_shows_nothing_of_what_a_person_does_not_see(scenario: Director) -> None:
    scene = await scenario(ONE)
    for user in (ADA, GRACE):
        await scene.slack.home(user)
    session = await scene.launch("the secret plan", channel=ADA_DM)
    await scene.waiting(session)
    assert APPROVE in buttons(await home_of(scene, ADA, "the secret plan", "Needs you (1 session)"))
    # A later change that she does see brings her tab up to date.
    await scene.launch("for all to see")
    assert "the secret plan" not in texts(await home_of(scene, GRACE, "for all to see"))


async def test_a_long_call_is_reviewed_from_home(scenario: Director) -> None:
    scene = await scenario(in_turn(calls(("deploy", {"service": "x" * 2000})), says("Done.")))
    await scene.slack.home(ADA)
    session = await scene.launch()
    await scene.waiting(session)
    view = await home_of(scene, ADA, "Needs you (1 session)", "*Review* shows all of it")
    assert APPROVE not in buttons(view)
    assert (await scene.slack.click_in_view(ADA, view["id"], "call_view"))["ok"]
    assert (await scene.slack.submit(ADA, await scene.slack.view(ADA)))["ok"]
    await scene.ended(session)


async def test_the_form_knows_the_last_persona_and_takes_limits(scenario: Director) -> None:
    write_persona(scenario.personas, "aide", description="Helps where it can.")
    scene = await scenario(ONE, persona={"budgets": {"max_steps": 9}})
    await scene.slack.command(ADA, OPS, "")
    view = await scene.slack.view(ADA)
    assert "Helps where it can." in texts(view)
    chosen = {"persona": {"launch_persona": _option("ops")["value"]}}
    option = next(o for o in view["blocks"][0]["element"]["options"] if o["value"] == "ops")
    state = {"persona": {"launch_persona": {"type": "static_select", "selected_option": option}}}
    clicked = await scene.slack.click_in_view(
        ADA, view["id"], "launch_persona", selected_option=option, state=state
    )
    assert clicked["ok"]
    shown = await scene.slack.view(ADA)
    assert "The persona ops." in texts(shown)
    limited = {**chosen, "task": _text("ship it"), "max_steps": _number("10")}
    assert "At most 9" in str((await scene.slack.submit(ADA, shown, limited))["errors"])
    limited |= {"max_steps": _number("4"), "max_minutes": _number("2.5")}
    assert (await scene.slack.submit(ADA, shown, limited))["ok"]
    session = await scene.flagman.session(lambda s: s.task == "ship it")
    assert (session.budgets.max_steps, session.budgets.max_minutes) == (4, 2.5)
    await scene.slack.command(ADA, OPS, "")
    assert "The persona ops." in texts(await scene.slack.view(ADA))


def _number(value: str) -> Json:
    return {"value": {"type": "number_input", "value": value}}


async def test_the_shortcut_opens_the_form(scenario: Director, slack: Slack) -> None:
    slack.playground.workspace.manifest = Manifest(shortcuts=(Shortcut("launch_agent", "Launch an agent"),))
    await scenario(ONE)
    assert (await slack.send("shortcut", {"user": GRACE, "callback_id": "launch_agent"}))["ok"]
    assert (await slack.view(GRACE))["callback_id"] == "launch"


async def test_a_button_of_an_unknown_kind_or_shape_is_refused_in_words(scenario: Director) -> None:
    scene = await scenario(ONE)
    session = await scene.launch()
    (ask,) = await scene.asked(session)
    values = ["", "nonsense", "a|b|c|d", f"{session.id}|9.9||", f"{session.id}|1.1|{'0' * 20}|"]
    for count, value in enumerate(values, 1):
        picture = json.loads(json.dumps(ask))
        for block in picture["blocks"]:
            for element in block.get("elements", []):
                if element.get("action_id") == APPROVE:
                    element["value"] = value
        assert (await scene.slack.click_stale(ADA, OPS, picture, APPROVE))["ok"]
        told = await scene.whispers(ADA, count, ask["thread_ts"])
        assert ":information_source:" in told[-1]["text"], (value, told[-1])
    assert scene.runs() == []
    assert (await scene.flagman.core.supervisor.get(session.id)).waiting_for == "human_approval_required"
