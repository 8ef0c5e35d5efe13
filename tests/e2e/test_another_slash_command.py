"""With FLAGMAN_COMMAND=/bot nothing that people read says `/agent`: no message, form, help, error, page or document."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Self

import aiohttp

from bot.playground.control import __doc__ as CONTROL
from bot.playground.seed import BOT
from tests.cli.served import Served, served
from tests.support.slack import ADA, OPS, Json, Slack, buttons, texts

STATIC = Path(__file__).parents[2] / "bot" / "playground" / "static"
AGENT = re.compile(r".{0,60}/agent\b.{0,20}")
TYPED = (
    "help", "list", "list paused", "list everything", "personas", "frobnicate", "lanch sre x", "launch",
    "launch sre", "launch nobody look", "status", "log", "files", "pause", "resume", "remind", "cancel", "fork",
    "fork abcd-0000 at", "schedule", "schedule nonsense", "status abcd-0000", "log abcd-0000",
    "pause abcd-0000", "remind abcd-0000 in 2h look",
)  # fmt: skip
ABOUT = (
    "status {0}", "log {0}", "files {0}", "remind {0} in 2h look", "remind {0} whenever", "fork {0} at",
    "pause {0} for 2h", "pause {0} until nonsense: x", "list", "list paused", "resume {0} in 2h", "cancel {0}",
    "resume {0}",
)  # fmt: skip


class Playground(Slack):
    """The one that `flagman serve` mounts; all that it answers is kept."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._at = url
        self.heard: list[str] = []

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession()
        return self

    @property
    def url(self) -> str:
        return self._at

    async def send(self, path: str, body: Json, method: str = "POST") -> Json:
        return self._kept(await super().send(path, body, method))

    async def get(self, path: str, **query: str) -> Json:
        return self._kept(await super().get(path, **query))

    def _kept(self, answer: Json) -> Json:
        self.heard.append(json.dumps(answer, ensure_ascii=False))
        return answer

    async def read(self, path: str, **headers: str) -> str:
        """A page or document."""
        async with self.session.get(f"{self.url}{path}", headers=headers) as answer:
            self.heard.append(await answer.text())
            return self.heard[-1]


async def test_another_slash_command_is_named_everywhere(tmp_path: Path) -> None:
    with served(tmp_path, FLAGMAN_COMMAND="/bot") as flagman:
        async with Playground(flagman.url) as slack:
            await _pages(slack)
            await _commands(slack)
            session_id = await _session(slack)
            documents = await _documents(slack, flagman, session_id)
            for text in ABOUT:
                await slack.command(ADA, OPS, text.format(session_id), "/bot")
            await slack.home(ADA)
            await slack.messages(OPS)
            heard = slack.heard
        told = await asyncio.to_thread(_told, flagman, session_id)
    assert "Approve" in "".join(heard)
    assert f"`/bot cancel {session_id}`" in documents
    everything = [*heard, *told, documents, (tmp_path / "serve.log").read_text()]
    assert [found for text in everything for found in AGENT.findall(text)] == []


async def _pages(slack: Playground) -> None:
    state = await slack.get("state", user=ADA)
    assert [row["command"] for row in state["commands"]] == ["/bot"]
    await slack.read("/")
    for file in sorted(path for path in STATIC.rglob("*") if path.is_file()):
        assert await slack.read(f"/playground/static/{file.relative_to(STATIC)}")
    for path in ("/v1/openapi.json", "/v1/nothing", "/metrics"):
        await slack.read(path)


async def _commands(slack: Playground) -> None:
    for text in TYPED:
        answer = await slack.command(ADA, OPS, text, "/bot")
        assert answer["ok"], answer
    help_ = await slack.command(ADA, OPS, "help", "/bot")
    assert "`/bot launch sre" in texts(help_["response"])
    missing = await slack.command(ADA, OPS, "status abcd-0000", "/bot")
    assert "`/bot list` lists sessions" in missing["response"]["text"]
    for text in ("help", "status abcd-0000", "status", "frobnicate"):
        await slack.post(ADA, OPS, f"<@{BOT.id}> {text}")


async def _session(slack: Playground) -> str:
    """A session launched by the form, with each form of its messages opened; its id."""
    await slack.command(ADA, OPS, "", "/bot")
    form = await slack.view(ADA)
    options = next(b["element"]["options"] for b in form["blocks"] if b["block_id"] == "persona")
    sre = next(option for option in options if option["value"] == "sre")
    values = {
        "task": {"value": {"type": "plain_text_input", "value": "check the disk"}},
        "persona": {"launch_persona": {"type": "static_select", "selected_option": sre}},
    }
    answer = await slack.submit(ADA, form, values)
    assert answer["ok"], answer
    card = await slack.message(OPS, lambda m: any(a.startswith("session_") for a in buttons(m)))
    thread = str(card["ts"])
    asked = await slack.message(
        OPS, lambda m: any(a.startswith("call_") for a in buttons(m)), thread_ts=thread
    )
    for action in sorted(buttons(asked)):
        if action in ("call_view", "call_deny", "call_edit"):
            await slack.click(ADA, OPS, asked["ts"], action)
            await slack.close_view(ADA, await slack.view(ADA))
    await slack.post(ADA, OPS, "mind the logs", thread)
    await slack.messages(OPS, thread)
    listed = await slack.command(ADA, OPS, "list", "/bot")
    found = re.search(r"`(\w{4}-\w{4})`", json.dumps(listed))
    assert found
    return found[1]


async def _documents(slack: Playground, flagman: Served, session_id: str) -> str:
    key = {"Authorization": f"Bearer {flagman.key}"}
    await slack.read("/v1/sessions/abcd-0000", **key)
    return await slack.read(f"/v1/sessions/{session_id}/log", **key)


def _told(flagman: Served, session_id: str) -> list[str]:
    """What the command line says."""
    runs = [
        flagman.cli(*words, code=None)
        for words in (
            ("--help",),
            ("show", "nope-nope"),
            ("show", session_id),
            ("list",),
            ("log", session_id),
        )
    ]
    return [run.stdout + run.stderr for run in runs]


def test_what_is_looked_for_would_be_found() -> None:
    assert AGENT.findall(CONTROL or "")
