"""Turns a provider's error into a GatewayError: what went wrong, whether a retry helps, what a person can do.

Importing this module imports pydantic-ai, which takes seconds: only `client` does, off the event loop.
"""

from __future__ import annotations

import re

from pydantic_ai import exceptions as ai

from supervisor.core.errors import GatewayError

KEY_VARIABLES = {
    "anthropic": "ANTHROPIC_API_KEY",
    "google": "GOOGLE_API_KEY",
    "openai": "OPENAI_API_KEY",
    "openai-chat": "OPENAI_API_KEY",
    "openai-responses": "OPENAI_API_KEY",
}
LONGEST_REASON = 200
_SECRET = re.compile(r"(?i)(?:\b(?:sk-|sk_|xai-|gsk_|AIza)|bearer\s+|key[=:]\s*)[^\s'\",;]{4,}")
_OVERFLOW = re.compile(
    r"(?i)context.?(?:length|window|size)|prompt is too long|too many tokens|maximum.{0,20}tokens"
)


def from_nonsense(model: str) -> GatewayError:
    """Return the error for an answer that is not a model's reply, such as the page of a proxy."""
    return GatewayError(
        "unavailable",
        f"`{model}` answered with something that is not a model's reply; its base URL may be wrong.",
        retryable=True,
    )


def is_unreadable(error: ai.ModelAPIError) -> bool:
    """Return whether an answer came that is no JSON, or none of the kind that was asked for."""
    return type(error) is ai.ModelAPIError and isinstance(error.__cause__, ValueError | None)


def from_break(model: str) -> GatewayError:
    """Return the refusal for an answer of which only the beginning came."""
    return GatewayError(
        "unavailable",
        f"The connection to `{model}` broke in the middle of an answer, so nothing of it was used.",
        retryable=True,
    )


def from_size(model: str) -> GatewayError:
    """Return the error for an answer that is longer than the limit."""
    return GatewayError("refused", f"`{model}` answered with more data than any model's reply has.")


def from_request(error: ai.ModelAPIError, model: str) -> GatewayError:
    """Return the error for one failed attempt at `model` (`provider:name`)."""
    match error:
        case ai.ModelRequestTimeout() | ai.ModelTimeoutError() | ai.ModelHTTPError(status_code=408):
            return GatewayError("timed_out", f"`{model}` did not answer in time.", retryable=True)
        case ai.ModelConnectionError():
            return GatewayError(
                "unavailable", f"The provider of `{model}` cannot be reached.", retryable=True
            )
        case ai.ModelQuotaExceededError():
            return GatewayError(
                "refused", f"The account behind `{model}` has used up its quota or credit{_because(error)}."
            )
        case ai.ModelRateLimitError():
            return GatewayError(
                "rate_limited",
                f"The provider of `{model}` is limiting requests right now{_because(error)}.",
                retryable=True,
                retry_after=error.retry_after,
            )
        case ai.ModelUnavailableError() | ai.ModelServerError():
            return GatewayError(
                "unavailable",
                f"The provider of `{model}` is failing right now{_because(error)}.",
                retryable=True,
                retry_after=error.retry_after,
            )
    return _rejection(error, model)


def _rejection(error: ai.ModelAPIError, model: str) -> GatewayError:
    match error:
        case ai.ModelAuthenticationError():
            # The provider's own message may quote the key, so it is left out.
            return GatewayError(
                "refused", f"The model provider refused the key for `{model}`; check {_key_variable(model)}."
            )
        case ai.ModelNotFoundError():
            hint = getattr(error, "suggested_model_id", None)
            meant = f" Did you mean `{hint}`?" if hint else ""
            return GatewayError("refused", f"The provider does not know the model `{model}`.{meant}")
        case ai.ModelContextWindowExceededError():
            return _overflow(model)
        case ai.ModelRequestRejectedError() if _OVERFLOW.search(reason(error)):
            return _overflow(model)
    return GatewayError("refused", f"The provider of `{model}` refused the request{_because(error)}.")


def _overflow(model: str) -> GatewayError:
    return GatewayError(
        "context_overflow", f"The conversation no longer fits into what `{model}` can read; compact it first."
    )


def _key_variable(model: str) -> str:
    variable = KEY_VARIABLES.get(model.partition(":")[0])
    return f"`{variable}`" if variable else "the API key of that provider"


def from_set_up(error: Exception, model: str) -> GatewayError:
    """Return the error for a model that cannot be set up because of its name, its key or its library."""
    if isinstance(error, ImportError):
        provider = model.partition(":")[0]
        return GatewayError(
            "misconfigured", f"The library for the provider `{provider}` of `{model}` is not installed."
        )
    message = str(error)
    variables = list(dict.fromkeys(re.findall(r"\b[A-Z][A-Z0-9]*_[A-Z0-9_]+\b", message)))
    if variables:
        named = " or ".join(f"`{name}`" for name in variables[:3])
        return GatewayError("misconfigured", f"The model `{model}` cannot be used yet: set {named}.")
    if message.startswith("Unknown model") or "provider" in message.lower():
        meant = re.search(r"Did you mean '([^']+)'", message)
        example = meant[1] if meant else "anthropic:claude-sonnet-4-6"
        return GatewayError(
            "misconfigured", f"There is no model `{model}`; write `provider:name`, such as `{example}`."
        )
    return GatewayError("misconfigured", f"The model `{model}` cannot be used: {shorten(message)}.")


def _because(error: ai.ModelAPIError) -> str:
    said = reason(error)
    return f" ({said})" if said else ""


def reason(error: ai.ModelAPIError) -> str:
    """Return the provider's own message from the body of its error, shortened; empty where there is no usable one."""
    body = error.body
    while isinstance(body, dict):
        body = next((body[key] for key in ("error", "message", "detail") if body.get(key)), None)
    # An HTML page comes from a proxy in between and is of no use to people.
    return shorten(body) if isinstance(body, str) and "<" not in body[:20] else ""


def shorten(text: str) -> str:
    """Return the text as one line of at most 200 characters, with everything that looks like a key replaced."""
    line = _SECRET.sub("…", " ".join(text.split())).rstrip(".")
    return line if len(line) <= LONGEST_REASON else line[: LONGEST_REASON - 1] + "…"
