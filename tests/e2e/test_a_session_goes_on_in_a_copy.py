"""`fork`: a copy goes on by itself from an earlier step, in a thread of its own."""

from __future__ import annotations

import asyncio
import json

import pytest

from supervisor.core.messages import ModelReply, ModelRequest
from supervisor.core.state import Session
from tests.support.scenario import APPROVE, Director, Scene
from tests.support.scripted import calls, in_turn, results, says, told
from tests.support.seen import recent_sessions
from tests.support.slack import ADA, GRACE, OPS, Json, buttons, texts, wait_for

HOSTILE = "<!channel> <@U0GRACE01> *b* `c` \u202e"


def deploys(request: ModelRequest) -> ModelReply:
    """Notes, asks for a deployment, and ends."""
    steps = (calls(("note", {"words": "look"})), calls(("deploy", {"service": "shop"})), says("Done."))
    return in_turn(*steps)(request)  # type: ignore[return-value]


async def deployed(scene: Scene) -> tuple[Session, Json]:
    """A session that has ended, and its card."""
    session = await scene.launch()
    (ask,) = await scene.asked(session)
    assert (await scene.slack.click(ADA, OPS, ask["ts"], APPROVE))["ok"]
    return await scene.ended(session), await scene.card(session)


async def said(scene: Scene, text: str, user: str = ADA) -> str:
    answer = await scene.slack.command(user, OPS, text)
    return json.dumps(answer["response"], ensure_ascii=False)


async def copies(scene: Scene, count: int = 1) -> list[Session]:
    async def look() -> list[Session] | None:
        found = [s for s in await recent_sessions(scene.flagman.core, limit=50) if s.forked]
        return found if len(found) >= count else None

    return await wait_for(look)


async def test_a_command_copies_at_a_step_and_nothing_runs_again(scenario: Director) -> None:
    scene = await scenario(deploys)
    source, card = await deployed(scene)
    answer = await said(scene, f"fork {source.id} at 1 the *bank* instead", GRACE)
    (copy,) = await copies(scene)
    assert f"Copied `{source.id}` at step 1 as `{copy.id}`" in answer
    shown = await scene.slack.message(OPS, lambda m: copy.id in texts(m) and "Copied from" in texts(m))
    assert f"Copied from `{source.id}` at step 1 by <@{GRACE}>" in texts(shown)
    assert shown["ts"] != card["ts"]
    assert shown.get("thread_ts") in (None, shown["ts"])
    (ask,) = await scene.asked(copy)
    assert ask["thread_ts"] == shown["ts"]
    assert told(scene.model.requests[-1])[-1].endswith("the *bank* instead")
    assert len(scene.runs("note")) == 1
    assert len(scene.runs("deploy")) == 1
    assert await scene.refused() == []


async def test_a_mention_in_the_thread_begins_another_thread(scenario: Director) -> None:
    scene = await scenario(deploys)
    source, card = await deployed(scene)
    await scene.slack.post(ADA, OPS, '<@U0FLAGMAN1> fork at step 2 "at night, please"', card["ts"])
    (copy,) = await copies(scene)
    assert copy.forked
    assert (copy.forked.source, copy.forked.step) == (source.id, 2)
    shown = await scene.slack.message(OPS, lambda m: copy.id in texts(m) and "Copied from" in texts(m))
    assert shown.get("thread_ts") in (None, shown["ts"])
    await wait_for(
        lambda: any("at night, please" in words for r in scene.model.requests for words in told(r))
    )
    (heard,) = await scene.whispers(ADA, thread_ts=card["ts"])
    assert copy.id in heard["text"]


async def test_the_thread_of_a_copy_shows_only_what_is_new(scenario: Director) -> None:
    scene = await scenario(deploys)
    source, _ = await deployed(scene)
    await said(scene, f"fork {source.id} at 2 go on")
    (copy,) = await copies(scene)
    await scene.ended(copy)
    shown = await scene.slack.message(OPS, lambda m: copy.id in texts(m) and "session_log" in buttons(m))
    await scene.slack.message(OPS, lambda m: _key(m) == "end", shown["ts"])
    keys = [_key(row) for row in await scene.slack.messages(OPS, shown["ts"])]
    assert [key for key in keys if key != "file"] == ["card", "end"]


async def test_a_paused_session_is_copied_and_the_copy_runs(scenario: Director) -> None:
    scene = await scenario(deploys)
    session = await scene.launch()
    await scene.waiting(session)
    await said(scene, f"pause {session.id} lunch")
    await said(scene, f"fork {session.id}")
    (copy,) = await copies(scene)
    assert copy.forked
    assert copy.forked.step == 1
    await scene.asked(copy)
    assert results(scene.model.requests[-1]) == ["noted look"]
    assert (await scene.flagman.core.supervisor.get(session.id)).pause


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("fork", "Which session?"),
        ("fork abcd-0000", "There is no session `abcd-0000`"),
        ("fork {id} at", "At which step?"),
        ("fork {id} at x go", "At which step?"),
        ("fork {id} at -1", "At which step?"),
        ("fork {id} at 7 go", "There is no step 7 that has ended; choose from 0 to 3."),
        ("fork {id} at 999999 go", "There is no step 999999"),
        ("fork {id} at 3", "Step 3 was its last word; say what it shall do"),
        ("fork {id} at 1 " + "x" * 20_001, "The message is too long"),
    ],
)
async def test_wrong_words_are_answered_with_the_right_ones(
    scenario: Director, words: str, expected: str
) -> None:
    scene = await scenario(deploys)
    source, _ = await deployed(scene)
    assert expected in await said(scene, words.replace("{id}", source.id))
    assert len(await recent_sessions(scene.flagman.core, limit=9)) == 1


async def test_the_same_command_or_event_twice_copies_once(scenario: Director) -> None:
    scene = await scenario(deploys, webs=2)
    source, card = await deployed(scene)
    payload = {
        "command": "/agent",
        "text": f"fork {source.id} at 1",
        "user_id": ADA,
        "user_name": "ada",
        "channel_id": OPS,
        "team_id": "T0PLAYGRD1",
        "trigger_id": "1.2.3",
        "response_url": f"{scene.slack.url}/none",
    }
    envelope = {"type": "slash_commands", "payload": payload}
    answers = await asyncio.gather(*(scene.slack.send("deliver", envelope) for _ in range(3)))
    assert all(answer["ok"] for answer in answers)
    assert len(await copies(scene)) == 1
    await scene.slack.post(ADA, OPS, "<@U0FLAGMAN1> fork at 1", card["ts"])
    await copies(scene, 2)
    await scene.slack.redeliver()
    await scene.slack.redeliver()
    assert len(await copies(scene, 2)) == 2


async def test_hostile_words_stay_words(scenario: Director) -> None:
    scene = await scenario(deploys)
    source, _ = await deployed(scene)
    answer = await said(scene, f"fork {source.id} at 1 {HOSTILE}")
    (copy,) = await copies(scene)
    assert "<!channel>" not in answer
    await said(scene, f"fork {source.id} {HOSTILE}")
    for session in await copies(scene, 2):
        shown = await scene.slack.message(OPS, lambda m, s=session: s.id in texts(m))  # type: ignore[misc]
        assert "<!channel>" not in json.dumps(shown)
    await scene.asked(copy)
    assert any("<!channel>" in words for request in scene.model.requests for words in told(request))


def _key(message: Json) -> str:
    """The name of a message; a file has none."""
    return str(message["metadata"]["event_payload"]["key"]) if "metadata" in message else "file"
