"""Every example of the README runs as printed; only what stands for the reader's own is filled in."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

import flagman as public
from bot.sdk import Session, connect
from bot.settings import VARIABLES
from supervisor.core.conditions import parse_condition
from supervisor.models import make_gateway
from supervisor.personas.loader import load_personas
from supervisor.tools.builtin import builtin_tools
from tests.cli.served import Served, environment, served, until
from tests.readme import examples
from tests.readme.examples import ROOT
from tests.readme.people import entered, launched
from tests.readme.shell import filled_in, output, typed
from tests.support.api import Client
from tests.support.slack import APP_TOKEN, BOT_TOKEN, Slack

KEYS = {f"{name}_API_KEY": "sk-none" for name in ("ANTHROPIC", "OPENAI", "GOOGLE")}
MODELS = [span for span in examples.spans() if re.match(r"(anthropic|openai|openai-chat|google):\w", span)]


def test_nothing_is_left_out_here() -> None:
    assert {block.language for block in examples.blocks()} == {"sh", "python", "markdown"}
    assert {examples.program(line) for line in examples.shell_lines()} == {
        "make",
        "export",
        "flagman",
        "curl",
    }
    assert len(examples.blocks("python")) == len(examples.blocks("markdown")) == 1
    assert len(examples.conditions()) >= 7
    assert len(MODELS) == 2


# Make


@pytest.mark.parametrize("line", examples.lines_of("make") + examples.spans("make "))
def test_make_has_the_target(line: str) -> None:
    done = subprocess.run(
        ["sh", "-c", line.replace("make", "make -n", 1)],
        cwd=ROOT, env=environment(), capture_output=True, text=True, check=True,
    )  # fmt: skip
    if "make run" in line:
        # What the fixtures start.
        assert done.stdout.splitlines()[-1].endswith("/flagman serve")


async def test_the_exports_lead_to_a_slack_and_a_model(tmp_path: Path) -> None:
    lines = "\n".join(examples.lines_of("export"))
    for placeholder, real in {"xoxb-…": BOT_TOKEN, "xapp-…": APP_TOKEN, "…": "sk-none"}.items():
        lines = lines.replace(placeholder, real)
    said = subprocess.run(["sh", "-c", f"{lines}\nenv"], env={}, capture_output=True, text=True, check=True)
    exported = dict(line.split("=", 1) for line in said.stdout.splitlines())
    exported = {name: value for name, value in exported.items() if name not in ("PWD", "SHLVL", "_")}

    def started(slack_url: str) -> str:
        with served(tmp_path, SLACK_API_URL=slack_url, **exported) as running:
            return (running.folder / "serve.log").read_text()

    async with Slack() as slack:
        welcome = await asyncio.to_thread(started, slack.api_url)
        assert slack.api_url in welcome
    assert exported["FLAGMAN_MODEL"] in welcome


@pytest.mark.parametrize("model", MODELS)
async def test_a_model_that_is_named_is_known(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    gateway = make_gateway(model)
    await gateway.check()
    await gateway.close()


# The command line


@pytest.mark.parametrize("line", examples.lines_of("flagman"))
def test_a_command_line_does_what_it_says(line: str, flagman: Served) -> None:
    PROMISED[promise(line)](line, flagman)


def promise(line: str) -> str:
    """The verb, with what makes another thing of it."""
    return " ".join([line.split()[1], *(flag for flag in ("--edit", "--coordinate") if flag in line)])


def _launches(line: str, flagman: Served) -> None:
    before = {row["id"] for row in flagman.cli.json("list")}

    def waiting() -> list[str]:
        rows = flagman.cli.json("list", "--status", "paused")
        return [row["id"] for row in rows if row["id"] not in before]

    def wave_through() -> None:
        until(waiting)
        flagman.cli("approve", *waiting(), "--yes")

    people = threading.Thread(target=wave_through)
    people.start()
    terminal = typed(filled_in(line, flagman), flagman)
    assert terminal.ended() == 0, terminal.seen
    people.join()
    assert "approved" in terminal.seen
    assert "completed" in terminal.seen


def _pauses(line: str, flagman: Served) -> None:
    session_id = flagman.cli.launched()
    token = output(filled_in(line, flagman, session_id), flagman).strip()
    assert flagman.cli.json("show", session_id)["pause"]["conditions"] == ["webhook: redis_ready"]

    async def twice() -> list[int]:
        async with Client(flagman.url) as anybody:
            return [(await anybody.post(f"/v1/resume/{token}", {})).status for _ in range(2)]

    first, second = asyncio.run(twice())
    assert (first, second) == (200, 409)
    assert flagman.cli.json("show", session_id)["pause"] is None


def _approves(line: str, flagman: Served) -> None:
    session_id = flagman.cli.launched()
    calls = flagman.cli.json("show", session_id)["calls"]
    terminal = typed(filled_in(line, flagman, session_id), flagman)
    for number, call in enumerate(calls, start=1):
        terminal.says(
            f"{number} of {len(calls)}: {call['call_id']}: approve, deny, respond, edit, view or skip [skip]?"
        )
        assert call["digest"] in terminal.seen
        terminal.type("approve\n")
    assert terminal.ended() == 0
    until(lambda: flagman.cli.json("show", session_id)["status"] == "completed")


def _edits(line: str, flagman: Served) -> None:
    session_id = flagman.cli.launched()
    call_id = flagman.cli.json("show", session_id)["calls"][-1]["call_id"]
    terminal = typed(f"EDITOR='sed -i s/df/ls/' {filled_in(line, flagman, session_id, call_id)}", flagman)
    terminal.says("[y/N]")
    assert '+command: "ls -h' in terminal.seen
    terminal.type("y\n")
    assert terminal.ended() == 0
    assert "as changed" in terminal.seen


def _coordinates(line: str, flagman: Served) -> None:
    terminal = typed(filled_in(line, flagman), flagman)
    terminal.says("→ flagman approve ")
    session_id = terminal.seen.split()[0]

    def waved_through() -> bool:
        state = flagman.cli.json("show", session_id)
        if state["needs"]:
            flagman.cli("approve", session_id, "--yes")
        return bool(state["status"] == "completed")

    until(waved_through, 40)
    assert terminal.ended() == 0
    assert "3 of 3 subtasks completed" in terminal.seen
    assert "├─ ✓ look" in flagman.cli("show", session_id).stdout


def _copies(line: str, flagman: Served) -> None:
    session_id = flagman.cli.launched()
    copy = output(filled_in(line, flagman, session_id), flagman).strip()
    assert flagman.cli.json("show", copy)["forked_from"] == {"id": session_id, "step": 1, "missing": []}


def _replays(line: str, flagman: Served) -> None:
    terminal = typed(filled_in(line, flagman, flagman.cli.launched()), flagman)
    terminal.says("── After it")
    terminal.says("q quit")
    terminal.type("q")
    assert terminal.ended() == 0


def _examines(line: str, flagman: Served) -> None:
    said = output(filled_in(line, flagman), flagman)
    assert "Store" in said
    assert "✗" not in said


PROMISED: dict[str, Callable[[str, Served], None]] = {
    "launch": _launches,
    "pause": _pauses,
    "approve": _approves,
    "approve --edit": _edits,
    "launch --coordinate": _coordinates,
    "fork": _copies,
    "replay": _replays,
    "doctor": _examines,
}


def test_no_promise_is_made_in_vain() -> None:
    assert set(PROMISED) == {promise(line) for line in examples.lines_of("flagman")}


@pytest.mark.parametrize("span", examples.spans("flagman "))
def test_a_command_that_is_named_is_there(span: str, flagman: Served) -> None:
    output(f"{span} --help", flagman)


# HTTP


@pytest.mark.parametrize("path", [s for s in examples.spans("/") if re.match(r"/(v1|\w+z$|metrics)", s)])
async def test_an_address_that_is_named_answers(path: str, api: Client) -> None:
    assert (await api.get(path)).status == 200


# Python


@pytest.mark.parametrize("awaited", [False, True], ids=["script", "coroutine"])
async def test_the_python_block_runs(flagman: Served, api: Client, *, awaited: bool) -> None:
    (block,) = examples.blocks("python")
    program = f"{block.text}\nprint(session.id)\n"
    if awaited:
        called = re.sub(r"(?m)^(\w+ = |)((?:agent|session|Session)\.)", r"\1await \2", program)
        body = textwrap.indent(called, "    ")
        program = f"import asyncio\nasync def example():\n{body}\nasyncio.run(example())"
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-W", "error", "-c", program],
        cwd=flagman.folder, env=environment(), capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    events = (await api.get(f"/v1/sessions/{done.stdout.strip()}/events"))["events"]
    paused, resumed = [e["data"] for e in events if e["type"] in ("Paused", "Resumed")][:2]
    assert (paused["detail"], paused["conditions"]) == ("External dependency", ["webhook: redis_ready"])
    assert (resumed["trigger"], resumed["data"]) == ("webhook", {"redis_url": "redis://localhost"})
    assert "User approved the deployment" in [e["data"].get("text") for e in events]


@pytest.mark.parametrize("name", [s for s in examples.spans() if re.match(r"(session\.|\w*AgentSup)", s)])
def test_what_is_named_of_python_is_there(name: str) -> None:
    found = {"session": public.Session}.get(name.split(".")[0]) or public
    for part in re.findall(r"[A-Za-z_]\w+", name.partition("(")[0].removeprefix("session")):
        found = getattr(found, part)
    for part in re.findall(r"\)\.(\w+)\(", name):
        assert hasattr(found, part)


# Conditions, the same in every place


@pytest.mark.parametrize("text", examples.conditions())
async def test_a_condition_is_understood_everywhere(text: str, flagman: Served, api: Client) -> None:
    known = parse_condition(text, now=datetime.now(UTC))
    assert builtin_tools()["wait_for"].validate({"condition": text})["condition"] == text
    session_id = await launched(api)

    async def understood() -> None:
        (shown,) = (await api.get(f"/v1/sessions/{session_id}"))["pause"]["conditions"]
        assert shown.split()[0] == str(known).split()[0]
        assert (await api.post(f"/v1/sessions/{session_id}/resume", {})).status == 200

    await api.post(f"/v1/sessions/{session_id}/pause", {"resume_conditions": [text]})
    await understood()
    await asyncio.to_thread(flagman.cli, "pause", session_id, "--until", text)
    await understood()
    async with connect(flagman.url, flagman.key):
        session = await Session.load(session_id)
        await session.pause(reason="because", resume_condition=text)
    await understood()
    await entered(api, f"/agent pause {session_id} until {text}")
    await understood()


# The persona


def test_the_persona_loads_and_can_be_launched(tmp_path: Path) -> None:
    (block,) = examples.blocks("markdown")
    folder = tmp_path / "personas"
    folder.mkdir()
    (folder / "deployer.md").write_text(block.text)
    persona = load_personas(folder, builtin_tools())["deployer"]
    assert [rule.mode for rule in persona.approvals] == ["allow", "ask"]
    with served(tmp_path, FLAGMAN_PERSONAS=str(folder)) as running:
        session_id = running.cli.launched(persona="deployer")
        calls = running.cli.json("show", session_id)["calls"]
    shells = [call["approvers"] for call in calls if call["tool"] == "shell"]
    assert shells
    assert all((a["groups"], a["quorum"], a["exclude_requester"]) == (["sre"], 2, True) for a in shells)


def test_every_variable_is_in_the_table_once() -> None:
    named = [name for row in examples.rows("Variable") for name in row[0]]
    assert sorted(named) == sorted(VARIABLES)


@pytest.mark.parametrize("link", examples.links())
def test_a_link_leads_somewhere(link: str) -> None:
    assert (ROOT / link.partition("#")[0]).exists()
