"""Asks one model through pydantic-ai; a failed attempt raises GatewayError.

Importing this module imports pydantic-ai, which takes seconds: `provider` does it off the event loop.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import httpx2
from openai import OpenAIError
from pydantic_ai import exceptions as ai
from pydantic_ai.direct import model_request
from pydantic_ai.messages import ModelMessage, ModelResponse
from pydantic_ai.models import Model, ModelRequestParameters, infer_model
from pydantic_ai.settings import ModelSettings
from pydantic_ai.usage import RequestUsage

from supervisor.core.messages import ModelRequest
from supervisor.models import errors as failures
from supervisor.models.body_limit import BodyTooLarge, is_too_large, limit_bodies
from supervisor.models.call_shapes import accept_odd_calls
from supervisor.models.endings import judge, refusal
from supervisor.models.messages import Answer, to_answer, to_messages, to_parameters

MOST_PAUSES = 10
MOST_BLANKS = 2
# Errors of pydantic-ai for an answer of the wrong shape that it does not check first.
MALFORMED = (TypeError, AttributeError, LookupError, ValueError, RecursionError, AssertionError)


class Connection:
    """A model that is set up, with its connections to the provider."""

    def __init__(self, name: str, model: Model) -> None:
        self._name = name
        self._model = model
        accept_odd_calls(model)

    async def open(self) -> None:
        """Open the connections to the provider, which `close` closes."""
        await self._model.__aenter__()
        client = getattr(getattr(self._model, "_provider", None), "_own_http_client", None)
        if isinstance(client, httpx2.AsyncClient):
            limit_bodies(client)

    async def close(self) -> None:
        await self._model.__aexit__(None, None, None)

    async def ask(self, request: ModelRequest, timeout: timedelta) -> Answer:
        """Ask for one answer, each request within `timeout`. Raises GatewayError.

        A turn that the provider paused is continued, and an empty answer is asked for again.
        """
        messages, parameters = to_messages(request), to_parameters(request.tools)
        try:
            return to_answer(await self._whole_turn(messages, parameters, timeout), request.turns)
        except (ai.UnexpectedModelBehavior, *MALFORMED) as error:
            raise failures.from_nonsense(self._name) from error

    async def _whole_turn(
        self, messages: list[ModelMessage], parameters: ModelRequestParameters, timeout: timedelta
    ) -> ModelResponse:
        paused: ModelResponse | None = None
        usage = RequestUsage()
        pauses = blanks = 0
        while True:
            response = await self._attempt([*messages, paused] if paused else messages, parameters, timeout)
            usage = usage + response.usage
            parts = [*(paused.parts if paused else ()), *response.parts]
            response = replace(response, parts=parts, usage=usage)
            match judge(response):
                case "take":
                    return response
                case "continue" if pauses < MOST_PAUSES:
                    pauses, paused = pauses + 1, response
                case "ask_again" if blanks < MOST_BLANKS:
                    blanks, paused = blanks + 1, None
                case "broken":
                    raise failures.from_break(self._name)
                case _:
                    raise refusal(response, self._name)

    async def _attempt(
        self, messages: list[ModelMessage], parameters: ModelRequestParameters, timeout: timedelta
    ) -> ModelResponse:
        try:
            return await model_request(
                self._model,
                messages,
                model_settings=_settings(timeout),
                model_request_parameters=parameters,
            )
        except ai.UserError as error:
            raise failures.from_set_up(error, self._name) from error
        except ai.ModelAPIError as error:
            if is_too_large(error):
                raise failures.from_size(self._name) from error
            if failures.is_unreadable(error):
                raise failures.from_nonsense(self._name) from error
            raise failures.from_request(error, self._name) from error
        except BodyTooLarge as error:
            raise failures.from_size(self._name) from error


def _settings(timeout: timedelta) -> ModelSettings:
    seconds = timeout.total_seconds()
    # `timeout` limits each read, `request_timeout` the whole attempt; `ProviderGateway` makes the retries.
    return ModelSettings(timeout=seconds, request_timeout=seconds, max_retries=0, cache=True)


def make_connection(name: str) -> Connection:
    """Return the connection for the model `provider:name`; makes no request. Raises GatewayError (misconfigured)."""
    try:
        return Connection(name, infer_model(name))
    except (ai.UserError, ImportError, ValueError, OpenAIError) as error:
        raise failures.from_set_up(error, name) from error
