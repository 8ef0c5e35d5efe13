"""The gateway of the scripted demo, which answers where no model is configured."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from decimal import Decimal

from supervisor.core.messages import ModelReply, ModelRequest, ProposedCall, Usage
from supervisor.models.demo.script import Step, next_step

MODEL_NAME = "demo:scripted"
WORDS_TO_TOKENS = 4 / 3


class DemoGateway:
    """Answers by the script, which depends on the conversation alone, so that a restart does not change it.

    A reply takes `delay`, so that people can follow the steps.
    """

    def __init__(self, delay: timedelta = timedelta(milliseconds=300)) -> None:
        self._delay = delay

    @property
    def description(self) -> str:
        return f"{MODEL_NAME} (a script, no language model)"

    async def check(self, model: str | None = None) -> None:
        """Do nothing: a script needs no configuration."""

    async def reply(self, request: ModelRequest) -> ModelReply:
        """Return the next step of the script, at no cost. Raises nothing."""
        started = time.monotonic()
        step = next_step(request)
        await asyncio.sleep(self._delay.total_seconds())
        return ModelReply(
            text=step.text,
            calls=_number_calls(step, request),
            usage=_usage(step, request),
            cost_usd=Decimal(0),
            model=MODEL_NAME,
            duration_ms=round((time.monotonic() - started) * 1000),
        )

    async def close(self) -> None:
        """Do nothing: a script has no connections."""


def _number_calls(step: Step, request: ModelRequest) -> tuple[ProposedCall, ...]:
    # The position in the conversation makes the id unique without a stored counter.
    return tuple(
        ProposedCall(call_id=f"demo_{len(request.turns)}_{number}", tool=tool, arguments=arguments)
        for number, (tool, arguments) in enumerate(step.calls)
    )


def _usage(step: Step, request: ModelRequest) -> Usage:
    read = [request.instructions, *(turn.model_dump_json() for turn in request.turns)]
    written = [step.text, *(str(arguments) for _, arguments in step.calls)]
    return Usage(input_tokens=_tokens(read), output_tokens=_tokens(written))


def _tokens(texts: list[str]) -> int:
    return round(sum(len(text.split()) for text in texts) * WORDS_TO_TOKENS)
