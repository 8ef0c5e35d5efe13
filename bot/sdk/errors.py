"""What another Flagman refused, as the error that it raised there."""

from __future__ import annotations

from collections.abc import Iterator

from bot.sdk.backend import Unavailable
from supervisor import api_keys as apikeys
from supervisor import resume_tokens as tokens
from supervisor import schedules
from supervisor.core.errors import FlagmanError, InvalidInput
from supervisor.core.messages import Json
from supervisor.session_log import restore as restoring

_DETAILS: Json = {
    "session_id": "",
    "name": "",
    "verdict": "",
    "by": "",
    "at": None,
    "users": (),
    "groups": (),
    "kind": "",
    "line": 0,
}
# Loaded, so that their refusals come back as what they are.
_REFUSING = (apikeys, restoring, schedules, tokens)


class Refused(FlagmanError):
    """A refusal that only a newer Flagman, or something in between, makes."""

    code = "refused"


def rebuilt(problem: Json) -> FlagmanError:
    """The error that a problem document tells of, with its class, sentence, code and status."""
    code, kinds = str(problem.get("code", "")), dict(_kinds(FlagmanError))
    kind = kinds.get(code, {503: Unavailable, 422: InvalidInput}.get(int(problem.get("status", 0)), Refused))
    error = kind.__new__(kind)
    error.args = (str(problem.get("detail") or problem.get("title") or "It was refused."),)
    # What the document does not say is empty.
    for name, empty in _DETAILS.items():
        setattr(error, name, problem.get(name, empty))
    error.code = code or kind.code
    error.status = int(problem.get("status", kind.status))
    return error


def _kinds(kind: type[FlagmanError]) -> Iterator[tuple[str, type[FlagmanError]]]:
    for one in kind.__subclasses__():
        yield one.code, one
        yield from _kinds(one)
