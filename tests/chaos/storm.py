"""Deals faults for a time: always all of them in a random order, at most two at once, some alone."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

from tests.chaos.faults import ALONE, FAULTS, OF_STORE
from tests.chaos.stand import Stand
from tests.crash.house import LEASE

AT_ONCE = 2
# Longer than it takes until every job is with a living worker.
CALM = 3 * LEASE
OFTEN = 2


class Storm:
    """`dealt` counts the faults by name."""

    def __init__(self, stand: Stand, seed: int, names: Sequence[str], log: Path) -> None:
        self._stand, self._names, self._log = stand, names, log
        self._rng = Random(f"{seed}:faults")
        self._at_once, self._store = asyncio.Semaphore(AT_ONCE), asyncio.Lock()
        self.dealt: Counter[str] = Counter()

    async def blow(self, seconds: float) -> None:
        """Until every fault has struck, the time is over and the last fault has passed."""
        until = time.monotonic() + seconds
        deck = self._deck()
        async with asyncio.TaskGroup() as faults:
            while time.monotonic() < until or set(self._names) - set(self.dealt):
                name, rng = next(deck), Random(self._rng.random())
                if name in ALONE:
                    await self._alone(name, rng)
                else:
                    await self._at_once.acquire()
                    faults.create_task(self._beside_others(name, rng))
                await asyncio.sleep(self._rng.uniform(0.2, 1.5))
        await self._stand.house.slack.no_faults()

    def _deck(self) -> Iterator[str]:
        """Each once, so that all have struck soon; then again and again, those that strike alone less often."""
        yield from self._rng.sample(self._names, len(self._names))
        while True:
            deck = [name for name in self._names for _ in range(1 if name in ALONE else OFTEN)]
            self._rng.shuffle(deck)
            yield from deck

    async def _beside_others(self, name: str, rng: Random) -> None:
        try:
            if name in OF_STORE:
                async with self._store:
                    await self._strike(name, rng)
            else:
                await self._strike(name, rng)
        finally:
            self._at_once.release()

    async def _alone(self, name: str, rng: Random) -> None:
        for _ in range(AT_ONCE):
            await self._at_once.acquire()
        try:
            await asyncio.gather(*(slot.ready.wait() for slot in self._stand.slots))
            await asyncio.sleep(CALM)
            await self._strike(name, rng)
            await asyncio.sleep(CALM)
        finally:
            for _ in range(AT_ONCE):
                self._at_once.release()

    async def _strike(self, name: str, rng: Random) -> None:
        self.dealt[name] += 1
        self._note(f"{name} begins")
        await FAULTS[name](self._stand, rng)
        self._note(f"{name} is over")

    def _note(self, words: str) -> None:
        with self._log.open("a") as file:
            file.write(f"{time.time():.3f} {words}\n")
