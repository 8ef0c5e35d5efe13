"""Decides by the way a model's answer ended whether it is used; for steps and summaries.

Importing this module imports pydantic-ai, which takes seconds: only `client` does, off the event loop.
"""

from __future__ import annotations

from typing import Literal

from pydantic_ai.messages import ModelResponse

from supervisor.core.errors import GatewayError
from supervisor.core.text.visible import is_blank

Verdict = Literal["take", "continue", "ask_again", "refuse", "broken"]
# Answers that ended in one of these ways are refused: none of their calls run.
_REFUSED = {
    "length": "was cut off at its output limit, so nothing of its answer was used",
    "content_filter": "declined to answer, or its safety filter stepped in",
    "error": "ended its answer with an error",
}
# Anthropic counts this as a length, but it is the conversation that is too long.
_FULL = "model_context_window_exceeded"
# Providers whose answers are streams; a stream without a stop reason was cut by the connection.
_ALWAYS_SAYS = {"anthropic"}
_REFUSED_STATES = {"incomplete": "ended its answer before it was complete"}


def judge(response: ModelResponse) -> Verdict:
    """Return whether to use the answer, have the model continue it, ask again, or refuse it.

    Raises TypeError where its text is none.
    """
    if response.provider_name in _ALWAYS_SAYS and not (response.provider_details or {}).get("finish_reason"):
        return "broken"
    if response.finish_reason in _REFUSED or response.state in _REFUSED_STATES:
        return "refuse"
    if response.state == "suspended":
        return "continue"
    if response.tool_calls or not is_blank(response.text or ""):
        return "take"
    return "ask_again"


def refusal(response: ModelResponse, model: str) -> GatewayError:
    """Return the error for an answer that is not used, with the provider's own name of the stop reason."""
    if stop_reason(response) == _FULL:
        full = f"`{model}` had no room left for its answer; compact the session first (stop reason: {_FULL})."
        return GatewayError("context_overflow", full)
    why = _REFUSED.get(response.finish_reason or "") or _REFUSED_STATES.get(response.state)
    if why is None:
        why = (
            "kept pausing its turn"
            if response.state == "suspended"
            else "answered with nothing, again and again"
        )
    return GatewayError("refused", f"`{model}` {why} (stop reason: {stop_reason(response)}).")


def stop_reason(response: ModelResponse) -> str:
    """Return the provider's own stop reason, else that of the model layer; at most 60 characters."""
    details = response.provider_details or {}
    return str(details.get("finish_reason") or response.finish_reason or response.state)[:60]
