"""How long a request for an approval takes to stand in Slack while 200 sessions run, at the rates that Slack allows."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

from bot.compose import Core, core
from handlers.origin import Place
from tests.benchmarks.bot import APPROVING, RUNNING, configured
from tests.benchmarks.clicks import scene
from tests.benchmarks.report import Figure, percentile
from tests.benchmarks.stand import PERSON, TOOLS
from tests.support.slack import ADA, BOT, Slack, wait_for

SESSIONS, CHANNELS, ASKED = 200, 20, 20
# Seconds between two sessions that ask.
APART = 2.0
# The posts that are the floor: each in a channel of its own, so that no rate holds them up.
PLAIN = CHANNELS


async def measure(url: str, folder: Path, rounds: int) -> list[Figure]:
    """`rounds` times as many requests."""
    async with scene("busy", url, folder, http=False, rate_scale=1.0) as (slack, _):
        channels = [await slack.channel(name=f"team-{n}", members=[ADA, BOT]) for n in range(CHANNELS)]
        floor = [await _posted(slack, channel) for channel in channels[:PLAIN]]
        async with core(configured(folder, url, slack.api_url, 1, http=False), tools=TOOLS) as parts:
            shown = await _asked(parts, channels, ASKED * rounds)
    note = f"{len(shown)} requests beside {SESSIONS} running sessions (floor: a bare chat.postMessage)"
    return [
        Figure("request shown, p50", percentile(shown, 0.5), "s", percentile(floor, 0.5), note=note),
        Figure("request shown, p95", percentile(shown, 0.95), "s", percentile(floor, 0.95)),
        Figure("request shown, max", max(shown), "s", max(floor), 2.0),
    ]


async def _posted(slack: Slack, channel: str) -> float:
    begun = time.perf_counter()
    answer = await slack.api("chat.postMessage", channel=channel, text="Approve?")
    assert answer["ok"], answer
    return time.perf_counter() - begun


async def _asked(parts: Core, channels: list[str], number: int) -> list[float]:
    """The seconds from each request in a log to its message in Slack."""
    places = [Place(channel, user=ADA).origin() for channel in channels]
    launch = parts.supervisor.launch
    running = [await launch("ops", RUNNING, PERSON, origin=places[n % len(places)]) for n in range(SESSIONS)]

    async def all_shown() -> bool:
        return all([await parts.rows.rows(session.id) for session in running])

    await wait_for(all_shown, timeout=120, pause=0.5)
    found: list[float] = []
    for n in range(number):
        asking = await launch("ops", APPROVING, PERSON, origin=places[n % len(places)])
        found.append(await _seconds(parts, asking.id))
        await parts.supervisor.cancel(asking.id, PERSON)
        await asyncio.sleep(APART)
    for session in running:
        await parts.supervisor.cancel(session.id, PERSON)
    return found


async def _seconds(parts: Core, session_id: str) -> float:
    async def asked_at() -> float:
        session = await parts.supervisor.get(session_id)
        waiting = session.calls_in("awaiting")
        return waiting[0].requested_at.timestamp() if waiting and waiting[0].requested_at else 0.0

    async def shown_at() -> float:
        rows = await parts.rows.rows(session_id)
        return next(
            (float(json.loads(row).get("ts") or 0) for key, row in rows.items() if key != "card"), 0.0
        )

    began = await wait_for(asked_at, timeout=60, pause=0.05)
    return float(await wait_for(shown_at, timeout=60, pause=0.05)) - float(began)
