"""A Flagman of real processes between a playground, a scripted model and the store."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Self

from redis.asyncio import Redis

from handlers.messages.thread import thread
from storage import keys
from storage.connection import connect
from storage.log import LogStore
from storage.projections import ProjectionStore
from supervisor.core.errors import FlagmanError
from supervisor.core.state import Session
from supervisor.repository import Sessions
from tests.support.ports import free_port
from tests.support.process import Process
from tests.support.process_pool import ProcessPool
from tests.support.providers.openai_server import OpenAIServer, calls, text
from tests.support.redis_proxy import RedisProxy
from tests.support.slack import ADA, APP_TOKEN, BOT_TOKEN, OPS, Json, Slack, buttons, texts, wait_for
from tests.support.store_servers import emptied

LEASE = 1.0
AT_ONCE = 6
PERSONA = """---
name: hand
description: Does what it is told.
tools: ["shell", "write_file", "read_file"]
approvals:
  - {tool: "write_file", mode: ask}
---
Do it.
"""


class House:
    """Everything of one scenario; `web` and `worker` reach the store each through a proxy of their own."""

    def __init__(self, process_pool: ProcessPool, store_url: str, folder: Path) -> None:
        self._process_pool, self._store_url, self.folder = process_pool, store_url, folder
        self._stack = AsyncExitStack()
        self.processes: list[Process] = []
        self.model = OpenAIServer()
        self.slack = Slack(folder / "slack")
        self.web_proxy, self.worker_proxy = RedisProxy(store_url), RedisProxy(store_url)

    async def __aenter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "personas").mkdir()
        (self.folder / "personas" / "hand.md").write_text(PERSONA)
        self.redis: Redis = connect(self._store_url)
        self._stack.push_async_callback(self.redis.aclose)
        await emptied(self.redis)
        for part in (self.model, self.slack, self.web_proxy, self.worker_proxy):
            await self._stack.enter_async_context(part)
        self.sessions = Sessions(LogStore(self.redis))
        return self

    async def __aexit__(self, *_: object) -> None:
        for process in self.processes:
            process.thaw()
            process.kill()
        await asyncio.gather(*(process.ended() for process in self.processes))
        await self._stack.aclose()

    # Processes

    def environment(self, **more: str) -> dict[str, str]:
        return {
            **{name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ},
            "SLACK_BOT_TOKEN": BOT_TOKEN,
            "SLACK_APP_TOKEN": APP_TOKEN,
            "SLACK_API_URL": self.slack.api_url,
            "REDIS_URL": self._store_url,
            "PORT": str(free_port()),
            "FLAGMAN_DATA": str(self.folder / "data"),
            "FLAGMAN_WORKSPACE": str(self.folder / "workspace"),
            "FLAGMAN_PERSONAS": str(self.folder / "personas"),
            "FLAGMAN_MODEL": "openai-chat:test",
            "FLAGMAN_SECRET_KEY": "a-key-for-tests-only-0123456789abcdef",
            "FLAGMAN_LEASE_SECONDS": str(LEASE),
            # Commands count their runs in a file outside of their session's folder.
            "FLAGMAN_SANDBOX": "off",
            "OPENAI_BASE_URL": self.model.url,
            "OPENAI_API_KEY": "sk-none",
            **more,
        }

    def start(self, command: str, **more: str) -> Process:
        """`flagman command`, in whatever state it is when this returns."""
        output = self.folder / f"{command}-{len(self.processes)}.log"
        process = self._process_pool.start(command, self.environment(**more), output)
        self.processes.append(process)
        return process

    async def web(self, **more: str) -> Process:
        """A web process that Slack has reached."""
        process = self.start("web", **{"REDIS_URL": self.web_proxy.url, **more})
        await process.says("web: listening")
        await self.slack.connected()
        return process

    async def worker(self, **more: str) -> Process:
        process = self.start("worker", **{"REDIS_URL": self.worker_proxy.url, **more})
        await process.says("worker: at work")
        return process

    async def both(self) -> tuple[Process, Process]:
        web, worker = await asyncio.gather(self.web(), self.worker())
        return web, worker

    # What people do and see

    def propose(self, tool: str, arguments: Json, *, then: str = "All done.") -> None:
        """The model proposes one call, and ends once it has a result."""
        self.model.behaviour = lambda request: (
            text(then)
            if any(said.role == "result" for said in request.conversation())
            else calls((tool, arguments))
        )

    async def launch(self, task: str = "do it") -> str:
        answer = await self.slack.command(ADA, OPS, f"launch hand {task}")
        assert answer["ok"], answer
        return await self.newest()

    async def newest(self) -> str:
        async def look() -> str | None:
            rows = await LogStore(self.redis).index("all", limit=1)
            return rows[0][0] if rows else None

        return await wait_for(look)

    async def session(self, session_id: str, until: Callable[[Session], Any], timeout: float = 60) -> Session:
        async def look() -> Session | None:
            found = await self.sessions.load(session_id)
            return found if until(found) else None

        try:
            return await wait_for(look, timeout)
        except AssertionError:
            raise AssertionError(f"{await self.sessions.load(session_id)}\n{self.outputs()}") from None

    def outputs(self) -> str:
        return "\n".join(f"--- {p.pid}\n{p.output}" for p in self.processes)

    async def asked(self, session_id: str, words: str = "Approval needed") -> Json:
        """The message with these words in the session's thread."""
        card = await self.card(session_id)
        return await self.slack.message(OPS, lambda m: words in texts(m), card["ts"])

    async def card(self, session_id: str) -> Json:
        return await self.slack.message(
            OPS, lambda m: f"card:{session_id}" in texts(m) or _key(m) == (session_id, "card")
        )

    async def click(self, message: Json, action: str) -> Json:
        return await self.slack.click_stale(ADA, OPS, message, action)

    async def approve(self, session_id: str) -> Json:
        """Click Approve, as shown; the message."""
        message = await self.asked(session_id)
        answer = await self.click(message, "call_approve")
        assert answer["ok"], answer
        return message

    async def say(self, session_id: str, button: str, result: str = "") -> None:
        """Decide on a call that was cut off, by one of its three buttons."""
        message = await self.asked(session_id, "Outcome unknown")
        assert {"outcome_run_again", "outcome_done", "outcome_failed"} <= set(buttons(message))
        answer = await self.slack.click(ADA, OPS, message["ts"], button)
        assert answer["ok"], answer
        if button != "outcome_run_again":
            view = await self.slack.view(ADA)
            answer = await self.slack.submit(ADA, view, {"value": result})
            assert answer["ok"], answer

    async def said(self, session_id: str) -> list[Json]:
        """All messages of the bot about this session, as Slack keeps them."""
        history = await self._messages("conversations.history")
        found = [m for m in history if _key(m)[0] == session_id]
        for card in list(found):
            replies = await self._messages("conversations.replies", ts=card["ts"])
            found += [m for m in replies if m["ts"] != card["ts"]]
        return found

    async def _messages(self, method: str, **about: str) -> list[Json]:
        """What this method returns, as soon as Slack's rate lets it."""

        async def look() -> Json | None:
            answer = await self.slack.api(method, channel=OPS, include_all_metadata=True, **about)
            assert answer["ok"] or answer["error"] == "ratelimited", answer
            return answer if answer["ok"] else None

        found: list[Json] = (await wait_for(look, pause=0.1))["messages"]
        return found

    async def converged(self, session_id: str, timeout: float = 60) -> Session:
        """Wait until Slack shows exactly what the log says: one message a key, no button that is no longer due."""
        trouble: list[str] = ["nothing looked at"]

        async def look() -> Session | None:
            session = await self.sessions.load(session_id)
            trouble[:] = _differences(session, await self.said(session_id))
            return None if trouble else session

        try:
            return await wait_for(look, timeout, 0.03)
        except AssertionError:
            raise AssertionError("\n".join([*trouble, self.outputs()])) from None

    async def completed(self, session_id: str) -> Session:
        """Wait for the end, and for Slack to show it."""
        await self.session(session_id, lambda s: s.lifecycle == "completed")
        return await self.converged(session_id)

    async def events(self, session_id: str) -> Counter[str]:
        return Counter(event.type for event in await self.sessions.events(session_id))

    async def troubles(self) -> dict[str, str]:
        rows: Any = await self.redis.hgetall(keys.queue(0, "ready").troubles)
        return {key.decode(): why.decode() for key, why in rows.items()}

    @property
    def rows(self) -> ProjectionStore:
        return ProjectionStore(self.redis)


