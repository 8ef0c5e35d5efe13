"""Makes a Tool from a typed async function: its signature is the schema, its docstring the description."""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast, get_type_hints, overload

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model
from pydantic.fields import FieldInfo
from pydantic_core import to_json

from supervisor.core.digest import canonical_json
from supervisor.core.errors import InvalidArguments
from supervisor.core.messages import Json, ToolSpec
from supervisor.tools.contract import Preview, Tool, ToolContext, ToolOutput, Verify

Function = Callable[..., Awaitable[Any]]
FRIENDLY = {"missing": "is missing", "extra_forbidden": "there is no such argument"}
MOST_PROBLEMS = 10


@overload
def tool(fn: Function, /) -> Tool: ...
@overload
def tool(
    *,
    name: str | None = ...,
    changes: bool = ...,
    destructive: bool = ...,
    idempotent: bool = ...,
    interruptible: bool = ...,
    control: bool = ...,
    timeout: timedelta = ...,
    verify: Verify | None = ...,
    dry_run: Preview | None = ...,
) -> Callable[[Function], Tool]: ...
def tool(
    fn: Function | None = None,
    /,
    *,
    name: str | None = None,
    changes: bool = True,
    destructive: bool = False,
    idempotent: bool = False,
    interruptible: bool = True,
    control: bool = False,
    timeout: timedelta = timedelta(minutes=2),
    verify: Verify | None = None,
    dry_run: Preview | None = None,
) -> Tool | Callable[[Function], Tool]:
    """Decorate an async function, bare or with the flags of `Tool`; `dry_run` becomes its `preview`.

    Every parameter needs a type; describe it with `Annotated[…, Field(description=…)]` or in an `Args:` section.
    A parameter of type ToolContext receives the context and is not shown to the model. The function returns text, a
    ToolOutput, or a value that is shown as JSON; it raises ToolError with a message for the model.
    Raises TypeError for a function that cannot be a tool.
    """

    def build(function: Function) -> Tool:
        signature = _Signature.of(function, name or function.__name__)
        return Tool(
            spec=ToolSpec(name=signature.name, description=signature.description, schema_=signature.schema()),
            validate=signature.canonical,
            run=signature.call,
            changes=changes or destructive,
            destructive=destructive,
            idempotent=idempotent,
            interruptible=interruptible,
            control=control,
            timeout=timeout,
            verify=verify,
            preview=dry_run,
        )

    return build(fn) if fn is not None else build


@dataclass(frozen=True)
class _Signature:
    """A function with the pydantic model of its arguments, whose fields have the parameters' names as alias."""

    name: str
    description: str
    function: Function
    model: type[BaseModel]
    parameters: dict[str, str]
    context: str | None

    @classmethod
    def of(cls, function: Function, name: str) -> _Signature:
        if not inspect.iscoroutinefunction(function):
            raise TypeError(f"the tool `{name}` must be an async function")
        description, described = _docstring(function)
        if not description:
            raise TypeError(f"the tool `{name}` needs a docstring: the model chooses by it")
        hints = get_type_hints(function, include_extras=True)
        fields: dict[str, Any] = {}
        parameters: dict[str, str] = {}
        context: str | None = None
        for parameter in inspect.signature(function).parameters.values():
            if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
                raise TypeError(f"the tool `{name}` may not have the parameter `{parameter}`")
            if parameter.name not in hints:
                raise TypeError(f"the parameter `{parameter.name}` of the tool `{name}` needs a type")
            if hints[parameter.name] is ToolContext:
                context = parameter.name
                continue
            # A parameter may have a name that pydantic reserves, such as `json` or `model_name`.
            field = f"argument_{len(fields)}"
            parameters[field] = parameter.name
            fields[field] = (hints[parameter.name], _field(parameter, described.get(parameter.name)))
        # NaN is kept, so that it is refused and not silently turned into null.
        config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, ser_json_inf_nan="constants")
        model = create_model(name, __config__=config, **fields)
        return cls(name, description, function, model, parameters, context)

    def schema(self) -> Json:
        return cast(Json, _strip_titles(self.model.model_json_schema(by_alias=True)))

    def canonical(self, arguments: Any) -> Json:
        """Return the arguments with their defaults, as JSON. Raises InvalidArguments."""
        canonical = self._parse(arguments).model_dump(mode="json", by_alias=True)
        try:
            canonical_json(canonical).encode()
        except ValueError as error:
            raise InvalidArguments(f"The arguments of `{self.name}` are not JSON: {error}.") from error
        return canonical

    async def call(self, arguments: Json, context: ToolContext) -> ToolOutput:
        parsed = self._parse(arguments)
        values = {parameter: getattr(parsed, field) for field, parameter in self.parameters.items()}
        if self.context is not None:
            values[self.context] = context
        result = await self.function(**values)
        if isinstance(result, ToolOutput):
            return result
        return ToolOutput(result if isinstance(result, str) else to_json(result).decode())

    def _parse(self, arguments: Any) -> BaseModel:
        if not isinstance(arguments, dict):
            raise InvalidArguments(f"The arguments of `{self.name}` must be one valid JSON object.")
        try:
            return self.model.model_validate(arguments)
        except ValidationError as error:
            raise InvalidArguments(_problems(self.name, error), _by_argument(error)) from error


