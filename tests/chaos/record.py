"""What is known without Flagman: the effects in the ledger, and what people asked for and were told.

Nothing here, in `effect.py`, `judge.py` and `observer.py` imports Flagman or the supports of its tests.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

Kind = Literal["launch", "decision", "outcome", "resume"]
# As the agent proposed the call, or as a person changed it.
Form = Literal["proposed", "edited"]
# `unanswered`: the request was sent, and nobody knows whether it counts.
Answer = Literal["unanswered", "acknowledged", "refused"]


@dataclass(frozen=True)
class Effect:
    """One line of the ledger; `mark` names the call as the campaign does, such as `m00012-1`."""

    mark: str
    what: Literal["begin", "end"]
    pid: int
    at: float
    form: Form = "proposed"


@dataclass(frozen=True)
class Act:
    """One request of a person. `mark` is that of the call, or of the session for a launch.

    `told` is what a refusal said had been decided before: `approve`, `deny` or nothing. Times are Unix seconds.
    """

    number: int
    kind: Kind
    mark: str
    verdict: str
    who: str
    via: Literal["http", "slack"]
    session_id: str
    at: float
    answer: Answer = "unanswered"
    told: str = ""
    form: Form = "proposed"


class Recorder:
    """Writes each act to a file before it is sent, and again when it is answered."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", buffering=1)
        self._number = 0

    def sent(
        self,
        kind: Kind,
        mark: str,
        verdict: str,
        who: str,
        via: Literal["http", "slack"],
        session_id: str = "",
        form: Form = "proposed",
    ) -> Act:
        self._number += 1
        act = Act(self._number, kind, mark, verdict, who, via, session_id, time.time(), form=form)
        self._write(act)
        return act

    def answered(self, act: Act, answer: Answer, told: str = "", session_id: str = "") -> Act:
        known = replace(act, answer=answer, told=told, session_id=session_id or act.session_id)
        self._write(known)
        return known

    def _write(self, act: Act) -> None:
        self._file.write(json.dumps(asdict(act)) + "\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        self._file.close()


def read_acts(path: Path) -> list[Act]:
    """Each act as it was known last, in the order in which they were sent."""
    found: dict[int, Act] = {}
    for line in _lines(path):
        act = Act(**json.loads(line))
        found[act.number] = act
    return list(found.values())


def read_ledger(path: Path) -> list[Effect]:
    """All effects so far, oldest first."""
    rows = (json.loads(line) for line in _lines(path))
    return [
        Effect(f"{row['session']}-{row['call']}", row["what"], row["pid"], row["at"], row["form"])
        for row in rows
    ]


def _lines(path: Path) -> Iterable[str]:
    if not path.exists():
        return []
    # A line that is being written has no end yet.
    return [line for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")]
