"""The people of a campaign: they launch sessions and decide, some twice or against each other."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

import aiohttp

from tests.chaos.agent import Task
from tests.chaos.judge import ENDED, Planned
from tests.chaos.observer import Json, Observer, mark_of
from tests.chaos.requests import Requests

PAUSE_SECONDS = 3.0
LOOK_SECONDS, SELDOM_SECONDS = 0.5, 3.0
AWAY = (aiohttp.ClientError, TimeoutError, OSError)
# How a call is decided, and how often so.
WAYS = {
    "approve": 26,
    "edit": 8,
    "click": 20,
    "twice": 8,
    "twice by clicks": 4,
    "deny": 8,
    "deny in slack": 6,
    "against": 8,
    "against in slack": 4,
    "never": 8,
}
OUTCOMES = {"run_again": 30, "click": 20, "done": 20, "failed": 20, "never": 10}


def draw(weights: dict[str, int], rng: Random) -> str:
    return rng.choices(list(weights), list(weights.values()))[0]


class People:
    """`planned` are the sessions asked for so far, `left` the calls that nobody is going to decide on.

    `active` are the sessions that go on, or will when people have decided.
    """

    def __init__(self, requests: Requests, observer: Observer, seed: int) -> None:
        self._requests, self._observer, self._seed = requests, observer, seed
        self._tasks: set[asyncio.Task[None]] = set()
        self.planned: list[Planned] = []
        self.left: set[str] = set()
        self.deciding = 0
        self.active: set[str] = set()

    def begin(self, number: int) -> None:
        """A session, from its launch to its end, in the background."""
        self._start(self._session(f"m{number:05d}"))

    async def stop(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def raise_failures(self) -> None:
        """A person who stumbles would leave sessions undecided unnoticed."""
        for task in list(self._tasks):
            if task.done():
                self._tasks.discard(task)
                task.result()

    def _start(self, work: Any) -> asyncio.Task[None]:
        task: asyncio.Task[None] = asyncio.create_task(work)
        self._tasks.add(task)
        return task

    async def _session(self, mark: str) -> None:
        rng = Random(f"{self._seed}:{mark}")
        task = Task.random(mark, rng)
        self.planned.append(Planned(mark, task.marks))
        self.active.add(mark)
        try:
            by_slack = rng.random() < 0.3
            session_id = await self._requests.launch(mark, task.text, by_slack=by_slack)
            if session_id:
                await self._attend(mark, session_id)
        finally:
            self.active.discard(mark)

    async def _attend(self, name: str, session_id: str) -> None:
        """Look at the session until it has ended; each call and each lost outcome gets a person."""
        busy: dict[str, asyncio.Task[None]] = {}
        asked: set[str] = set()
        while True:
            session = await self._look(session_id)
            if session["status"] in ENDED:
                break
            for call in session["calls"]:
                mark = mark_of(call)
                if call["phase"] == "awaiting" and mark not in asked:
                    asked.add(mark)
                    self._start(self._counted(self._decide, mark, session_id, call))
                elif call["phase"] == "unknown" and (mark not in busy or busy[mark].done()):
                    busy[mark] = self._start(self._counted(self._settle, mark, session_id, call))
            if session["waiting_for"] == "error_threshold_exceeded":
                await self._requests.resume(session_id)
            open_ = {mark_of(call) for call in session["calls"]}
            if open_ & self.left:
                self.active.discard(name)
            await asyncio.sleep(LOOK_SECONDS if name in self.active else SELDOM_SECONDS)

    async def _look(self, session_id: str) -> Json:
        while True:
            try:
                return await self._observer.session(session_id)
            except AWAY:
                await asyncio.sleep(LOOK_SECONDS)

    async def _counted(
        self, act: Callable[[str, str, Json], Awaitable[None]], mark: str, session_id: str, call: Json
    ) -> None:
        self.deciding += 1
        try:
            await act(mark, session_id, call)
        finally:
            self.deciding -= 1

    async def _decide(self, mark: str, session_id: str, call: Json) -> None:
        rng = Random(f"{self._seed}:{mark}")
        way = draw(WAYS, rng)
        if way == "never":
            self.left.add(mark)
            return
        await asyncio.sleep(rng.uniform(0, PAUSE_SECONDS))
        ask, call_id = self._requests, call["call_id"]
        if way == "edit":
            await ask.decide(mark, session_id, call_id, "approve", "alice", edited(call["arguments"]))
            return
        http = [ask.decide(mark, session_id, call_id, v, w) for v, w in _by_http(way)]
        clicks = [ask.click(mark, session_id, call_id, "call_approve", n) for n in range(_clicks(way))]
        denials = [ask.deny(mark, session_id, call_id, 2)] if way.endswith("in slack") else []
        counted = await asyncio.gather(*http, *clicks, *denials)
        if not any(counted):
            # The click may not count: another person makes sure.
            await ask.decide(mark, session_id, call_id, "approve", "alice")

    async def _settle(self, mark: str, session_id: str, call: Json) -> None:
        """Say what became of a call that was cut off."""
        call_id: str = call["call_id"]
        rng = Random(f"{self._seed}:{mark}:outcome")
        way = draw(OUTCOMES, rng)
        if way == "never":
            self.left.add(mark)
            return
        await asyncio.sleep(rng.uniform(0, PAUSE_SECONDS))
        if way == "click":
            await self._requests.click(mark, session_id, call_id, "outcome_run_again", 2)
        else:
            await self._requests.settle(mark, session_id, call_id, way, "bob")


def edited(arguments: Json) -> Json:
    """The arguments as a person changes them: the ledger tells the one from the other."""
    return {**arguments, "command": str(arguments["command"]).replace(" proposed", " edited")}


def _by_http(way: str) -> list[tuple[str, str]]:
    """Verdicts, and who gives them at the same time."""
    return {
        "approve": [("approve", "alice")],
        "deny": [("deny", "bob")],
        "twice": [("approve", "alice"), ("approve", "alice")],
        "against": [("approve", "alice"), ("deny", "bob")],
        "against in slack": [("approve", "alice")],
    }.get(way, [])


def _clicks(way: str) -> int:
    return {"click": 1, "twice by clicks": 2}.get(way, 0)