def _field(parameter: inspect.Parameter, description: str | None) -> Any:
    given: dict[str, Any] = {"alias": parameter.name}
    if parameter.default is not parameter.empty:
        given["default"] = parameter.default
    # A description in the annotation takes precedence.
    if description and not _has_description(parameter.annotation):
        given["description"] = description
    return Field(**given)


def _has_description(annotation: Any) -> bool:
    if isinstance(annotation, str):
        return "description=" in annotation
    return any(
        isinstance(part, FieldInfo) and part.description for part in getattr(annotation, "__metadata__", ())
    )


def _found(error: ValidationError) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield the path and the description of each problem, without the values, which may be secret or long."""
    for detail in error.errors(include_url=False, include_context=False, include_input=False):
        what = FRIENDLY.get(detail["type"]) or detail["msg"].removeprefix("Value error, ")
        yield tuple(str(part) for part in detail["loc"]), what


def _by_argument(error: ValidationError) -> dict[str, str]:
    """Return the first problem of each argument, by the name of the argument."""
    problems: dict[str, str] = {}
    for (name, *inside), what in ((where, what) for where, what in _found(error) if where):
        problems.setdefault(name, f"{'.'.join(inside)}: {what}" if inside else what)
    return problems


def _problems(name: str, error: ValidationError) -> str:
    """Return the problems of all arguments as one message."""
    problems = [f"`{'.'.join(where) or 'arguments'}`: {what}" for where, what in _found(error)]
    more = len(problems) - MOST_PROBLEMS
    tail = [f"and {more} more"] if more > 0 else []
    return f"The arguments of `{name}` do not fit. " + "; ".join(problems[:MOST_PROBLEMS] + tail) + "."


def _docstring(function: Function) -> tuple[str, dict[str, str]]:
    """Return the description, and the text for each parameter from a Google-style `Args:` section."""
    description, _, rest = (inspect.getdoc(function) or "").partition("\nArgs:\n")
    described: dict[str, str] = {}
    current = ""
    for line in rest.splitlines():
        if line and not line.startswith(" "):
            break
        entry = re.match(r" {1,4}(\w+)(?: \([^)]*\))?: *(.*)", line)
        if entry:
            current = entry[1]
            described[current] = entry[2].strip()
        elif current and line.strip():
            described[current] = f"{described[current]} {line.strip()}".strip()
    return description.strip(), described


def _strip_titles(schema: Any) -> Any:
    """Return the schema without the titles that pydantic generates; values such as defaults stay unchanged."""
    if isinstance(schema, list):
        return [_strip_titles(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    kept: Json = {}
    for key, value in schema.items():
        if key in ("properties", "$defs"):
            kept[key] = {name: _strip_titles(item) for name, item in value.items()}
        elif key in ("default", "const", "enum", "examples"):
            kept[key] = value
        elif key != "title":
            kept[key] = _strip_titles(value)
    return kept
