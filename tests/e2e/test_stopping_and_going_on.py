"""Cancel, pause and resume, at any moment."""

from __future__ import annotations

import asyncio
from uuid import uuid4

from supervisor.core.messages import ModelReply, ModelRequest
from supervisor.tools.typed_tool import tool
from tests.storage.processes import running
from tests.support.scenario import APPROVE, Director
from tests.support.scripted import calls, in_turn, results, says, told
from tests.support.slack import ADA, GRACE, OPS, buttons, texts, wait_for

ONE = in_turn(calls(("deploy", {"service": "shop"})), says("Done."))


class Thinking:
    """A model that thinks until it may answer."""

    def __init__(self, *replies: ModelReply) -> None:
        self.may_answer = asyncio.Event()
        self._answer = in_turn(*replies)

    async def __call__(self, request: ModelRequest) -> ModelReply:
        await self.may_answer.wait()
        answer = self._answer(request)
        assert isinstance(answer, ModelReply)
        return answer


async def test_cancel_ends_a_running_command(scenario: Director) -> None:
    word = f"300.{uuid4().int}"
    command = f"sleep {word}"
    rule = {"approvals": [{"tool": "shell", "mode": "allow"}]}
    scene = await scenario(in_turn(calls(("shell", {"command": command})), says("Done.")), persona=rule)
    session = await scene.launch()
    await wait_for(lambda: running(word))
    card = await scene.slack.message(OPS, lambda m: "Running shell" in texts(m))
    assert (await scene.slack.cancel(ADA, OPS, card))["ok"]
    await wait_for(lambda: not running(word))
    ended = await scene.flagman.session(lambda s: s.ended and s.steps[0].calls[0].settled, session.id)
    assert ended.lifecycle == "cancelled"
    assert "Interrupted" in ended.steps[0].calls[0].content
    await scene.slack.message(OPS, lambda m: f"*Cancelled* by <@{ADA}>" in texts(m), card["ts"])


async def test_cancel_waits_for_a_tool_that_may_not_be_interrupted(scenario: Director) -> None:
    begun, may_end = asyncio.Barrier(3), asyncio.Event()

    @tool(changes=False, interruptible=False)
    async def migrate() -> str:
        """Migrate."""
        await begun.wait()
        await may_end.wait()
        return "migrated"

    @tool(changes=False)
    async def watch() -> str:
        """Watch."""
        await begun.wait()
        await asyncio.Event().wait()
        return "seen"

    tools = {"migrate": migrate, "watch": watch}
    scene = await scenario(in_turn(calls(("migrate", {}), ("watch", {})), says("Done.")), tools=tools)
    session = await scene.launch()
    async with asyncio.timeout(60):
        await begun.wait()
    await scene.slack.command(ADA, OPS, f"cancel {session.id}")
    # The worker has stopped what it may.
    stopped = await scene.flagman.session(lambda s: s.steps and s.steps[0].calls[1].settled, session.id)
    assert "Interrupted" in stopped.steps[0].calls[1].content
    assert stopped.steps[0].calls[0].phase == "started"
    may_end.set()
    ended = await scene.flagman.session(lambda s: s.steps[0].calls[0].settled, session.id)
    assert ended.lifecycle == "cancelled"
    assert (ended.steps[0].calls[0].ok, ended.steps[0].calls[0].content) == (True, "migrated")
    assert len(scene.model.requests) == 1


async def test_cancel_gives_up_the_question_to_the_model(scenario: Director) -> None:
    scene = await scenario(Thinking(says("too late")))
    session = await scene.launch()
    await wait_for(lambda: scene.model.requests)
    await scene.slack.command(ADA, OPS, f"cancel {session.id} enough")
    await wait_for(lambda: scene.model.abandoned == 1)
    assert (await scene.ended(session)).steps == ()
    card = await scene.card(session)
    await scene.slack.message(OPS, lambda m: "enough" in texts(m), card["ts"])


