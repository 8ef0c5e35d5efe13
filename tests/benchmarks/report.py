"""Figures as a table and as JSON."""

from __future__ import annotations

import json
import platform
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Figure:
    """One measurement; `floor` was taken in the same run, `target` is what we want to reach."""

    name: str
    value: float
    unit: str
    floor: float | None = None
    target: float | None = None
    more_is_better: bool = False
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """How many times worse than the floor."""
        if not self.floor or not self.value:
            return None
        return self.floor / self.value if self.more_is_better else self.value / self.floor

    @property
    def reached(self) -> bool | None:
        if self.target is None:
            return None
        return self.value >= self.target if self.more_is_better else self.value <= self.target


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` of all do not exceed."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


def show(figures: Sequence[Figure]) -> None:
    table = Table(title=f"Python {platform.python_version()}; the floor is of the same run")
    table.add_column("figure")
    for column in ("value", "floor", "ratio", "target", ""):
        table.add_column(column, justify="right")
    table.add_column("note")
    for figure in figures:
        table.add_row(
            figure.name,
            f"{_shown(figure.value)} {figure.unit}",
            _shown(figure.floor),
            "" if figure.ratio is None else f"x {figure.ratio:.1f}",
            _shown(figure.target),
            {None: "", True: "yes", False: "no"}[figure.reached],
            figure.note,
        )
    Console(width=None if Console().is_terminal else 160).print(table)


def write(figures: Sequence[Figure], file: Path) -> None:
    rows = [{**asdict(f), "ratio": f.ratio, "reached": f.reached} for f in figures]
    file.write_text(json.dumps(rows, indent=2) + "\n")


def _shown(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
