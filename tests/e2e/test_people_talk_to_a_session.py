"""What people write in a session's thread: context, answers, commands; never lost, never counted twice."""

from __future__ import annotations

import pytest

from bot.playground.seed import SCOPES, Manifest
from supervisor.core.state import Session
from tests.support.scenario import APPROVE, Director, Scene
from tests.support.scripted import calls, in_turn, results, says, told
from tests.support.seen import recent_sessions
from tests.support.slack import ADA, ADA_DM, GRACE, OPS, RANDOM, Json, Slack, buttons, texts, wait_for

ONE = in_turn(calls(("deploy", {"service": "shop"})), says("Done."))
BOT_MENTION = "<@U0FLAGMAN1>"


def asking(question: str, *options: str) -> tuple[str, Json]:
    return "ask_human", {"question": question, "options": list(options)}


async def question_of(scene: Scene, session: Session) -> Json:
    card = await scene.card(session)
    return await scene.slack.message(OPS, lambda m: "question_form" in buttons(m), card["ts"])


async def test_a_reply_while_an_approval_is_open_is_context_for_the_model(scenario: Director) -> None:
    scene = await scenario(ONE)
    session = await scene.launch()
    (ask,) = await scene.asked(session)
    await scene.slack.post(GRACE, OPS, "mind the <b> & the gap", ask["thread_ts"])
    (heard,) = await scene.whispers(GRACE, thread_ts=ask["thread_ts"])
    assert "Noted for the agent" in heard["text"]
    assert "still waits" in heard["text"]
    assert (await scene.slack.click(ADA, OPS, ask["ts"], APPROVE))["ok"]
    await scene.ended(session)
    assert told(scene.model.requests[1])[-1] == "grace: mind the <b> & the gap"


async def test_a_mention_alone_is_answered_with_help(scenario: Director) -> None:
    scene = await scenario(ONE)
    session = await scene.launch()
    (ask,) = await scene.asked(session)
    await scene.slack.post(GRACE, OPS, BOT_MENTION, ask["thread_ts"])
    (heard,) = await scene.whispers(GRACE, thread_ts=ask["thread_ts"])
    assert "In a session's thread, just reply" in texts(heard)
    assert (await scene.flagman.core.supervisor.get(session.id)).inbox == ()


async def test_the_same_event_twice_is_heard_once(scenario: Director) -> None:
    scene = await scenario(ONE)
    session = await scene.launch()
    (ask,) = await scene.asked(session)
    await scene.slack.post(GRACE, OPS, "only once", ask["thread_ts"])
    await scene.whispers(GRACE, thread_ts=ask["thread_ts"])
    for _ in range(2):
        assert (await scene.slack.redeliver())["ok"]
    inbox = (await scene.flagman.core.supervisor.get(session.id)).inbox
    assert [note.text for note in inbox] == ["only once"]
    assert len(await scene.whispers(GRACE, thread_ts=ask["thread_ts"])) == 1


async def test_a_late_repetition_of_pause_does_not_pause_again(scenario: Director) -> None:
    scene = await scenario(ONE)
    session = await scene.launch()
    (ask,) = await scene.asked(session)
    await scene.slack.post(ADA, OPS, f"{BOT_MENTION} pause", ask["thread_ts"])
    await scene.flagman.session(lambda s: s.pause, session.id)
    await scene.slack.command(ADA, OPS, f"resume {session.id}")
    mention = [
        i for i, e in scene.slack.playground.delivery._events.items() if e["event"]["type"] == "app_mention"
    ]
    assert (await scene.slack.redeliver(mention[-1]))["ok"]
    assert (await scene.flagman.core.supervisor.get(session.id)).pause is None


async def test_a_reply_answers_the_question(scenario: Director) -> None:
    scene = await scenario(in_turn(calls(asking("Which region?")), says("Done.")))
    session = await scene.launch()
    question = await question_of(scene, session)
    assert "Which region?" in texts(question)
    await scene.slack.post(GRACE, OPS, "eu-central", question["thread_ts"])
    await scene.ended(session)
    assert results(scene.model.requests[1]) == ["eu-central"]
    answered = await scene.slack.message(
        OPS, lambda m: "Answer: eu-central" in texts(m), question["thread_ts"]
    )
    assert not buttons(answered)


async def test_an_option_answers_the_question_and_only_the_first_counts(scenario: Director) -> None:
    scene = await scenario(in_turn(calls(asking("Which?", "<!channel>", "blue & white")), says("Done.")))
    session = await scene.launch()
    question = await question_of(scene, session)
    assert (await scene.slack.click(GRACE, OPS, question["ts"], "question_answer:1"))["ok"]
    await scene.ended(session)
    assert (await scene.slack.click_stale(ADA, OPS, question, "question_answer:0"))["ok"]
    (late,) = await scene.whispers(ADA, thread_ts=question["thread_ts"])
    assert "already" in late["text"]
    assert results(scene.model.requests[1]) == ["blue & white"]
    assert await scene.refused() == []


