"""The demo's whole path, with real commands and files in a real folder."""

from __future__ import annotations

import subprocess
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from supervisor.core.messages import (
    ModelReply,
    ModelRequest,
    ModelTurn,
    ProposedCall,
    ToolSpec,
    ToolTurn,
    Turn,
    UserTurn,
)
from supervisor.models import DemoGateway, make_gateway

EVERYTHING = ("shell", "read_file", "write_file", "http_request", "ask_human", "wait_for", "launch_agent")


class Demo:
    """A session with the demo: runs what it proposes in `folder`, unless told otherwise."""

    def __init__(self, folder: Path, task: str, tools: tuple[str, ...] = EVERYTHING) -> None:
        self.folder, self.tools = folder, tools
        self.turns: list[Turn] = [UserTurn(text=task)]
        self.denied: dict[str, str] = {}
        self.answer = ""

    def request(self) -> ModelRequest:
        tools = tuple(ToolSpec(name=name, description="", schema_={"type": "object"}) for name in self.tools)
        return ModelRequest(
            session_id="s", model=None, instructions="Be kind.", turns=tuple(self.turns), tools=tools
        )

    async def step(self) -> ModelReply:
        # A new gateway each time: the demo has no memory but the conversation.
        reply = await DemoGateway(delay=timedelta()).reply(self.request())
        self.turns.append(ModelTurn(text=reply.text, calls=reply.calls, native=reply.native))
        self.turns += [self._run(call) for call in reply.calls]
        return reply

    async def finish(self) -> ModelReply:
        for _ in range(10):
            reply = await self.step()
            if not reply.calls:
                return reply
        raise AssertionError("the demo does not come to an end")

    def _run(self, call: ProposedCall) -> ToolTurn:
        assert isinstance(call.arguments, dict)
        assert call.tool in self.tools
        content, failed = self._outcome(call.tool, call.arguments)
        return ToolTurn(call_id=call.call_id, tool=call.tool, content=content, failed=failed)

    def _outcome(self, tool: str, arguments: dict[str, str]) -> tuple[str, bool]:
        if tool in self.denied:
            return self.denied[tool], True
        if tool == "ask_human":
            return self.answer, False
        if tool == "shell":
            done = subprocess.run(
                arguments["command"], shell=True, cwd=self.folder, capture_output=True, text=True
            )
            return done.stdout or done.stderr, done.returncode != 0
        if tool == "note_decision":
            return "Noted.", False
        path = self.folder / arguments["path"]
        if tool == "write_file":
            path.write_text(arguments["content"])
            return "written", False
        return (path.read_text(), False) if path.exists() else (f"There is no {path.name}.", True)


async def test_the_tour_goes_from_a_safe_command_to_one_to_deny(tmp_path: Path) -> None:
    demo = Demo(tmp_path, "check the disk")
    demo.answer = "Something to deny"
    first = await demo.step()
    assert "scripted demo, not a language model" in first.text
    assert "FLAGMAN_MODEL" in first.text
    assert [(call.tool, call.arguments) for call in first.calls] == [("shell", {"command": "df -h ."})]
    second = await demo.step()
    assert "`df -h .` ran as you saw it." in second.text
    assert "Press View details and then Edit" in second.text
    assert "1000 % full" in (tmp_path / "report.md").read_text()
    third = await demo.step()
    assert [call.tool for call in third.calls] == ["ask_human"]
    demo.denied = {
        "shell": "Denied by Ada; it did not run. Reason: keep it. Do not propose the same call again."
    }
    fourth = await demo.step()
    assert [call.arguments for call in fourth.calls] == [{"command": "rm -f report.md"}]
    last = await demo.step()
    assert last.calls == ()
    assert "Ada denied `rm -f report.md`, so it did not run" in last.text
    assert "The reason I read: keep it." in last.text
    assert "- `rm -f report.md`: denied by Ada (keep it.)" in last.text
    assert "What to try next" in last.text
    ids = [call.call_id for reply in (first, second, third, fourth) for call in reply.calls]
    assert len(set(ids)) == 4


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("Denied by Ada; it did not run. Do not propose the same call again.", "No reason was given"),
        (
            "Ada answered in place of running it; it did not run. Answer: It is\nhalf full.",
            "Ada answered in place of running `df -h .`: It is half full.",
        ),
        (
            'Ada changed the arguments and it ran with these instead: {"command":"df"}. '
            "Do not repeat the first ones.\nexit code 0",
            "Ada changed `df -h .` before it ran, so it ran as `df`.",
        ),
        ("Expired: nobody decided in time, so it did not run.", "that is no denial"),
        ("Not run: the hours are over.", "`df -h .` did not run: the hours are over."),
        ("df: not found", "`df -h .` ran and failed: df: not found"),
    ],
)
async def test_each_outcome_is_told_and_the_tour_goes_on(tmp_path: Path, content: str, said: str) -> None:
    demo = Demo(tmp_path, "check the disk")
    demo.denied = {"shell": content}
    await demo.step()
    second = await demo.step()
    assert said in second.text
    assert [call.tool for call in second.calls] == ["write_file"]


