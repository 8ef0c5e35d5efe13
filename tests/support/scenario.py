"""A scene to act in: a Slack, a Flagman with tools that count their runs, a persona, a scripted model."""

from __future__ import annotations

import json
import re
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import Field

from handlers.messages.subagents import Subagents
from handlers.messages.thread import thread
from supervisor.core.errors import ToolError
from supervisor.core.state import Session
from supervisor.models.gateway import Gateway
from supervisor.tools.builtin import builtin_tools
from supervisor.tools.contract import ToolContext, Toolset
from supervisor.tools.typed_tool import tool
from tests.support.flagman import Flagman, settings
from tests.support.scripted import Behaviour, Scripted
from tests.support.seen import recent_sessions
from tests.support.slack import ADA, OPS, Json, Slack, buttons, texts, wait_for

APPROVE, ALL, DENY, VIEW = "call_approve", "call_approve_all", "call_deny", "call_view"
DENY_ALL = "call_deny_all"
LIVE = re.compile(r"<(?!!date\^\d+\^)[@!#A-Za-z][^<>]*>")


def counted_tools(file: Path) -> Toolset:
    """`deploy`, `note` (allowed without asking) and `fail`; each run is a line in `file`."""

    def ran(name: str, ctx: ToolContext, **arguments: Any) -> None:
        with file.open("a") as out:
            out.write(json.dumps([name, ctx.session_id, ctx.call_id, arguments]) + "\n")

    @tool
    async def deploy(ctx: ToolContext, service: str, notes: str = "") -> str:
        """Deploy a service."""
        ran("deploy", ctx, service=service, notes=notes)
        return f"deployed {service}"

    @tool(changes=False)
    async def note(ctx: ToolContext, words: str) -> str:
        """Write something down."""
        ran("note", ctx, words=words)
        return f"noted {words}"

    @tool
    async def fail(ctx: ToolContext, times: Annotated[int, Field(ge=0, le=9)] = 1) -> str:
        """Fail."""
        ran("fail", ctx, times=times)
        raise ToolError("it did not work")

    return {t.name: t for t in (deploy, note, fail)}


def write_persona(folder: Path, name: str = "ops", **front: Any) -> None:
    """A persona file; whatever is not given has its default."""
    given = {"name": name, "description": f"The persona {name}.", "tools": ["*"], **front}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.md").write_text(f"---\n{yaml.safe_dump(given)}---\nDo as you are told.\n")


@dataclass
class Scene:
    """What a scenario needs at hand."""

    slack: Slack
    flagman: Flagman
    model: Scripted
    log: Path

    def runs(self, name: str = "") -> list[list[Any]]:
        """All runs of tools so far: name, session, call, arguments."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [row for row in map(json.loads, lines) if name in ("", row[0])]

    async def launch(self, task: str = "ship it", *, user: str = ADA, channel: str = OPS) -> Session:
        """Launch by slash command; gives the session, whose sub-agents may have begun meanwhile."""
        before = {s.id for s in await recent_sessions(self.flagman.core, limit=100)}
        answer = await self.slack.command(user, channel, f"launch ops {task}")
        assert "Started" in str(answer.get("response", "")), answer

        async def new() -> Session | None:
            found = await recent_sessions(self.flagman.core, limit=100)
            return next((s for s in found if s.id not in before and not s.lineage), None)

        return await wait_for(new)

    async def card(self, session: Session, channel: str = OPS, user: str = ADA) -> Json:
        """The card of a session; of a sub-agent, that of its root, in whose thread it is shown."""
        return await self.slack.message(
            channel,
            lambda m: (f"card:{session.root}" in texts(m)) or _ended(m, session.root),
            user=user,
        )

    async def asked(self, session: Session, *, count: int = 1, channel: str = OPS) -> list[Json]:
        """The approval messages with live buttons in the session's thread, once there are so many."""
        card = await self.card(session, channel)

        async def look() -> list[Json] | None:
            rows = await self.slack.messages(channel, card["ts"])
            mine = [row for row in rows if session_of(row) == session.id and key_of(row) != "card"]
            found = [row for row in mine if APPROVE in buttons(row)]
            return found if len(found) >= count else None

        return await wait_for(look)

    async def waiting(self, session: Session) -> Session:
        """The session, once it waits for an approval."""
        return await self.flagman.session(lambda s: s.waiting_for == "human_approval_required", session.id)

    async def ended(self, session: Session) -> Session:
        """The session, once it has ended."""
        return await self.flagman.session(lambda s: s.ended, session.id)

    async def settled(self, session: Session) -> list[Json]:
        """The thread, once it has every message that the log says, and nothing in it can be decided any more."""
        card = await self.card(session)

        async def look() -> list[Json] | None:
            now, below = await self.flagman.core.supervisor.get(session.id), Subagents()
            below = Subagents(within="a name") if session.lineage else below
            wanted = {message.key for message in thread(now, subagents=below)}
            rows = await self.slack.messages(OPS, card["ts"])
            rows = [row for row in rows if session_of(row) == session.id] if session.lineage else rows
            live = [row for row in rows if {APPROVE, DENY, ALL} & set(buttons(row))]
            return None if live or not wanted <= {key_of(row) for row in rows} else rows

        return await wait_for(look)

    async def whispers(self, user: str, count: int = 1, thread_ts: str | None = None) -> list[Json]:
        """What only this person sees in the channel (or the thread), once there is so much."""

        async def look() -> list[Json] | None:
            rows = await self.slack.messages(OPS, thread_ts, user)
            found = [row for row in rows if row.get("ephemeral")]
            return found if len(found) >= count else None

        return await wait_for(look)

    async def refused(self) -> list[Json]:
        """Calls of the Web API that were not taken, apart from planned failures."""
        return [call for call in await self.slack.calls() if not call["ok"] and not call["fault"]]


