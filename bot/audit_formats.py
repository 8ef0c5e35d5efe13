"""The audit as CSV and as JSON lines, for the HTTP API and the command line."""

from __future__ import annotations

import csv
import io
import json
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from supervisor.contract.audit import AuditPage
from supervisor.core.digest import canonical_json

Row = Mapping[str, Any]
COLUMNS = (
    "at", "kind", "by", "by_name", "by_owner", "for_person", "session_id", "version", "persona", "call_id", "tool",
    "arguments", "digest", "rules", "rights", "override", "attempt", "reason", "latency_seconds",
)  # fmt: skip
# At the beginning of a cell, spreadsheets take these for a formula, some also after white space.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def rows_of(page: AuditPage) -> list[Row]:
    """The rows of a page as JSON."""
    return [row.model_dump(mode="json") for row in page.rows]


def as_csv(rows: Iterable[Row], *, header: bool = True) -> str:
    """The rows as CSV (RFC 4180). What a spreadsheet could take for a formula begins with an apostrophe."""
    written = io.StringIO()
    out = csv.writer(written)
    if header:
        out.writerow(COLUMNS)
    for row in rows:
        out.writerow([_cell(row.get(name)) for name in COLUMNS])
    return written.getvalue()


def as_json_lines(rows: Iterable[Row]) -> str:
    """The rows as one JSON object a line."""
    return "".join(_lines(rows))


def _lines(rows: Iterable[Row]) -> Iterator[str]:
    for row in rows:
        yield json.dumps(row, ensure_ascii=False) + "\n"


def _cell(value: Any) -> str | float | int:
    if value is None:
        return ""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    text = value if isinstance(value, str) else canonical_json(value)
    # Spreadsheets may pass over what is not seen, as separators, format and control characters.
    seen = next((sign for sign in text if unicodedata.category(sign)[0] not in "ZC" or sign in _FORMULA), "")
    return f"'{text}" if seen in _FORMULA and seen else text
