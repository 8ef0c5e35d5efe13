"""What may be emitted, and that it needs somebody who delivers it."""

from __future__ import annotations

from typing import Any

import pytest

from supervisor.core.errors import InvalidArguments, ToolError
from supervisor.tools.contract import ToolContext
from supervisor.tools.events import MOST_BYTES, emit_event


def test_a_name_and_data_are_taken_as_they_are() -> None:
    given = {"type": "deploy.finished", "data": {"env": "prod", "rounds": [1, 2.5, None, {"ä": "☂"}]}}
    assert emit_event.validate(given) == given
    assert emit_event.validate({"type": " tests.green "}) == {"type": "tests.green", "data": {}}


@pytest.mark.parametrize("name", ["", "a b", "-x", "x" * 81, "ü", 'deploy where env == "prod"', "x\ny", 3])
def test_a_name_that_nobody_can_wait_for_is_refused(name: Any) -> None:
    with pytest.raises(InvalidArguments, match="type"):
        emit_event.validate({"type": name})


def test_as_much_data_as_a_webhook_may_bring() -> None:
    frame = len('{"text":""}')
    fits = {"text": "x" * (MOST_BYTES - frame)}
    assert emit_event.validate({"type": "big", "data": fits})["data"] == fits
    with pytest.raises(InvalidArguments, match=r"`data`: has 262,145 bytes as JSON, and 262,144 is the most"):
        emit_event.validate({"type": "big", "data": {"text": "x" * (MOST_BYTES - frame + 1)}})


@pytest.mark.parametrize("data", ["text", [1], None, {"x": float("nan")}, {"x": 10**4000}])
def test_data_that_is_no_json_object_is_refused(data: Any) -> None:
    with pytest.raises(InvalidArguments, match="data"):
        emit_event.validate({"type": "odd", "data": data})


def test_data_nested_too_deep_is_refused() -> None:
    deep: dict[str, Any] = {}
    for _ in range(150):
        deep = {"in": deep}
    with pytest.raises(InvalidArguments, match="levels deep"):
        emit_event.validate({"type": "deep", "data": deep})


async def test_where_nothing_delivers_the_tool_says_so(ctx: ToolContext) -> None:
    with pytest.raises(
        ToolError, match=r"`deploy\.finished` cannot be emitted: nothing here delivers events"
    ):
        await emit_event.run({"type": "deploy.finished"}, ctx)
