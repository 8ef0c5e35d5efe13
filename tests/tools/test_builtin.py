"""The built-in tools are those of the contract, and each says what it may do."""

from __future__ import annotations

import pytest

from supervisor.core.errors import InvalidArguments
from supervisor.tools.builtin import builtin_tools
from supervisor.tools.contract import ToolContext


def test_flags_of_the_built_in_tools() -> None:
    flags = {name: (tool.changes, tool.idempotent, tool.control) for name, tool in builtin_tools().items()}
    assert flags == {
        "shell": (True, False, False),
        "read_file": (False, True, False),
        "write_file": (True, True, False),
        "http_request": (True, False, False),
        "ask_human": (False, False, True),
        "note_decision": (False, True, False),
        "wait_for": (False, False, True),
        "emit_event": (True, True, False),
        "plan_tasks": (True, False, True),
        "launch_agent": (True, False, True),
        "give_up": (False, False, True),
    }


async def test_question_to_a_person_is_checked_and_never_run(ctx: ToolContext) -> None:
    ask = builtin_tools()["ask_human"]
    assert ask.validate({"question": "Which?", "options": [" a ", "b"]}) == {
        "question": "Which?",
        "options": ["a", "b"],
    }
    for options in (["x"] * 6, [""], ["x" * 76]):
        with pytest.raises(InvalidArguments):
            ask.validate({"question": "Which?", "options": options})
    with pytest.raises(RuntimeError):
        await ask.run({"question": "Which?"}, ctx)


@pytest.mark.parametrize(
    ("condition", "why"),
    [("cron: 0 0 31 2 *", "never comes"), ("cron: 0 9 * * MON tail", "no cron expression")],
)
def test_an_agent_does_not_wait_for_what_never_comes(condition: str, why: str) -> None:
    with pytest.raises(InvalidArguments, match=why):
        builtin_tools()["wait_for"].validate({"condition": condition})
