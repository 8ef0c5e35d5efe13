"""Turns the problem documents of another Flagman into errors."""

from __future__ import annotations

from supervisor.core.errors import FlagmanError, InvalidInput, Unavailable, UnknownRefusal, rebuild_error
from supervisor.core.messages import Json

_BY_STATUS: dict[int, type[FlagmanError]] = {422: InvalidInput, 503: Unavailable}


def error_of(problem: Json) -> FlagmanError:
    """Return the error that a problem document describes, with its type, message, code and fields."""
    sentence = str(problem.get("detail") or problem.get("title") or "It was refused.")
    fields, status = problem.get("fields"), problem.get("status")
    otherwise = _BY_STATUS.get(status, UnknownRefusal) if isinstance(status, int) else UnknownRefusal
    known = fields if isinstance(fields, dict) else {}
    return rebuild_error(str(problem.get("code", "")), sentence, known, otherwise)