async def test_pause_while_the_model_thinks_keeps_its_answer(scenario: Director) -> None:
    model = Thinking(calls(("deploy", {"service": "shop"})), says("Done."))
    scene = await scenario(model)
    session = await scene.launch()
    await wait_for(lambda: scene.model.requests)
    card = await scene.card(session)
    assert (await scene.slack.choose(ADA, OPS, card, "session_pause"))["ok"]
    await scene.flagman.session(lambda s: s.pause, session.id)
    model.may_answer.set()
    paused = await scene.flagman.session(lambda s: s.steps, session.id)
    assert paused.waiting_for == "manual"
    assert scene.model.abandoned == 0
    card = await scene.slack.message(OPS, lambda m: "session_resume_with" in buttons(m))
    assert (await scene.slack.click(GRACE, OPS, card["ts"], "session_resume_with"))["ok"]
    window = await scene.slack.view(GRACE)
    assert (await scene.slack.submit(GRACE, window, {"value": "but gently"}))["ok"]
    (ask,) = await scene.asked(session)
    assert (await scene.slack.click(ADA, OPS, ask["ts"], APPROVE))["ok"]
    await scene.ended(session)
    assert "but gently" in told(scene.model.requests[1])[-1]
    assert len(scene.model.requests) == 2


async def test_a_pause_holds_an_approved_call_back(scenario: Director) -> None:
    scene = await scenario(ONE)
    session = await scene.launch()
    (ask,) = await scene.asked(session)
    await scene.slack.command(ADA, OPS, f"pause {session.id}")
    assert (await scene.slack.click(GRACE, OPS, ask["ts"], APPROVE))["ok"]
    await scene.flagman.session(lambda s: s.calls_in("approved"), session.id)
    assert scene.runs() == []
    await scene.slack.command(ADA, OPS, f"resume {session.id}")
    await scene.ended(session)
    assert len(scene.runs("deploy")) == 1


async def test_cancel_settles_what_waits(scenario: Director) -> None:
    scene = await scenario(ONE)
    session = await scene.launch()
    (ask,) = await scene.asked(session)
    await scene.slack.command(GRACE, OPS, f"cancel {session.id}")
    await scene.settled(session)
    assert (await scene.slack.click_stale(ADA, OPS, ask, APPROVE))["ok"]
    (late,) = await scene.whispers(ADA, thread_ts=ask["thread_ts"])
    assert "already cancelled" in late["text"]
    assert scene.runs() == []


async def test_an_old_resume_button_does_not_end_a_later_pause(scenario: Director) -> None:
    scene = await scenario(ONE)
    session = await scene.launch()
    await scene.waiting(session)
    await scene.slack.command(ADA, OPS, f"pause {session.id} first")
    first = await scene.slack.message(
        OPS,
        lambda m: "halt:" in texts(m) and "session_resume" in buttons(m),
        (await scene.card(session))["ts"],
    )
    await scene.slack.command(ADA, OPS, f"resume {session.id}")
    await scene.slack.command(ADA, OPS, f"pause {session.id} second")
    await scene.flagman.session(lambda s: s.pause and s.pause.detail == "second", session.id)
    assert (await scene.slack.click_stale(GRACE, OPS, first, "session_resume"))["ok"]
    (late,) = await scene.whispers(GRACE, thread_ts=first["thread_ts"])
    assert "already" in late["text"]
    assert (await scene.flagman.core.supervisor.get(session.id)).pause


async def test_errors_in_a_row_stop_the_session_and_retry_goes_on(scenario: Director) -> None:
    wrong = calls(("deploy", {"nonsense": 1}))
    scene = await scenario(in_turn(wrong, wrong, wrong, says("Sorry.")))
    session = await scene.launch()
    await scene.flagman.session(lambda s: s.waiting_for == "error_threshold_exceeded", session.id)
    halt = await scene.slack.message(
        OPS, lambda m: "session_resume" in buttons(m), (await scene.card(session))["ts"]
    )
    assert "Retry" in texts(halt)
    assert (await scene.slack.click(ADA, OPS, halt["ts"], "session_resume"))["ok"]
    assert (await scene.ended(session)).lifecycle == "completed"
    assert "do not fit" in results(scene.model.requests[1])[0]
