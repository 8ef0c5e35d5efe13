"""What the front matter of a SESSION_LOG says, before anything of it is verified."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from supervisor.core.errors import FlagmanError

Kind = Literal[
    "no document", "truncated", "changed event", "changed text", "wrong signature", "another key", "unsigned"
]  # fmt: skip
Fields = dict[str, tuple[int, str]]


class Altered(FlagmanError):
    """`kind` says what was found, `line` where (from 1; 0: nowhere in particular)."""

    code = "session_log_altered"
    status = 422

    def __init__(self, kind: Kind, line: int, problem: str) -> None:
        where = f"line {line}: " if line else ""
        super().__init__(f"{kind[0].upper()}{kind[1:]}: {where}{problem}.")
        self.kind, self.line = kind, line


@dataclass(frozen=True)
class Front:
    """Whose document it is, and which session launched that one (empty: none)."""

    session_id: str
    parent: str


def front_of(document: bytes) -> Front:
    """Raises Altered where this is no SESSION_LOG."""
    fields = fields_of(document.decode("utf-8", "replace").split("\n"))
    return Front(_text(fields, "session"), _text(fields, "parent"))


def fields_of(lines: Sequence[str]) -> Fields:
    """Each field as it stands, with its line. Raises Altered."""
    if lines[0] != "---" or not any(line.startswith("session_log:") for line in lines[:3]):
        raise Altered("no document", 1, "this is not the beginning of a SESSION_LOG")
    fields: Fields = {}
    for number, line in enumerate(lines[1:], start=2):
        if line == "---":
            break
        name, _, value = line.partition(": ")
        fields[name] = number, value
    for name in ("chain", "signature"):
        if name not in fields:
            raise Altered("changed text", 2, f"the front matter has no `{name}`")
    return fields


def _text(fields: Fields, name: str) -> str:
    try:
        found: Any = json.loads(fields[name][1]) if name in fields else ""
    except ValueError:
        return ""
    return found if isinstance(found, str) else ""