def _key(message: Json) -> tuple[str, str]:
    payload = (message.get("metadata") or {}).get("event_payload") or {}
    return payload.get("session", ""), payload.get("key", "")


def _differences(session: Session, messages: list[Json]) -> list[str]:
    wanted = {message.key: message for message in thread(session)}
    keys = Counter(_key(message)[1] for message in messages)
    found = [f"{key} stands {count} times" for key, count in keys.items() if count > 1]
    found += [f"{key} is missing" for key in wanted if key not in keys]
    for message in messages:
        key = _key(message)[1]
        due = set(buttons({"blocks": list(wanted[key].blocks)})) if key in wanted else set()
        if key in wanted and message["text"] != wanted[key].text:
            found.append(f"{key} says {message['text']!r}, not {wanted[key].text!r}")
        if set(buttons(message)) != due:
            found.append(f"{key} has the buttons {sorted(buttons(message))}, not {sorted(due)}")
    return found


class Houses:
    """Makes houses, each on one of the databases of one server."""

    def __init__(self, process_pool: ProcessPool, store_url: str, folder: Path) -> None:
        self._process_pool, self._store_url, self._folder = process_pool, store_url, folder
        self._free = list(range(1, 1 + AT_ONCE))
        self._slots = asyncio.Semaphore(AT_ONCE)

    @asynccontextmanager
    async def one(self, name: str = "house") -> AsyncIterator[House]:
        async with self._slots:
            number = self._free.pop()
            try:
                async with House(self._process_pool, self._url(number), self._folder / name) as house:
                    yield house
            finally:
                self._free.append(number)

    def _url(self, number: int) -> str:
        joint = f"?db={number}" if self._store_url.startswith("unix:") else f"/{number}"
        return f"{self._store_url}{joint}"

    async def each(self, scenarios: Mapping[str, Callable[[House], Awaitable[None]]]) -> None:
        """Play all of them, some at a time, and fail with the names of those that failed."""

        async def play(name: str, scenario: Callable[[House], Awaitable[None]]) -> None:
            async with self.one(name.replace(" ", "-")) as house:
                try:
                    async with asyncio.timeout(200):
                        await scenario(house)
                except TimeoutError as error:
                    raise AssertionError(f"{name}: took too long\n{house.outputs()}") from error
                except (AssertionError, FlagmanError) as error:
                    raise AssertionError(f"{name}: {error}") from error

        results = await asyncio.gather(
            *(play(name, scenario) for name, scenario in scenarios.items()), return_exceptions=True
        )
        failures = [result for result in results if isinstance(result, BaseException)]
        if failures:
            raise BaseExceptionGroup(f"{len(failures)} of {len(results)} failed", failures)