async def test_the_answer_window_takes_any_text(scenario: Director) -> None:
    scene = await scenario(in_turn(calls(asking("Which?", "a", "b")), says("Done.")))
    session = await scene.launch()
    question = await question_of(scene, session)
    assert (await scene.slack.click(GRACE, OPS, question["ts"], "question_form"))["ok"]
    window = await scene.slack.view(GRACE)
    assert (await scene.slack.submit(GRACE, window, {"value": "neither\nnor"}))["ok"]
    await scene.ended(session)
    assert results(scene.model.requests[1]) == ["neither\nnor"]


async def test_mentions_steer_the_session_of_their_thread(scenario: Director) -> None:
    scene = await scenario(ONE)
    session = await scene.launch()
    (ask,) = await scene.asked(session)

    async def say(words: str, count: int) -> str:
        await scene.slack.post(ADA, OPS, f"{BOT_MENTION} {words}", ask["thread_ts"])
        return texts((await scene.whispers(ADA, count, ask["thread_ts"]))[-1])

    assert session.id in await say("status", 1)
    assert "launched ops" in await say("log", 2)
    assert "is paused" in await say("pause because lunch <!here>", 3)
    paused = await scene.flagman.session(lambda s: s.pause, session.id)
    assert paused.pause
    assert paused.pause.detail == "lunch @here"
    assert "resumes" in await say("resume now", 4)
    assert "Noted" in await say("remember the milk", 5)
    assert "is cancelled" in await say("stop", 6)
    ended = await scene.ended(session)
    assert ended.lifecycle == "cancelled"
    await scene.settled(session)
    assert scene.runs() == []
    assert await scene.refused() == []


async def test_a_mention_in_a_thread_launches_there(scenario: Director) -> None:
    scene = await scenario(ONE)
    parent = await scene.slack.post(GRACE, OPS, "the shop is slow")
    await scene.slack.post(GRACE, OPS, f"{BOT_MENTION} launch ops fix it", parent["ts"])
    card = await scene.slack.message(OPS, lambda m: "card:" in texts(m), parent["ts"])
    ask = await scene.slack.message(OPS, lambda m: APPROVE in buttons(m), parent["ts"])
    assert card["thread_ts"] == ask["thread_ts"] == parent["ts"]
    await scene.slack.post(ADA, OPS, "careful", parent["ts"])
    session = await scene.flagman.session(lambda s: s.inbox)
    assert session.inbox[0].text == "careful"


async def test_a_second_session_in_a_thread_has_a_thread_of_its_own(scenario: Director) -> None:
    scene = await scenario(ONE)
    session = await scene.launch()
    (ask,) = await scene.asked(session)
    await scene.slack.post(GRACE, OPS, f"{BOT_MENTION} launch ops something else", ask["thread_ts"])
    other = await scene.flagman.session(lambda s: s.id != session.id)
    card = await scene.card(other)
    assert card.get("thread_ts", card["ts"]) == card["ts"]
    await scene.slack.post(ADA, OPS, "for the first", ask["thread_ts"])
    await scene.flagman.session(lambda s: s.inbox, session.id)


async def test_alone_with_the_bot(scenario: Director, slack: Slack) -> None:
    scene = await scenario(in_turn(calls(asking("Sure?")), says("Done.")))
    await slack.post(ADA, ADA_DM, "what can you do?")
    await slack.message(ADA_DM, lambda m: m.get("ephemeral") and "Which agent should do this?" in texts(m))
    first = await slack.post(ADA, ADA_DM, "launch ops tidy up")
    question = await slack.message(ADA_DM, lambda m: "question_form" in buttons(m), first["ts"])
    await slack.post(ADA, ADA_DM, "list them first", question["thread_ts"])
    session = await scene.flagman.session(lambda s: s.ended)
    assert results(scene.model.requests[1]) == ["list them first"]
    assert session.launched_by == f"slack:{ADA}"
    assert await scene.refused() == []


async def test_a_session_whose_channel_does_not_have_the_bot_shows_itself_to_its_launcher(
    scenario: Director, slack: Slack
) -> None:
    scene = await scenario(ONE)
    slack.playground.workspace.manifest = Manifest(scopes=SCOPES - {"chat:write.public"})
    answer = await slack.command(ADA, RANDOM, "launch ops ship it")
    assert answer["ok"], answer
    card = await slack.message(ADA_DM, lambda m: "card:" in texts(m))
    assert f"Not a member of <#{RANDOM}>" in texts(card)
    ask = await slack.message(ADA_DM, lambda m: APPROVE in buttons(m), card["ts"])
    await slack.post(ADA, ADA_DM, "please hurry", card["ts"])
    session = await scene.flagman.session(lambda s: s.inbox)
    assert (await slack.click(ADA, ADA_DM, ask["ts"], APPROVE))["ok"]
    await scene.ended(session)

    async def decided() -> bool:
        rows = await slack.messages(ADA_DM, card["ts"])
        return not any(APPROVE in buttons(row) for row in rows)

    await wait_for(decided)
    assert len([row for row in await slack.messages(ADA_DM) if session.id in texts(row)]) == 1


