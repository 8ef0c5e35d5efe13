"""Reads the front matter of a SESSION_LOG that is not yet verified."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from supervisor.core.errors import VerificationError

Fields = dict[str, tuple[int, str]]


@dataclass(frozen=True)
class Front:
    """The session of a document, and the session that launched it (empty where a person did)."""

    session_id: str
    parent: str


def front_of(document: bytes) -> Front:
    """Read the front matter. Raises VerificationError where the document is not a SESSION_LOG."""
    fields = fields_of(document.decode("utf-8", "replace").split("\n"))
    return Front(_text(fields, "session"), _text(fields, "parent"))


def fields_of(lines: Sequence[str]) -> Fields:
    """Return each field by name with its line number and its value as written. Raises VerificationError."""
    if lines[0] != "---" or not any(line.startswith("session_log:") for line in lines[:3]):
        raise VerificationError("no document", 1, "this is not the beginning of a SESSION_LOG")
    fields: Fields = {}
    for number, line in enumerate(lines[1:], start=2):
        if line == "---":
            break
        name, _, value = line.partition(": ")
        fields[name] = number, value
    for name in ("chain", "signature"):
        if name not in fields:
            raise VerificationError("changed text", 2, f"the front matter has no `{name}`")
    return fields


def _text(fields: Fields, name: str) -> str:
    try:
        found: Any = json.loads(fields[name][1]) if name in fields else ""
    except ValueError:
        return ""
    return found if isinstance(found, str) else ""
