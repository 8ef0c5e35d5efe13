"""What people and programs do with Flagman, and how it is written at each door: the rows of `doors.yaml`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

TABLE = Path(__file__).parents[2] / "docs" / "doors.md"
DOORS = {"slack": "Slack", "cli": "Command line", "http": "HTTP", "python": "Python"}
HEAD = """# The doors

Whatever one door can do, the others can, under the same rights. `ID` is a session, `CALL` one of its calls, `DIGEST`
that of the call as it was read, `TOKEN` a resume token. In a session's thread in Slack, `@Flagman` takes the same verbs
without an id, with words of your own in quotes (`@Flagman resume "look at the canary first"`), since all other words
are for the agent. Python has `from flagman import Agent, AgentSupervisor, Session`, `session = Session.load("ID")`,
`supervisor = AgentSupervisor()` and, of `supervisor.schedules()`, a `schedule`; in a coroutine each call is awaited.

The table is made by `python -m tests.doors`, and a test does what each cell says.
"""
FOOT = """
Slack shows by itself what is waited for, and takes no signed files (`flagman restore`) and no tokens, which are for
programs without any other right.
"""


@dataclass(frozen=True)
class Row:
    """`given` names how the session stands before, `then` is a Python expression that is true after it."""

    does: str
    given: str
    then: str
    cells: dict[str, str]


def rows() -> Iterator[Row]:
    for row in yaml.safe_load(Path(__file__).with_name("doors.yaml").read_text(encoding="utf-8")):
        cells = {door: row[door] for door in DOORS if door in row}
        yield Row(row["does"], row["given"], row["then"], cells)


def table() -> str:
    """The page of the documentation."""
    lines = [f"| To | {' | '.join(DOORS.values())} |", f"|---|{'---|' * len(DOORS)}"]
    lines += [f"| {row.does} | {' | '.join(_cell(row, door) for door in DOORS)} |" for row in rows()]
    return f"{HEAD}\n" + "\n".join(lines) + "\n" + FOOT


def _cell(row: Row, door: str) -> str:
    text = row.cells.get(door, "")
    if not text:
        return "–"
    return text if text.startswith(("the ", "a ")) else f"`{text}`"
