"""A typed function becomes a tool whose schema, checks and canonical arguments follow from its signature."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal, cast

import pytest
from pydantic import BaseModel, Field

from supervisor.core.errors import InvalidArguments
from supervisor.tools.contract import ToolContext, ToolOutput
from supervisor.tools.typed_tool import tool


class Window(BaseModel):
    start: datetime
    title: str = "none"


@tool(changes=False, idempotent=True, timeout=timedelta(seconds=5))
async def plan(
    service: Annotated[str, Field(description="Its name.")],
    ctx: ToolContext,
    window: Window | None = None,
    json: int = 3,
    mode: Literal["fast", "safe"] = "safe",
    title: str = "x",
) -> dict[str, Any]:
    """Plan a deployment.

    Two lines of it.

    Args:
        service: not used, the annotation wins.
        json: How many,
            in all.
        mode (str): How.

    Returns:
        nothing: of interest.
    """
    return {"service": service, "json": json, "window": window, "session": ctx.session_id}


def refusal(arguments: Any) -> str:
    with pytest.raises(InvalidArguments) as error:
        plan.validate(arguments)
    return str(error.value)


def test_schema_is_plain_and_closed() -> None:
    schema = plan.spec.schema_
    assert plan.spec.description == "Plan a deployment.\n\nTwo lines of it."
    assert schema["additionalProperties"] is False
    assert schema["required"] == ["service"]
    assert schema["properties"]["service"] == {"type": "string", "description": "Its name."}
    assert schema["properties"]["json"] == {
        "type": "integer",
        "default": 3,
        "description": "How many, in all.",
    }
    assert schema["properties"]["mode"]["description"] == "How."
    assert schema["properties"]["title"] == {"type": "string", "default": "x"}
    assert "ctx" not in schema["properties"]
    assert set(schema["$defs"]["Window"]["properties"]) == {"start", "title"}
    assert "title" not in schema["$defs"]["Window"]


def test_flags_are_those_given() -> None:
    assert (plan.name, plan.changes, plan.idempotent, plan.timeout.seconds) == ("plan", False, True, 5)


def test_canonical_arguments_have_defaults_and_are_stable() -> None:
    canonical = plan.validate({"json": "5", "service": "api", "window": {"start": "2026-11-25T09:00:00Z"}})
    assert canonical == {
        "service": "api",
        "window": {"start": "2026-11-25T09:00:00Z", "title": "none"},
        "json": 5,
        "mode": "safe",
        "title": "x",
    }
    assert plan.validate(canonical) == canonical


def test_each_wrong_field_is_named_without_its_value() -> None:
    text = refusal({"json": "secret", "mode": "slow", "extra": 1, "window": {}})
    assert "`service`: is missing" in text
    assert "`json`: Input should be a valid integer" in text
    assert "`mode`: Input should be 'fast' or 'safe'" in text
    assert "`extra`: there is no such argument" in text
    assert "`window.start`: is missing" in text
    assert "secret" not in text
    assert "http" not in text


def test_many_problems_stay_short() -> None:
    assert refusal({f"x{number}": 1 for number in range(100)}).endswith("and 91 more.")


@pytest.mark.parametrize("arguments", ["{broken", "", None, 3, ["a"]])
def test_what_is_no_object_is_refused(arguments: object) -> None:
    assert refusal(arguments) == "The arguments of `plan` must be one valid JSON object."


async def test_not_a_number_is_refused() -> None:
    @tool
    async def anything(value: Any) -> str:
        """Take anything."""
        return "x"

    with pytest.raises(InvalidArguments):
        anything.validate({"value": [float("nan")]})
    with pytest.raises(InvalidArguments):
        anything.validate({"value": "\ud800"})


async def test_call_gets_typed_values_and_the_context(ctx: ToolContext) -> None:
    output = await plan.run(
        plan.validate({"service": "api", "window": {"start": datetime(2026, 1, 1, tzinfo=UTC)}}), ctx
    )
    assert output == ToolOutput(
        '{"service":"api","json":3,"window":{"start":"2026-01-01T00:00:00Z","title":"none"},"session":"s-1"}'
    )


def test_functions_that_cannot_be_tools_are_refused() -> None:
    async def undocumented(x: int) -> None: ...
    async def untyped(x) -> None:  # type: ignore[no-untyped-def]
        """Doc."""

    async def star(*x: int) -> None:
        """Doc."""

    def blocking() -> None:
        """Doc."""

    for function, problem in [
        (undocumented, "needs a docstring"),
        (untyped, "needs a type"),
        (star, "may not have"),
        (blocking, "async"),
    ]:
        with pytest.raises(TypeError, match=problem):
            tool(cast(Any, function))


def test_tools_start_without_the_model_library() -> None:
    program = "import sys, supervisor.tools.builtin; sys.exit('pydantic_ai' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0


def test_what_is_wrong_is_also_told_by_argument() -> None:
    @tool
    async def sized(size: Annotated[int, Field(ge=1)], names: list[str], word: str = "") -> str:
        """Size something."""
        return ""

    with pytest.raises(InvalidArguments) as refused:
        sized.validate({"size": 0, "names": ["a", 1], "other": 1})
    assert refused.value.problems == {
        "size": "Input should be greater than or equal to 1",
        "names": "1: Input should be a valid string",
        "other": "there is no such argument",
    }
    with pytest.raises(InvalidArguments) as unreadable:
        sized.validate("nothing")
    assert unreadable.value.problems == {}
