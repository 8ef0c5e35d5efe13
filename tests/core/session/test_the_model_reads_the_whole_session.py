"""What the model is shown follows the log: every step as it is now, notes where they were read."""

from __future__ import annotations

from supervisor.core.events import ToolFinished, ToolStarted
from supervisor.core.messages import ModelTurn, ToolTurn, UserTurn
from supervisor.core.persona import Persona
from supervisor.core.prompt import conversation, instructions
from supervisor.core.reducer import fold
from tests.core.build import SID, by, grown, responded, tool_call


def test_every_step_is_there_in_order() -> None:
    turns = conversation(grown(3), 0)
    assert [type(turn) for turn in turns] == [
        UserTurn, ModelTurn, ToolTurn, UserTurn, ModelTurn, ToolTurn, ModelTurn, ToolTurn,
    ]  # fmt: skip
    assert [t.text for t in turns if isinstance(t, ModelTurn)] == ["step 1", "step 2", "step 3"]
    assert [t.content for t in turns if isinstance(t, ToolTurn)] == ["result 1", "result 2", "result 3"]
    assert turns[3] == UserTurn(text="Bob: Mind the gap")


def test_a_step_that_went_on_reads_as_it_is_now() -> None:
    session = grown(2)
    call = tool_call("3.1", mode="allow")
    before = fold(SID, [responded(call)], session)
    started = ToolStarted(**by(), call_id="3.1", attempt=1, idempotency_key="k", digest=call.digest)
    done = ToolFinished(**by(), call_id="3.1", attempt=1, ok=False, content="broken")
    first = conversation(before, 0)
    second = conversation(fold(SID, [started, done], before), 0)
    assert isinstance(second[-1], ToolTurn)
    assert (second[-1].content, second[-1].failed) == ("broken", True)
    assert first[1:-1] == second[1:-1]


def test_the_system_prompt_names_the_personas_that_may_be_launched() -> None:
    lead, *roster = (
        Persona(name=name, description=f"Does {name}", instructions=f"You are {name}.\nHelp.")
        for name in ("lead", "sre", "writer")
    )
    assert instructions(lead, []) == "You are lead.\nHelp."
    assert instructions(lead, roster).split("\n") == [
        *("You are lead.", "Help.", "", "You may launch these as sub-agents:"),
        *("- `sre`: Does sre", "- `writer`: Does writer"),
    ]
