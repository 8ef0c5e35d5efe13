"""One model behind pydantic-ai's model layer: one attempt, one answer or one clear error.

Importing this module imports pydantic-ai, which takes seconds: `provider` does it off the event loop.
"""

from __future__ import annotations

from datetime import timedelta

from openai import OpenAIError
from pydantic_ai import exceptions as ai
from pydantic_ai.direct import model_request
from pydantic_ai.messages import ModelResponse
from pydantic_ai.models import Model, infer_model
from pydantic_ai.settings import ModelSettings

from supervisor.core.errors import GatewayError
from supervisor.core.messages import ModelRequest
from supervisor.models import errors as failures
from supervisor.models.messages import Answer, to_answer, to_messages, to_parameters

# What reading an answer of the wrong shape raises where the model layer does not check it first.
MALFORMED = (TypeError, AttributeError, LookupError, ValueError)


class Connection:
    """A ready model and its connections."""

    def __init__(self, name: str, model: Model) -> None:
        self._name = name
        self._model = model

    async def open(self) -> None:
        """Take ownership of the provider's connections, which `close` gives back."""
        await self._model.__aenter__()

    async def close(self) -> None:
        await self._model.__aexit__(None, None, None)

    async def ask(self, request: ModelRequest, timeout: timedelta) -> Answer:
        """One attempt within `timeout`. Raises GatewayError."""
        messages, parameters = to_messages(request), to_parameters(request.tools)
        try:
            response = await model_request(
                self._model,
                messages,
                model_settings=_settings(timeout),
                model_request_parameters=parameters,
            )
        except ai.UserError as error:
            raise failures.from_set_up(error, self._name) from error
        except ai.ModelAPIError as error:
            raise failures.from_request(error, self._name) from error
        except (ai.UnexpectedModelBehavior, *MALFORMED) as error:
            raise failures.from_nonsense(self._name) from error
        self._refuse_empty(response)
        return to_answer(response, request.turns)

    def _refuse_empty(self, response: ModelResponse) -> None:
        if response.text or response.tool_calls:
            return
        # An empty reply would otherwise pass for a finished task.
        if response.finish_reason == "content_filter":
            raise GatewayError("refused", f"`{self._name}` declined to answer: its safety filter stepped in.")
        if response.finish_reason == "length":
            raise GatewayError("refused", f"`{self._name}` reached its output limit before it said anything.")


def _settings(timeout: timedelta) -> ModelSettings:
    seconds = timeout.total_seconds()
    # `timeout` guards each read, `request_timeout` the whole attempt; the retries are ours alone.
    return ModelSettings(timeout=seconds, request_timeout=seconds, max_retries=0, cache=True)


def make_connection(name: str) -> Connection:
    """The connection for `provider:name`, without a call. Raises GatewayError (misconfigured)."""
    try:
        return Connection(name, infer_model(name))
    except (ai.UserError, ImportError, ValueError, OpenAIError) as error:
        raise failures.from_set_up(error, name) from error
