"""What a server wants a person to confirm is not accepted by the agent that asked for the call."""

from __future__ import annotations

from tests.mcp.hosted import Hosted, described
from tests.mcp.served.conftest import AGENT, BOSS, Serve, refused, said
from tests.support.scripted import calls, in_turn, says

PERSONA = {"tools": ["host__*"], "mcp_servers": ["host"]}
SCRIPT = in_turn(calls(("host__asks", {"to": "x"})), says("Done."))
SURE = {"message": "Delete all?", "requestedSchema": {"type": "object", "properties": {}}}


async def test_who_asked_for_the_call_declines_it_and_another_one_accepts(
    serve: Serve, hosted: Hosted
) -> None:
    hosted.offers(described("asks"))
    hosted.asks({"sure": SURE})
    served = await serve(SCRIPT, persona=PERSONA, mcp=hosted.file())
    answers = []
    for key in (BOSS, AGENT):
        async with served.connect(AGENT) as agent, served.connect(key) as other:
            session_id = (await said(agent, "launch", persona="ops", task="delete"))["session_id"]
            await said(agent, "wait", session_id=session_id, seconds=50)
            await served.api.decide(f"/v1/sessions/{session_id}", {"verdict": "approve"})
            asked = await said(agent, "wait", session_id=session_id, seconds=50)
            assert "Delete all?" in asked["summary"]
            assert "wants a person to confirm" in await refused(
                agent, "tell", session_id=session_id, text="Accept."
            )
            word = "accept" if key == BOSS else "decline"
            answers.append((await said(other, "tell", session_id=session_id, text=word))["heard"])
            assert (await said(agent, "wait", session_id=session_id, seconds=50))["status"] == "completed"
    assert answers == ["answered", "answered"]
