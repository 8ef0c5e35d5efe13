"""A campaign: sessions are launched and decided while faults strike; then everything has to come right."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import aiohttp

from tests.chaos.agent import Agent
from tests.chaos.judge import Findings, World, judge
from tests.chaos.observer import Observer
from tests.chaos.people import People
from tests.chaos.record import Recorder, read_acts, read_ledger
from tests.chaos.requests import AWAY, Requests
from tests.chaos.stand import KEYS, Stand
from tests.chaos.storm import Storm
from tests.support.slack import ADA, GRACE, LINUS, OPS

MOST_ACTIVE = 10
# Slack takes one post a second in a channel and one update in two: so many sessions at first, and then one in so many
# seconds, can be shown within the window after the last fault.
SHOWN_AT_ONCE, SHOWN_EACH = 40, 10.0
# Longer than the clock's sweep, and than the longest distance between two tries of a message that Slack refused.
WINDOW_SECONDS = 150.0
# What is wrongly repeated is repeated within this time.
CALM_SECONDS = 5.0


@dataclass(frozen=True)
class Report:
    """How a campaign went; `settled_after` is how many seconds after the last fault everything was right."""

    findings: Findings
    sessions: int
    ended: int
    approvals: int
    runs: int
    faults: dict[str, int]
    settled_after: float

    def text(self) -> str:
        faults = ", ".join(f"{name} {count}" for name, count in sorted(self.faults.items()))
        return "\n".join(
            [
                *self.findings.sentences(),
                f"{self.sessions} sessions ({self.ended} ended), {self.approvals} approvals, {self.runs} runs, "
                f"{sum(self.faults.values())} faults, settled after {self.settled_after:.0f} s",
                f"faults: {faults}",
                self.findings.counts(),
            ]
        )


@contextlib.asynccontextmanager
async def _http(stand: Stand) -> AsyncIterator[tuple[aiohttp.ClientSession, aiohttp.ClientSession]]:
    """A client of the API and one of the playground."""
    timeout = aiohttp.ClientTimeout(total=15)
    reader = {"Authorization": f"Bearer {KEYS['alice']}"}
    async with (
        aiohttp.ClientSession(stand.api_url, headers=reader, timeout=timeout) as api,
        aiohttp.ClientSession(stand.house.slack.url, timeout=timeout) as slack,
    ):
        yield api, slack


async def run(folder: Path, seed: int, seconds: float, faults: Sequence[str]) -> Report:
    """Faults for so many seconds; all that is needed to understand a failure is in the folder afterwards."""
    ledger, acts = folder / "ledger.jsonl", folder / "acts.jsonl"
    recorder = Recorder(acts)
    async with Stand(folder) as stand, _http(stand) as (api, slack):
        stand.house.model.behaviour = Agent(ledger, seed).propose
        clickers = (ADA, GRACE, LINUS)
        observer = Observer(api, slack, OPS, clickers)
        requests = Requests(
            api,
            slack,
            recorder,
            observer,
            keys=KEYS,
            clickers=clickers,
            channel=OPS,
            web_starts=lambda: stand.web.starts,
        )
        people = People(requests, observer, seed)
        storm = Storm(stand, seed, faults, folder / "faults.log")
        launching = asyncio.create_task(_launch(stand, people, seed))
        try:
            await storm.blow(seconds)
            launching.cancel()
            calm = time.monotonic()
            world = await _settled(people, observer, ledger, acts)
            waited = time.monotonic() - calm
        finally:
            launching.cancel()
            await people.stop()
            recorder.close()
        findings = judge(world)
        findings.exits += stand.exits
        (folder / "findings.txt").write_text("\n".join(findings.sentences()) + "\n")
        return _report(world, findings, storm, waited)


async def _launch(stand: Stand, people: People, seed: int) -> None:
    rng, number, began = Random(f"{seed}:launches"), 0, time.monotonic()
    while True:
        people.raise_failures()
        can_be_shown = SHOWN_AT_ONCE + (time.monotonic() - began) / SHOWN_EACH
        if len(people.active) < MOST_ACTIVE and number < can_be_shown:
            number += 1
            people.begin(number)
            stand.house.model.requests.clear()
        await asyncio.sleep(rng.uniform(0.2, 1.5))


async def _settled(people: People, observer: Observer, ledger: Path, acts: Path) -> World:
    """The world as soon as it is right and stays so, or as it is at the end of the window."""
    until, right_since = time.monotonic() + WINDOW_SECONDS, 0.0
    while True:
        people.raise_failures()
        try:
            messages, whispers = await observer.messages()
            world = World(
                people.planned,
                read_acts(acts),
                read_ledger(ledger),
                await observer.sessions(),
                messages,
                whispers,
            )
        except AWAY:
            if time.monotonic() > until:
                raise
            continue
        now = time.monotonic()
        if now > until:
            return world
        waiting = {c.mark for s in world.sessions for c in s.calls if c.phase in ("awaiting", "unknown")}
        findings = judge(world)
        if findings.doubled or findings.unapproved:
            # No time mends what ran.
            return world
        if findings.any or people.deciding or not waiting <= people.left:
            right_since = 0.0
        else:
            right_since = right_since or now
            if now - right_since > CALM_SECONDS:
                return world
        await asyncio.sleep(1)


def _report(world: World, findings: Findings, storm: Storm, waited: float) -> Report:
    approved = {a.mark for a in world.acts if a.kind == "decision" and a.verdict == "approve"}
    return Report(
        findings=findings,
        sessions=len(world.sessions),
        ended=sum(s.status in ("completed", "failed", "cancelled") for s in world.sessions),
        approvals=len(approved),
        runs=sum(effect.what == "begin" for effect in world.effects),
        faults=dict(storm.dealt),
        settled_after=waited,
    )
