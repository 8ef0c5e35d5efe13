"""Generates the OpenAPI 3.1 document from the declarations by which requests are validated."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Sequence
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from bot.api.errors import MEDIA
from bot.api.models import Problem
from bot.api.routing import JSON, Operation, Parameters, Returns
from supervisor.core.messages import Json

Mode = Literal["validation", "serialization"]
_SECURITY: dict[str, list[Json]] = {"key": [{"apiKey": []}], "token": [], "signature": [], "none": []}
_PROBLEMS = {
    400: "The body cannot be read.",
    401: "No key, an unknown one, or no genuine signature.",
    403: "Known, but not allowed.",
    404: "There is none.",
    408: "The body came too slowly.",
    409: "Not as things stand.",
    410: "Expired.",
    413: "The body, or the file, is too large.",
    414: "The address is longer than 8,190 bytes.",
    415: "Another kind of body is needed.",
    422: "What came in does not fit.",
    428: "It does not say what was shown.",
    429: "Too many requests.",
    500: "A fault of Flagman, or a log that cannot be read.",
    503: "The store cannot be reached.",
}
_PROBLEM_HEADERS = {401: ("WWW-Authenticate",), 405: ("Allow",), 429: ("Retry-After",), 503: ("Retry-After",)}


def document(operations: Sequence[Operation], version: str) -> Json:
    """The document as JSON."""
    wanted = list(dict.fromkeys(_models(operations)))
    keys, definitions = models_json_schema(wanted, ref_template="#/components/schemas/{model}")
    paths: dict[str, Json] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation, keys)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Flagman",
            "version": version,
            "description": "Run AI agents with human approval for every risky action. "
            "Every refusal is a problem document (RFC 9457). Agents find the same verbs as tools at `/mcp`, "
            "by the Model Context Protocol (streamable HTTP), with the same keys.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": definitions["$defs"],
            "securitySchemes": {
                "apiKey": {"type": "http", "scheme": "bearer", "description": "An API key of Flagman."}
            },
        },
    }


def _models(operations: Iterable[Operation]) -> Iterable[tuple[type[BaseModel], Mode]]:
    yield Problem, "serialization"
    for operation in operations:
        yield from ((model, "validation") for model in operation.bodies.values() if model)
        yield from ((r.model, "serialization") for r in operation.returns.values() if r.model)


def _operation(operation: Operation, keys: Any) -> Json:
    summary, _, description = inspect.getdoc(operation.handle).partition("\n\n")  # type: ignore[union-attr]
    responses = {str(status): _returns(r, keys) for status, r in operation.returns.items()}
    responses |= {str(status): _refusal(status, operation, keys) for status in sorted(operation.problems)}
    told = [description.replace("\n", " ")] if description else []
    if operation.scope:
        told.append(f"Scope: `{operation.scope}`.")
    found: Json = {
        "operationId": operation.handle.__name__,
        "tags": [operation.tag],
        "summary": summary,
        "description": " ".join(told),
        "security": _SECURITY[operation.auth],
        "responses": responses,
    }
    parameters = [
        parameter
        for where, model in operation.inputs.items()
        if isinstance(model, type) and issubclass(model, Parameters)
        for parameter in _parameters(where, model)
    ]
    if parameters:
        found["parameters"] = parameters
    if operation.bodies:
        content = {
            media: {"schema": {"$ref": keys[(model, "validation")]["$ref"]} if model else {}}
            for media, model in operation.bodies.items()
        }
        found["requestBody"] = {"required": operation.body_required, "content": content}
    return found


def _parameters(where: str, model: type[Parameters]) -> Iterable[Json]:
    schema = model.model_json_schema(by_alias=True)
    hidden = {f.alias or name for name, f in model.model_fields.items() if f.exclude}
    for name, field in schema["properties"].items():
        if name in hidden:
            continue
        field = _without_null(field)
        parameter: Json = {
            "name": name,
            "in": "header" if where == "headers" else where,
            "required": name in schema.get("required", ()),
        }
        if "description" in field:
            parameter["description"] = field.pop("description")
        yield {**parameter, "schema": field}


def _without_null(field: Json) -> Json:
    """The schema of a parameter without null, since an optional parameter is left out."""
    rest = {key: value for key, value in field.items() if key not in ("anyOf", "title")}
    if rest.get("default", "") is None:
        del rest["default"]
    choices = [choice for choice in field.get("anyOf", ()) if choice != {"type": "null"}]
    return {**choices[0], **rest} if choices else rest


def _returns(returns: Returns, keys: Any) -> Json:
    found: Json = {"description": returns.what}
    if returns.headers:
        found["headers"] = {n: {"required": True, "schema": {"type": "string"}} for n in returns.headers}
    media = returns.media or ((JSON,) if returns.model else ())
    if media:
        found["content"] = {m: {"schema": _schema(m, returns, keys)} for m in media}
    return found


def _schema(media: str, returns: Returns, keys: Any) -> Json:
    if media == JSON and returns.model:
        return {"$ref": keys[(returns.model, "serialization")]["$ref"]}
    return {"type": "string"}


def _refusal(status: int, operation: Operation, keys: Any) -> Json:
    found: Json = {
        "description": _PROBLEMS[status],
        "content": {MEDIA: {"schema": {"$ref": keys[(Problem, "serialization")]["$ref"]}}},
    }
    names = () if status == 401 and operation.auth != "key" else _PROBLEM_HEADERS.get(status, ())
    if names:
        found["headers"] = {name: {"required": True, "schema": {"type": "string"}} for name in names}
    return found
