"""What the scripted model of a campaign proposes: the calls that a session's task names, step by step."""

from __future__ import annotations

import re
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from random import Random

from tests.support.providers.openai_server import Recorded, Step, calls, text

PERSONA = """---
name: chaos
description: Runs what the campaign counts.
tools: ["shell", "wait_for"]
budgets: {max_steps: 1000}
---
Do what the task says.
"""
PLANS = ("1", "1", "1 1", "2", "2 1", "1 w 1", "w 1")
LONGEST_RUN, LONGEST_SLEEP = 2.5, 4
_TASK = re.compile(r"\b(m\d{5}) does ((?:[\dw] ?)+)")
_EFFECT = Path(__file__).with_name("effect.py")


@dataclass(frozen=True)
class Task:
    """`plan` has one word a step: how many calls run side by side, or `w` for a wait."""

    mark: str
    plan: tuple[str, ...]

    @classmethod
    def random(cls, mark: str, rng: Random) -> Task:
        return cls(mark, tuple(rng.choice(PLANS).split()))

    @classmethod
    def parse(cls, words: str) -> Task:
        """Raises ValueError."""
        found = _TASK.search(words)
        if found is None:
            raise ValueError(words)
        return cls(found[1], tuple(found[2].split()))

    @property
    def text(self) -> str:
        return f"{self.mark} does {' '.join(self.plan)}"

    @property
    def marks(self) -> tuple[str, ...]:
        """The calls with an effect, as the ledger names them."""
        count = sum(int(step) for step in self.plan if step != "w")
        return tuple(f"{self.mark}-{number}" for number in range(1, count + 1))


class Agent:
    """Its `propose` is the behaviour of the model server; the same conversation always gets the same answer."""

    def __init__(self, ledger: Path, seed: int) -> None:
        self._ledger, self._seed = ledger, seed

    def propose(self, request: Recorded) -> Step:
        said = request.conversation()
        task = Task.parse(next(row.text for row in said if row.role == "user"))
        proposed, number = sum(row.role == "call" for row in said), 1
        for step in task.plan:
            count = 1 if step == "w" else int(step)
            if proposed <= 0:
                rng = Random(f"{self._seed}:{task.mark}:{number}")
                if step == "w":
                    return calls(("wait_for", {"condition": f"in: {rng.randint(1, LONGEST_SLEEP)}s"}))
                return calls(*(self._call(task, number + n, rng) for n in range(count)))
            proposed -= count
            number += 0 if step == "w" else count
        return text(f"{task.mark} is done.")

    def _call(self, task: Task, number: int, rng: Random) -> tuple[str, dict[str, str]]:
        seconds = f"{rng.uniform(0, LONGEST_RUN):.2f}"
        words = [sys.executable, "-I", "-S", str(_EFFECT), str(self._ledger), task.mark, str(number), seconds]
        words.append("proposed")
        return "shell", {"command": f"exec {shlex.join(words)}"}