async def test_something_else_is_done_before_the_tour_goes_on(tmp_path: Path) -> None:
    demo = Demo(tmp_path, "check the disk")
    taken = "Superseded: Ada took the request back, and it did not run. Do this instead: "
    demo.denied = {"shell": f"{taken}tell me the date"}
    await demo.step()
    demo.denied["shell"] = f"{taken}list the files"
    second = await demo.step()
    assert "I do this instead: tell me the date" in second.text
    assert [call.arguments for call in second.calls] == [{"command": "date -u"}]
    third = await demo.step()
    assert [call.arguments for call in third.calls] == [{"command": "ls -la"}]
    del demo.denied["shell"]
    demo.turns[-1] = demo._run(third.calls[0])
    fourth = await demo.step()
    assert [call.tool for call in fourth.calls] == ["write_file"]


async def test_the_answer_may_end_the_tour_or_show_several_calls(tmp_path: Path) -> None:
    demo = Demo(tmp_path, "check the disk")
    demo.answer = "Stop here"
    last = await demo.finish()
    assert "rm" not in last.text
    assert "What to try next" in last.text
    demo = Demo(tmp_path, "check the disk")
    demo.answer = "Two calls at once"
    await demo.finish()
    assert [len(turn.calls) for turn in demo.turns if isinstance(turn, ModelTurn)] == [1, 1, 1, 2, 1, 0]


async def test_a_report_is_written_and_read(tmp_path: Path) -> None:
    demo = Demo(tmp_path, "report on the disk", (*EVERYTHING, "note_decision"))
    first = await demo.step()
    assert [call.tool for call in first.calls] == ["note_decision"]
    second = await demo.step()
    assert [call.tool for call in second.calls] == ["write_file", "shell"]
    last = await demo.finish()
    assert "Filesystem" in last.text
    assert "`report.md` has" in last.text


async def test_a_failed_tool_is_told(tmp_path: Path) -> None:
    demo = Demo(tmp_path, "Look around")
    demo.denied = {"write_file": "The folder is read-only."}
    last = await demo.finish()
    assert "- writing `report.md`: ran and failed" in last.text
    told = "\n".join(turn.text for turn in demo.turns if isinstance(turn, ModelTurn))
    assert "writing `report.md` ran and failed: The folder is read-only." in told
    assert not (tmp_path / "report.md").exists()


async def test_what_people_add_is_noted_once(tmp_path: Path) -> None:
    demo = Demo(tmp_path, "Look around")
    await demo.step()
    demo.turns.append(UserTurn(text="Use the\nnew cluster."))
    second = await demo.step()
    assert "Noted: Use the new cluster." in second.text
    last = await demo.finish()
    assert "Noted" not in last.text


@pytest.mark.parametrize(
    ("answer", "tools"),
    [
        ("Only look", ["ask_human", "shell"]),
        ("Look and write a report", ["ask_human", "write_file", "shell", "read_file"]),
        ("Stop here", ["ask_human"]),
    ],
)
async def test_asks_when_the_task_says_so(tmp_path: Path, answer: str, tools: list[str]) -> None:
    demo = Demo(tmp_path, "Clean up, but ask me first")
    demo.answer = answer
    last = await demo.finish()
    proposed = [call for turn in demo.turns if isinstance(turn, ModelTurn) for call in turn.calls]
    assert [call.tool for call in proposed] == tools
    assert isinstance(proposed[0].arguments, dict)
    assert answer in proposed[0].arguments["options"]
    assert f"You decided: {answer}" in last.text or "stop here" in last.text


@pytest.mark.parametrize("tools", [(), ("shell",), ("write_file",), ("read_file",), ("http_request",)])
async def test_uses_only_what_is_offered(tmp_path: Path, tools: tuple[str, ...]) -> None:
    last = await Demo(tmp_path, "ask about the disk", tools).finish()
    assert "Done with" in last.text


async def test_costs_nothing_and_counts_words(tmp_path: Path) -> None:
    reply = await Demo(tmp_path, "Look around").step()
    assert (reply.cost_usd, reply.model, reply.native) == (Decimal(0), "demo:scripted", None)
    assert reply.usage.input_tokens == 5
    assert reply.usage.output_tokens > 20


def test_is_what_runs_when_no_model_is_chosen() -> None:
    assert "no language model" in make_gateway(None).description
    assert make_gateway("openai:gpt-5").description == "openai:gpt-5"