async def test_words_after_a_verb_are_a_note_and_do_nothing_else(scenario: Director) -> None:
    scene = await scenario(ONE)
    session = await scene.launch()
    (ask,) = await scene.asked(session)
    words = [
        "cancel the second deploy only, keep the rest",
        "stop using the staging bucket",
        "pause the rollout at 50 %",
        "resume the second job only",
        "fork the repository first",
        "launch the canary before the rest",
        "status of the shop looks bad",
    ]
    for count, text in enumerate(words, 1):
        await scene.slack.post(ADA, OPS, f"{BOT_MENTION} {text}", ask["thread_ts"])
        assert "Nothing else was done" in (await scene.whispers(ADA, count, ask["thread_ts"]))[-1]["text"]
    found = await scene.flagman.core.supervisor.get(session.id)
    assert [note.text for note in found.inbox] == words
    assert not found.ended
    assert found.waiting_for == "human_approval_required"
    assert len(await recent_sessions(scene.flagman.core)) == 1


@pytest.mark.parametrize("words", ["cancel the second deploy only, keep the rest", "stop using staging"])
async def test_cancel_with_more_words_asks_before_it_ends_the_session(scenario: Director, words: str) -> None:
    scene = await scenario(ONE)
    session = await scene.launch()
    (ask,) = await scene.asked(session)
    await scene.slack.post(ADA, OPS, f"{BOT_MENTION} {words}", ask["thread_ts"])
    (hint,) = await scene.whispers(ADA, thread_ts=ask["thread_ts"])
    assert "Noted for the agent" in hint["text"]
    found = await scene.flagman.core.supervisor.get(session.id)
    assert not found.ended
    assert [note.text for note in found.inbox] == [words]
    cancel = buttons(hint)["session_cancel"]
    assert cancel["text"]["text"] == "Cancel session"
    assert cancel["confirm"]["confirm"]["text"] == "Cancel it"
    assert (await scene.slack.click(ADA, OPS, hint["ts"], "session_cancel", ephemeral=True))["ok"]
    assert (await scene.ended(session)).lifecycle == "cancelled"

    async def replaced() -> bool:
        rows = await scene.whispers(ADA, thread_ts=ask["thread_ts"])
        return len(rows) == 1 and "is cancelled" in rows[0]["text"] and not buttons(rows[0])

    await wait_for(replaced)
    assert scene.runs() == []
    assert await scene.refused() == []


async def test_an_old_message_does_nothing(scenario: Director) -> None:
    scene = await scenario(ONE)
    session = await scene.launch()
    (ask,) = await scene.asked(session)
    old = f"{float(ask['ts']) - 3600:.6f}"
    for count, text in enumerate(("pause", "launch ops again"), 1):
        event = {
            "type": "app_mention",
            "user": ADA,
            "text": f"{BOT_MENTION} {text}",
            "channel": OPS,
            "ts": old[:-1] + str(count),
            "event_ts": ask["ts"],
            "thread_ts": ask["thread_ts"],
        }
        payload = {
            "type": "event_callback",
            "team_id": "T0PLAYGRD1",
            "event": event,
            "event_id": f"Ev{count}",
        }
        assert (await scene.slack.send("deliver", {"type": "events_api", "payload": payload}))["ok"]
        assert "nothing was done" in (await scene.whispers(ADA, count, ask["thread_ts"]))[-1]["text"]
    assert (await scene.flagman.core.supervisor.get(session.id)).pause is None
    assert len(await recent_sessions(scene.flagman.core)) == 1


async def test_an_edit_a_deletion_and_a_file_are_told_to_the_agent(scenario: Director) -> None:
    scene = await scenario(ONE)
    session = await scene.launch()
    (ask,) = await scene.asked(session)
    ts = ask["ts"][:-6]
    said = {"type": "message", "user": ADA, "thread_ts": ask["thread_ts"], "ts": f"{ts}000001"}
    before, after = {**said, "text": "use eu-west"}, {**said, "text": "use eu-north"}
    events = [
        {**before, "text": "see this", "subtype": "file_share", "files": [{"id": "F1", "name": "graph.png"}]},
        {"type": "message", "subtype": "message_changed", "message": after, "previous_message": before},
        {
            "type": "message",
            "subtype": "message_deleted",
            "previous_message": after,
            "deleted_ts": said["ts"],
        },
    ]
    for count, event in enumerate(events, 1):
        event = {**event, "channel": OPS, "ts": f"{ts}00001{count}", "event_ts": f"{ts}00001{count}"}
        payload = {
            "type": "event_callback",
            "team_id": "T0PLAYGRD1",
            "event": event,
            "event_id": f"Ev{count}",
        }
        assert (await scene.slack.send("deliver", {"type": "events_api", "payload": payload}))["ok"]
    found = await scene.flagman.session(lambda s: len(s.inbox) == 4, session.id)
    file, edit, deletion = (note.text for note in found.inbox if note.by != "system")
    assert "see this" in file
    assert "graph.png" in file
    assert "use eu-west" in edit
    assert "use eu-north" in edit
    assert "Deleted" in deletion
