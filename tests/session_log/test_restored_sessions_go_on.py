"""A session comes back in whatever state it was written down, and goes on; what ran before does not run again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from redis.asyncio import Redis

from bot.compose import now
from bot.resume_hints import hints_of
from storage.keys import partition_of
from supervisor.core.commands.approvals import Seen
from supervisor.core.errors import InvalidInput, PersonaLost, SessionExists, VerificationError
from supervisor.core.events import Event, SessionRestored
from supervisor.core.persona import ApprovalRule, Persona
from supervisor.core.reducer.session import LOST_ARGUMENTS, LOST_OUTCOME, fold
from supervisor.core.state import Session
from supervisor.core.text.masking import Masker
from supervisor.repository import new_session_id
from supervisor.session_log.render.document import FORMAT
from supervisor.session_log.restore import Restorer
from supervisor.session_log.verify import verify
from tests.session_log.house import ADA, GRACE, OPERATOR, House, house
from tests.session_log.stories import STORIES
from tests.session_log.story import Story, call
from tests.session_log.written import KEY, written
from tests.support.scripted import calls, in_turn, says

SECRET = "a-key-for-tests-only-0123456789abcdef"
LONG = in_turn(
    calls(("note", {"words": "look"}), ("fail", {"times": 1}), text="I look."),
    calls(("deploy", {"service": "shop"}), ("deploy", {"service": "till"}), text="I deploy both."),
    calls(("ask_human", {"question": "Which one?", "options": ["this one", "that one"]})),
    calls(("wait_for", {"condition": "webhook: go", "reason": "the go"})),
    calls(("deploy", {"service": "all", "notes": "at last"}), ("note", {"words": "done"})),
    says("All done."),
)
RULES = [{"tool": "note", "mode": "allow"}, {"tool": "fail", "mode": "allow"}]


@pytest.fixture
async def here(redis: Redis, valkey_url: str, tmp_path: Path) -> AsyncIterator[House]:
    async with house(LONG, valkey_url, tmp_path, approvals=RULES) as running:
        yield running


async def a_log(here: House) -> tuple[Persona, list[Event]]:
    """All events of a session that went through everything."""
    supervisor = here.parts.supervisor
    session = await supervisor.launch("ops", "ship it", ADA)
    await supervisor.tell(session.id, "mind the gap", GRACE, kind="api")
    await here.once(session.id, lambda s: s.waiting_for == "human_approval_required")
    await supervisor.pause(session.id, GRACE, detail="lunch")
    await supervisor.remind(session.id, session.launched_at + timedelta(days=900), GRACE, text="look")
    await supervisor.resume(session.id, GRACE, context="go on")
    ended = await here.to_its_end(session.id)
    events = await here.parts.sessions.events(session.id)
    return await here.parts.personas.load_pinned(ended), events


async def test_a_hundred_sessions_in_every_state_come_back_and_go_on(here: House, redis: Redis) -> None:
    persona, log = await a_log(here)
    await redis.flushall()
    states: dict[str, Session] = {}
    texts: list[str] = []
    while len(states) < 100:
        for length in range(1, len(log) + 1):
            session_id = new_session_id()
            state = fold(session_id, log[:length])
            if state.calls_in("sleeping") and not state.pause:
                # A wait begins and ends in one append with its pause.
                continue
            states[session_id] = state
            texts.append(written(persona, log[:length], session_id=session_id))
    restored = await asyncio.gather(*(here.restored(text) for text in texts))
    assert len({s.waiting_for or s.status for s in states.values()}) >= 6
    for session in restored:
        assert session.restored_at
        assert session.version > states[session.id].version
    ended = await asyncio.gather(*(here.to_its_end(session_id) for session_id in states))
    for session in ended:
        before = states[session.id]
        assert (session.lifecycle, session.ending) == ("completed", "All done.")
        ran = [c for s in before.steps for c in s.calls if c.phase == "finished" and c.call.tool == "deploy"]
        assert here.runs(session.id) + len(ran) <= 3, "an approved call ran twice"
        for step, kept in zip(session.steps, before.steps, strict=False):
            for call_now, then in zip(step.calls, kept.calls, strict=True):
                assert not then.settled or call_now == then


async def test_a_call_that_was_about_to_run_is_asked_about(here: House, redis: Redis) -> None:
    persona, log = await a_log(here)
    await redis.flushall()
    starts = [
        n for n, e in enumerate(log) if e.type == "ToolStarted" and "2.1" in str(getattr(e, "call_id", ""))
    ]
    for length in (starts[0], starts[0] + 1):
        session_id = new_session_id()
        assert fold(session_id, log[:length]).call("2.1").phase in ("approved", "started")
        await here.restored(written(persona, log[:length], session_id=session_id))
        back = await here.once(session_id, lambda s: s.call("2.1").phase == "unknown")
        assert here.runs(session_id) == 0
        assert back.restored_at
        seen = Seen.of(back.call("2.1"))
        await here.parts.supervisor.decide_outcome(session_id, "2.1", "run_again", ADA, seen=seen)
        await here.once(session_id, lambda s: s.call("2.1").phase == "finished")
        assert here.runs(session_id) == 1


async def test_it_is_refused_where_it_is_here_already(here: House) -> None:
    session = await here.parts.supervisor.launch("ops", "ship it", ADA)
    text = await here.parts.documents().text(session.id)
    with pytest.raises(SessionExists, match="is here already"):
        await here.restored(text)


async def test_it_comes_back_once_however_often_it_is_restored_at_once(here: House, redis: Redis) -> None:
    persona, log = await a_log(here)
    text = written(persona, log[:3])
    found = await asyncio.gather(*(here.restored(text) for _ in range(8)), return_exceptions=True)
    assert sorted(type(one).__name__ for one in found) == ["Session", *["SessionExists"] * 7]
    events = await here.parts.sessions.events("ab12-cd34")
    assert [e.type for e in events[:4]] == [*(e.type for e in log[:3]), "SessionRestored"]


async def test_without_a_key_nothing_comes_back(here: House) -> None:
    story, parts = STORIES["copy"](), here.parts
    restorer = Restorer(parts.sessions, parts.log, parts.personas, parts.artifacts(), [], now, hints_of)
    for keys, why in (([], "is not signed"), ([KEY], "no key to check its signature")):
        document = written(story.persona, story.events, keys=keys).encode()
        with pytest.raises(VerificationError, match=why):
            await restorer.restore(document, ADA)


async def test_a_document_of_an_earlier_format_comes_back_and_is_written_anew(here: House) -> None:
    document = (Path(__file__).parent / "golden-format-2" / "copy.md").read_bytes()
    session = await here.restored(document)
    assert session.waiting_for == "human_approval_required"
    text = await here.parts.documents().text(session.id)
    assert text.startswith(f"---\nsession_log: {FORMAT}\n")
    assert verify(text.encode(), [KEY], hints_of).whole


async def test_only_what_verifies_comes_back(here: House) -> None:
    story = STORIES["copy"]()
    with pytest.raises(VerificationError, match="is not signed"):
        await here.restored(written(story.persona, story.events, keys=[]))
    with pytest.raises(VerificationError, match="another FLAGMAN_SECRET_KEY"):
        await here.restored(written(story.persona, story.events, keys=["another-key-0123456789abcdef0123"]))
    with pytest.raises(VerificationError, match="line 23"):
        await here.restored(
            written(story.persona, story.events).replace("# SESSION_LOG ab12", "# SESSION_LOG zz")
        )
    with pytest.raises(InvalidInput, match="no id of a session"):
        await here.restored(written(story.persona, story.events, session_id="ab12-cd34-xx"))
    assert await here.parts.log.length("ab12-cd34") == 0


async def test_it_says_who_restored_it_from_what_and_can_be_restored_again(here: House, redis: Redis) -> None:
    story = STORIES["copy"]()
    text = written(story.persona, story.events)
    chain = verify(text.encode(), [KEY], hints_of).chain
    await here.restored(text)
    last = (await here.parts.sessions.events("ab12-cd34"))[-1]
    assert isinstance(last, SessionRestored)
    assert (last.by, last.by_name, last.chain, last.lost) == (OPERATOR.id, "operator", chain, ())
    again = await here.parts.documents().text("ab12-cd34")
    assert (
        f"**operator** (`cli:operator`) restored it from a SESSION_LOG whose chain ended in `{chain[:16]}`"
        in again
    )
    assert "\nrestored_at: " in again
    await redis.flushall()
    twice = await here.restored(again)
    assert twice.version == len(story.events) + 2


async def test_a_call_whose_arguments_held_a_secret_does_not_run(here: House) -> None:
    secret = {"command": f"login {SECRET}"}
    story = Story(here.parts.personas.get("ops"))
    story.launched("log in")
    story.said("I log in.", call("shell", secret), call("shell", secret), call("shell", {"command": "true"}))
    story.asked("1.1", "1.2", "1.3")
    for call_id in ("1.2", "1.3"):
        story.decided(ADA, call_id)
    story.started("1.2")
    session = await here.restored(written(story.persona, story.events, mask=Masker([SECRET])))
    assert SECRET not in str(await here.parts.log.read(session.id))
    assert session.call("1.1").content == LOST_ARGUMENTS
    assert (session.call("1.2").phase, session.call("1.2").content) == ("finished", LOST_OUTCOME)
    assert session.call("1.3").phase == "unknown"
    last = (await here.parts.sessions.events(session.id))[-1]
    assert isinstance(last, SessionRestored)
    assert last.lost == ("1.1", "1.2")
    await here.to_its_end(session.id)
    told = [turn.content for turn in here.model.requests[-1].turns if turn.type == "tool"]
    assert [f"Not run: {LOST_ARGUMENTS}", LOST_OUTCOME, "I looked"] == told[:3]


async def test_a_persona_that_held_a_secret_is_taken_from_here_or_refused(here: House, redis: Redis) -> None:
    mask = Masker(["as you are told"])
    mine = here.parts.personas.get("ops")
    story = Story(mine)
    story.launched("ship it")
    pinned = story.events[0].model_copy(update={"persona_digest": mine.digest})
    text = written(mine, [pinned], mask=mask)
    assert "as you are told" not in text
    back = await here.restored(text)
    assert (await here.parts.personas.load_pinned(back)) == mine
    await redis.flushall()
    changed = mine.model_copy(update={"approvals": (ApprovalRule(tool="*", mode="allow"),)})
    other = story.events[0].model_copy(update={"persona_digest": changed.digest})
    with pytest.raises(PersonaLost, match="put its file back"):
        await here.restored(written(changed, [other], mask=mask))
    assert await here.parts.log.length("ab12-cd34") == 0


async def test_a_store_without_the_persona_gets_it_with_the_session(here: House, redis: Redis) -> None:
    persona, log = await a_log(here)
    await redis.flushall()
    session = await here.restored(written(persona, log[:2]))
    blob = await here.parts.log.blob(partition_of(session.id), session.persona_digest)
    assert Persona.model_validate_json(blob or b"") == persona


async def test_an_ended_session_comes_back_as_it_was_and_nothing_runs(here: House, redis: Redis) -> None:
    persona, log = await a_log(here)
    await redis.flushall()
    session = await here.restored(written(persona, log))
    assert (session.lifecycle, session.ending) == ("completed", "All done.")
    ready, outbox = here.parts.queues()
    assert not await ready.holds(session.id)
    assert not await outbox.holds(session.id)
    assert await here.parts.log.count("ended") == 1
