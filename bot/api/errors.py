"""Turns all errors into problem documents (RFC 9457), by one middleware."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from aiohttp.web_exceptions import HTTPException
from pydantic import ValidationError

from bot.api.models import FieldProblem, Problem
from storage.errors import StorageError, note_outage
from supervisor.core.errors import FlagmanError, InvalidInput, KeyRefused, StoreAway

MEDIA = "application/problem+json"
PREFIXES = ("/v1", "/hooks", "/metrics", "/mcp")
# When to try again after an outage, and when something that is kept may have expired.
RETRY_SECONDS, LIMIT_SECONDS = 1, 60
ADDRESS_BYTES = 8190
_FAULT = "Something went wrong inside Flagman; the details are in its log."
_CODES = {400: "bad_request", 404: "not_found", 405: "method_not_allowed", 413: "too_large"}
_SENTENCES = {
    404: "There is nothing at this address; `/v1/openapi.json` lists what there is.",
    405: "This address does not know that method.",
    413: "The body is too large.",
}
_log = logging.getLogger("flagman.api")


# The status of each error code; a code that is not listed has 500.
STATUS: Mapping[str, int] = {
    "unauthorized": 401,
    "missing_scope": 403,
    "not_allowed": 403,
    "actor_unknown": 503,
    "workspace_gone": 403,
    "group_unknown": 503,
    "token_invalid": 403,
    "session_not_found": 404,
    "persona_not_found": 404,
    "artifact_not_found": 404,
    "channel_not_found": 404,
    "schedule_not_found": 404,
    "key_not_found": 404,
    "session_exists": 409,
    "illegal_event": 409,
    "already_decided": 409,
    "call_changed": 409,
    "already_ended": 409,
    "idempotency_conflict": 409,
    "token_used": 409,
    "token_expired": 410,
    "artifact_too_large": 413,
    "limit_reached": 429,
    "invalid_input": 422,
    "invalid_condition": 422,
    "invalid_request": 422,
    "digest_required": 428,
    "persona_lost": 422,
    "persona_unusable": 422,
    "session_log_altered": 422,
    "error": 500,
    "persona_invalid": 500,
    "log_unreadable": 500,
    "refused": 502,
    "model_error": 502,
    "unavailable": 503,
    "store_unavailable": 503,
}


class ApiError(FlagmanError):
    """An error of the API itself, with status and headers."""

    def __init__(self, status: int, code: str, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status, self.code, self.headers = status, code, dict(headers or {})


class InvalidRequest(InvalidInput):
    """The parameters or the body of a request do not fit their declaration."""

    code = "invalid_request"

    def __init__(self, errors: Sequence[FieldProblem]) -> None:
        first = errors[0]
        super().__init__(f"{first.where}: {first.message}.")
        self.errors = list(errors)

    @classmethod
    def of(cls, where: str, error: ValidationError) -> InvalidRequest:
        found = [
            FieldProblem(where=".".join([where, *map(str, row["loc"])]), message=row["msg"])
            for row in error.errors(include_url=False, include_input=False, include_context=False)
        ]
        return cls(found)


class BodyTooLarge(ApiError):
    """A body of more than `limit` bytes; `begin` is what was read of it."""

    def __init__(self, limit: int, begin: bytes = b"") -> None:
        super().__init__(413, "too_large", f"The body is too large: at most {limit // 1024} KiB are taken.")
        self.limit, self.begin = limit, begin


def problem_of(error: Exception) -> tuple[Problem, dict[str, str]]:
    """The problem document and the headers for an error."""
    match error:
        case InvalidRequest():
            return _problem(422, error.code, str(error), error.errors), {}
        case ApiError():
            return _problem(error.status, error.code, str(error)), error.headers
        case KeyRefused():
            return _problem(401, error.code, str(error)), {
                "WWW-Authenticate": 'Bearer realm="flagman", error="invalid_token"'
            }
        case FlagmanError():
            status = STATUS.get(error.code, 500)
            seconds = {429: LIMIT_SECONDS, 503: RETRY_SECONDS}.get(status)
            headers = {"Retry-After": str(seconds)} if seconds else {}
            return _problem(status, error.code, str(error), fields=error.fields), headers
        case StorageError():
            return problem_of(StoreAway())
        case HTTPException():
            detail = _SENTENCES.get(error.status, error.reason)
            kept = {name: error.headers[name] for name in ("Allow",) if name in error.headers}
            return _problem(error.status, _CODES.get(error.status, "refused"), detail), kept
        case web.RequestPayloadError():
            return _problem(400, "bad_request", "The body cannot be read."), {}
        case _:
            return _problem(500, "internal_error", _FAULT), {}


def _problem(
    status: int,
    code: str,
    detail: str,
    errors: Sequence[FieldProblem] = (),
    fields: Mapping[str, Any] | None = None,
) -> Problem:
    title = code.replace("_", " ").capitalize()
    kind = f"urn:flagman:problem:{code}"
    return Problem(
        type=kind,
        title=title,
        status=status,
        detail=detail,
        code=code,
        errors=list(errors),
        fields=dict(fields or {}),
    )


def problems(mask: Callable[[str], str]) -> Middleware:
    """The middleware for all paths below `PREFIXES`; `mask` hides secrets in the detail."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not request.path.startswith(PREFIXES):
            return await handler(request)
        try:
            if len(request.raw_path) > ADDRESS_BYTES:
                raise ApiError(
                    414, "uri_too_long", f"The address is too long: {ADDRESS_BYTES} bytes are taken."
                )
            return await handler(request)
        except ConnectionResetError:
            raise
        except Exception as error:
            if isinstance(error, HTTPException) and error.status < 400:
                raise
            problem, headers = problem_of(error)
            if problem.status == 500:
                _log.exception("%s %s", request.method, request.path, exc_info=error)
            elif isinstance(error, StorageError):
                note_outage(_log, error)
            problem = problem.model_copy(update={"detail": mask(problem.detail)})
            body = problem.model_dump_json().encode()
            return web.Response(body=body, status=problem.status, headers=headers, content_type=MEDIA)

    return middleware
