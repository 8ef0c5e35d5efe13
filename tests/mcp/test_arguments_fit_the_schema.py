"""Arguments are checked against the server's schema, whatever that is, and the app's own are merged in."""

from __future__ import annotations

from typing import Any

import pytest

from supervisor.core.errors import InvalidArguments
from supervisor.core.messages import ToolDefinition
from supervisor.mcp.arguments import checked, shown_schema


def definition(schema: Any, **provided: Any) -> ToolDefinition:
    return ToolDefinition(server="s", name="t", schema_=schema, provided=provided)


SCHEMA = {
    "type": "object",
    "properties": {"repo": {"type": "string"}, "count": {"type": "integer", "minimum": 1}},
    "required": ["repo", "count"],
    "additionalProperties": False,
}


def test_what_the_app_gives_is_hidden_merged_and_not_to_be_chosen() -> None:
    given = definition(SCHEMA, repo="acme/shop")
    assert set(shown_schema(given)["properties"]) == {"count"}
    assert shown_schema(given)["required"] == ["count"]
    arguments = checked("s__t", given, {"count": 1})
    assert arguments == {"count": 1, "repo": "acme/shop"}
    assert checked("s__t", given, arguments) == arguments
    with pytest.raises(InvalidArguments, match="`repo`: is given by the app"):
        checked("s__t", given, {"count": 1, "repo": "acme/secrets"})


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ("text", "must be one valid JSON object"),
        ({"repo": "x"}, "'count' is a required property"),
        ({"repo": "x", "count": 0}, "`count`: 0 is less than the minimum"),
        ({"repo": 7, "count": 1}, "`repo`: 7 is not of type 'string'"),
        ({"repo": "x", "count": 1, "y": 1}, "Additional properties are not allowed"),
        ({"repo": "x", "count": float("nan")}, "are not JSON"),
    ],
)
def test_what_does_not_fit_is_said(arguments: Any, problem: str) -> None:
    with pytest.raises(InvalidArguments, match=problem):
        checked("s__t", definition(SCHEMA), arguments)


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "http://127.0.0.1:9/elsewhere"},
        {"$ref": "#"},
        {"type": 7},
        {"properties": 7},
        {"properties": {"a": {"pattern": "(a+)+$"}}},
        {"patternProperties": {"(a+)+$": {}}, "additionalProperties": False},
    ],
)
def test_no_schema_of_a_server_reads_elsewhere_or_takes_for_ever(schema: Any) -> None:
    assert checked("s__t", definition(schema), {"a": "a" * 60 + "!"})


def test_a_schema_that_refers_to_itself_without_end_is_left() -> None:
    each = {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 4} for n in range(20)}
    with pytest.raises(InvalidArguments, match="takes too long"):
        checked("s__t", definition({"$defs": {**each, "d20": {}}, "$ref": "#/$defs/d0"}), {})