def key_of(message: Json) -> str:
    """Which message of its session this is, as Flagman marked it."""
    payload = (message.get("metadata") or {}).get("event_payload") or {}
    return str(payload.get("key", ""))


def session_of(message: Json) -> str:
    """Which session this message is of, as Flagman marked it."""
    payload = (message.get("metadata") or {}).get("event_payload") or {}
    return str(payload.get("session", ""))


def _ended(message: Json, session_id: str) -> bool:
    return session_id in texts(message) and "session_log" in buttons(message)


def call_row(message: Json, call_id: str) -> dict[str, Json]:
    """The buttons of one call's row."""
    blocks = [b for b in message["blocks"] if b.get("block_id", "").endswith(f":{call_id}")]
    return buttons({"blocks": [b for b in blocks if b["block_id"].startswith("act:")]})


def live_markup(shown: Any) -> set[str]:
    """What Slack would turn into a mention or a link in a message, a view or an answer; dates are harmless."""
    found: set[str] = set()
    if isinstance(shown, dict):
        rich = shown.get("type") == "rich_text"
        text = shown.get("text")
        if isinstance(text, str) and shown.get("type") != "plain_text":
            found |= set(LIVE.findall(text))
        if rich:
            kinds = re.findall(r'"type": "(user|usergroup|broadcast|channel|link)"', json.dumps(shown))
            found |= set(kinds)
        shown = [] if rich else list(shown.values())
    if isinstance(shown, list):
        found |= {markup for part in shown for markup in live_markup(part)}
    return found


class Director:
    """Sets scenes up; they end with the test."""

    def __init__(self, slack: Slack, redis_url: str, folder: Path, stack: AsyncExitStack) -> None:
        self._slack, self._redis_url, self._folder, self._stack = slack, redis_url, folder, stack

    @property
    def personas(self) -> Path:
        """Where further ones may be written before the scene begins."""
        return self._folder / "personas"

    async def __call__(
        self,
        behave: Behaviour | Gateway,
        *,
        persona: dict[str, Any] | None = None,
        webs: int = 1,
        hands: int = 1,
        redis_url: str = "",
        tools: Toolset | None = None,
        **config: Any,
    ) -> Scene:
        log = self._folder / "runs.jsonl"
        known = {**builtin_tools(), **counted_tools(log), **(tools or {})}
        write_persona(self.personas, **(persona or {}))
        given = {"personas": self.personas, **config}
        url = redis_url or self._redis_url
        options = settings(self._slack.api_url, url, self._folder / "data", **given)
        gateway: Any = Scripted(behave) if callable(behave) else behave
        flagman = Flagman(options, gateway, tools=known, webs=webs, hands=hands)
        await self._stack.enter_async_context(flagman)
        return Scene(self._slack, flagman, gateway, log)
