"""What paused sessions cost: memory in the store, and the start of a fresh process that finds many of them."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from redis.asyncio import Redis

from bot.compose import Core, core, now
from handlers.messages.message import Message
from handlers.origin import Place
from handlers.projection.agent_status import AgentStatuses
from handlers.projection.audience import Audience
from handlers.projection.log_upload import LogUploads
from handlers.projection.message_poster import MessagePoster
from handlers.projection.message_rows import Row
from handlers.projection.people.mentions import Mentions
from handlers.projection.permalinks import Permalinks
from handlers.projection.projector import Projector
from handlers.projection.slack_client import Posted, SlackSender
from handlers.projection.subagents import SubagentReader
from handlers.projection.turns import Rank
from storage import keys
from storage.connection import connect
from storage.embedded_server import embedded_server
from storage.queue import SessionQueue
from supervisor.core.events import SYSTEM, ApprovalRequested, Event, SessionLaunched, encode
from supervisor.core.reducer import fold
from supervisor.core.state import Session
from supervisor.core.tool_calls import record_reply
from supervisor.repository import new_session_id
from supervisor.runtime.worker import Worker
from tests.benchmarks.report import Figure, median
from tests.benchmarks.stand import PERSON, TOOLS, proposing, settings

HELD, SHOWN, MANY = 10_000, 2_000, 100_000
AT_ONCE = 64
BATCH = 2_000


async def measure(url: str, folder: Path, rounds: int) -> list[Figure]:
    async with core(settings(folder, url), tools=TOOLS) as parts:
        figures = await _memory(parts)
    async with embedded_server(folder / "many" / "data", password="") as many:
        redis = connect(many)
        session_ids = await _fill(redis, folder)
        await redis.aclose()
        starts = [await _fresh(folder / "many", many, session_ids[n]) for n in range(rounds)]
        floors = [await _bare(many) for _ in range(rounds)]
    embedded = [await _fresh(folder / "many", "", session_ids[rounds + n]) for n in range(rounds)]
    base = median([row["ready"] for row in floors])
    return [
        *figures,
        Figure(
            f"process ready, {MANY:,} paused",
            median([row["ready"] for row in starts]),
            "s",
            base,
            1.5,
            note="the store runs; imports included (floor: redis-py)",
        ),
        Figure(
            "the same, and the store loads its files",
            median([row["ready"] for row in embedded]),
            "s",
            base,
            1.5,
            note="embedded server",
        ),
        Figure(
            "first resume",
            median([row["resumed"] for row in starts]),
            "ms",
            median([row["resumed"] for row in floors]),
            20,
            note="approved to finished, nothing cached",
        ),
    ]


def _events(parts_tools: Any, persona: Any, origin: dict[str, Any]) -> list[Event]:
    at = datetime(2026, 11, 25, 9, 30, 12, 345678, tzinfo=UTC)
    launched = SessionLaunched(
        at=at,
        by=PERSON.id,
        by_name=PERSON.name,
        task="Bring the shop back up: it answers 502 since the last deploy.",
        persona=persona.name,
        persona_digest=persona.digest,
        budgets=persona.budgets,
        origin=origin,
    )
    said = record_reply(
        proposing("restart"), step=1, context_seen=0, persona=persona, tools=parts_tools, at=at
    )
    asked = ApprovalRequested(at=at, by=SYSTEM.id, request_id="r2", call_ids=("1.1",))
    return [launched, said, asked]


async def held(parts: Core, count: int, origin: dict[str, Any]) -> list[Session]:
    """Sessions that wait for an approval, each appended as a supervisor appends."""
    persona = parts.personas.get("ops")
    events = _events(parts.tools, persona, origin)
    blobs = {persona.digest: persona.model_dump_json(exclude_defaults=True).encode()}
    gate = asyncio.Semaphore(AT_ONCE)

    async def one() -> Session:
        async with gate:
            session = fold(new_session_id(), events)
            await parts.sessions.append(None, session, events, blobs=blobs)
            return session

    return list(await asyncio.gather(*(one() for _ in range(count))))


async def _memory(parts: Core) -> list[Figure]:
    before = await used(parts.redis)
    paused = await held(parts, HELD, {})
    await drain(parts)
    whole = (await used(parts.redis) - before) / HELD
    logs = [int(await parts.redis.memory_usage(keys.log(s.id)) or 0) for s in paused[:100]]
    before = await used(parts.redis)
    await held(parts, SHOWN, Place("C0OPS0001", user="U0ADA0001").origin())
    await drain(parts)
    shown = (await used(parts.redis) - before) / SHOWN
    return [
        Figure("a paused session", whole, "bytes", median(logs), 2048, note="floor: its log alone"),
        Figure("one that is shown in Slack", shown, "bytes", median(logs), 2048, note="card and approval"),
    ]


class _Nowhere(SlackSender):
    """Every message is posted at once, to nowhere."""

    def __init__(self) -> None:
        self._ts = 0

    async def reserve_post(self, channel: str, session_id: str, key: str, rank: Rank) -> None:
        return

    async def post(self, session_id: str, row: Row, message: Message) -> Posted:
        self._ts += 1
        return Posted(f"1795599012.{self._ts:06}", row.thread_ts)

    async def lacks(self, feature: str) -> bool:
        return True

    async def reserve_status(self, session_id: str, rank: Rank) -> None:
        return

    async def set_status(self, card: Row, status: str, title: str) -> None:
        return

    async def find(
        self, channel: str, thread_ts: str, session_id: str, key: str, *, since: float
    ) -> list[str]:
        return []


async def drain(parts: Core) -> None:
    """Run the outbox until it is empty."""
    queue = SessionQueue(parts.redis, parts.blocking, "outbox")
    subagents = SubagentReader(parts.sessions, parts.rows, Permalinks(_Nowhere()), queue.enqueue)
    uploads = LogUploads(_Nowhere(), parts.rows, parts.documents().text, now)
    audience = Audience(parts, parts.directory.home)
    poster = MessagePoster(parts.rows, _Nowhere(), now, audience)
    mentions = Mentions(parts.notifications, parts.directory.home)
    statuses = AgentStatuses(_Nowhere(), parts.rows, parts.mask)
    projector = Projector(
        parts.sessions,
        parts.rows,
        poster,
        audience,
        now,
        parts.mask,
        subagents,
        uploads,
        mentions,
        parts.running,
        statuses,
    )
    worker = Worker(queue, projector.project, parts.sessions.known)
    task = asyncio.create_task(worker.run())
    await asyncio.sleep(0.1)
    while await queue.depth():
        await asyncio.sleep(0.05)
    worker.stop()
    await task


async def used(redis: Redis) -> int:
    info: Any = await redis.info("memory")
    return int(info["used_memory"])


async def _fill(redis: Redis, folder: Path) -> list[str]:
    """Many paused sessions by raw pipelines; what they hold is what a supervisor would have appended."""
    async with core(settings(folder, f"unix://{_socket(redis)}"), tools=TOOLS) as parts:
        persona = parts.personas.get("ops")
        events = [encode(e) for e in _events(parts.tools, persona, {})]
        await redis.hset(
            keys.blobs(0), persona.digest, persona.model_dump_json(exclude_defaults=True).encode()
        )
    ids = list({new_session_id() for _ in range(MANY)})
    for start in range(0, len(ids), BATCH):
        pipe = redis.pipeline(transaction=False)
        batch = ids[start : start + BATCH]
        for session_id in batch:
            pipe.rpush(keys.log(session_id), *events)
        scores = {session_id: 1795599012345.0 for session_id in batch}
        pipe.zadd(keys.index(0, "all"), scores)
        pipe.zadd(keys.index(0, "paused"), scores)
        await pipe.execute()
    return ids


def _socket(redis: Redis) -> str:
    return str(redis.connection_pool.connection_kwargs["path"])


async def _fresh(folder: Path, url: str, session_id: str) -> dict[str, float]:
    """A whole Flagman in a new process: seconds until it is ready, ms until the first resume has run."""
    return await _process("tests.benchmarks.fresh", str(folder), url, session_id)


async def _bare(url: str) -> dict[str, float]:
    """A process with nothing but redis-py."""
    return await _process("tests.benchmarks.bare", url)


async def _process(module: str, *arguments: str) -> dict[str, float]:
    begun = time.time()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, *arguments, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    told = json.loads(output.splitlines()[-1])
    return {"ready": told["ready"] - begun, "resumed": told["resumed"]}
