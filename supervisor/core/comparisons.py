"""Comparisons of a call's arguments in the rules of a persona: numbers, lists, patterns and folders. Pure."""

from __future__ import annotations

import json
import operator
import posixpath
from collections.abc import Iterable, Iterator
from decimal import Decimal
from math import ceil, floor, isfinite
from typing import Annotated, Any, Self

import regex
from pydantic import AfterValidator, ConfigDict, Field, model_serializer, model_validator

from supervisor.core.messages import Frozen

# The longest text that a pattern is held against, and the seconds that this may take.
LONGEST_TEXT, PATTERN_SECONDS = 20_000, 0.1


def _pattern(text: str) -> str:
    try:
        regex.compile(text, flags=regex.ASCII)
    except (regex.error, ValueError, RecursionError) as error:
        raise ValueError(f"it is no regular expression ({error})") from error
    return text


def _folder(text: str) -> str:
    if _parts(text) is None:
        raise ValueError("it is a folder below that of the session, without `..`")
    return text


class Comparison(Frozen):
    """What an argument is compared with; all that is given must hold.

    `gt`, `ge`, `lt` and `le` are for numbers, `eq` and `in` for any JSON, `matches` is a regular expression for the
    whole of a text, in which `.` is no newline and letters and digits are those of ASCII, and `within` a folder for a
    path.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    gt: Decimal | None = None
    ge: Decimal | None = None
    lt: Decimal | None = None
    le: Decimal | None = None
    eq: Any = None
    in_: Annotated[tuple[Any, ...] | None, Field(alias="in", min_length=1)] = None
    matches: Annotated[str, AfterValidator(_pattern)] | None = None
    within: Annotated[str, AfterValidator(_folder)] | None = None

    @model_validator(mode="after")
    def _compares(self) -> Self:
        """An empty comparison would hold for everything."""
        if not self.model_fields_set or any(
            getattr(self, name) is None for name in self.model_fields_set - {"eq"}
        ):
            raise ValueError("it names what the argument is compared with, such as {gt: 100}")
        return self

    @model_serializer(mode="plain")
    def _given(self) -> dict[str, Any]:
        # All that was given, also where it equals a default, as `eq: null` does.
        names = {name: type(self).model_fields[name].alias or name for name in self.model_fields_set}
        return {alias: _plain(getattr(self, name)) for name, alias in sorted(names.items())}

    @property
    def types(self) -> frozenset[str]:
        """The JSON types of values that can be compared so; none where that is not said by the comparisons."""
        if any(limit is not None for limit in (self.gt, self.ge, self.lt, self.le)):
            return frozenset({"number", "integer"})
        return frozenset({"string"}) if self.matches is not None or self.within is not None else frozenset()

    def holds(self, value: Any) -> bool | None:
        """Return whether all comparisons hold for a value; None where one cannot be made, and none is false.

        It cannot be made with a value of another type, a pattern that takes too long, and a path that leads out of its
        folder or begins at the root.
        """
        found = list(self._each(value))
        if False in found:
            return False
        return None if None in found else True

    def contradiction(self, *, whole: bool = False) -> str:
        """Return why no value can be as all comparisons say, as far as is told; otherwise empty.

        `whole`: the values are integers.
        """
        lower, upper = max(self._bounds("gt", "ge")), min(self._bounds("lt", "le"))
        excluded = lower > upper or (lower == upper and (self.gt == lower or self.lt == upper))
        if whole and not excluded and lower.is_finite() and upper.is_finite():
            first = floor(lower) + 1 if self.gt == lower else ceil(lower)
            last = ceil(upper) - 1 if self.lt == upper else floor(upper)
            excluded = first > last
        if excluded:
            return "no number is within these limits"
        bounded = lower.is_finite() or upper.is_finite()
        if bounded and (self.matches is not None or self.within is not None):
            return "no value is a number and a text"
        named = self.in_ or ((self.eq,) if "eq" in self.model_fields_set else ())
        if named and not any(self.holds(value) for value in named):
            return "none of the values that it names is as the rest says"
        return ""

    def _bounds(self, *names: str) -> list[Decimal]:
        given = [limit for name in names if (limit := getattr(self, name)) is not None]
        return given or [Decimal("-Infinity" if "gt" in names else "Infinity")]

    def _each(self, value: Any) -> Iterator[bool | None]:
        number = number_of(value)
        limits = (
            (self.gt, operator.gt),
            (self.ge, operator.ge),
            (self.lt, operator.lt),
            (self.le, operator.le),
        )
        for limit, compare in limits:
            if limit is not None:
                yield None if number is None else bool(compare(number, limit))
        if "eq" in self.model_fields_set:
            yield equal(value, self.eq)
        if self.in_ is not None:
            found = [equal(value, item) for item in self.in_]
            yield True if True in found else None if None in found else False
        if self.matches is not None:
            yield _matches(self.matches, value)
        if self.within is not None:
            yield _is_within(value, self.within)

    def of_a_host(self) -> Comparison:
        """Return the same comparison for a name in small letters, of which the case does not matter."""
        changes: dict[str, Any] = {}
        if isinstance(self.eq, str):
            changes["eq"] = self.eq.lower()
        if self.in_ is not None:
            changes["in_"] = tuple(one.lower() if isinstance(one, str) else one for one in self.in_)
        if self.matches is not None:
            changes["matches"] = f"(?i:{self.matches})"
        return self.model_copy(update=changes)

    def __str__(self) -> str:
        return json.dumps(self.model_dump(), ensure_ascii=False)


def _plain(value: Any) -> Any:
    """A limit as a JSON number; other values are JSON already."""
    if isinstance(value, Decimal):
        return int(value) if value == int(value) else float(value)
    return list(value) if isinstance(value, tuple) else value


def number_of(value: Any) -> Decimal | None:
    """Return the number of a JSON value; None for anything else, a text of digits among it."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if isinstance(value, float) and not isfinite(value):
        return None
    return Decimal(value) if isinstance(value, int) else Decimal(str(value))


def equal(value: Any, other: Any) -> bool | None:
    """Return whether two JSON values are the same; None where they are not of one type, and so may mean the same."""
    if number_of(value) is not None and number_of(other) is not None:
        return number_of(value) == number_of(other)
    if type(value) is not type(other):
        return None
    if isinstance(value, dict):
        return value.keys() == other.keys() and _allequal((value[name], other[name]) for name in value)
    if isinstance(value, list):
        return len(value) == len(other) and _allequal(zip(value, other, strict=True))
    return bool(value == other)


def _allequal(pairs: Iterable[tuple[Any, Any]]) -> bool | None:
    found = [equal(one, other) for one, other in pairs]
    return False if False in found else None if None in found else True


def _matches(pattern: str, value: Any) -> bool | None:
    if not isinstance(value, str) or len(value) > LONGEST_TEXT:
        return None
    try:
        return regex.fullmatch(pattern, value, flags=regex.ASCII, timeout=PATTERN_SECONDS) is not None
    except TimeoutError:
        return None


def _is_within(value: Any, folder: str) -> bool | None:
    parts, above = _parts(value), _parts(folder)
    if parts is None or above is None:
        return None
    return parts[: len(above)] == above


def _parts(path: Any) -> tuple[str, ...] | None:
    """The parts of a relative path; None where it is none, or where `..` may lead elsewhere."""
    if not isinstance(path, str) or "\0" in path or "\\" in path or posixpath.isabs(path):
        return None
    parts = tuple(part for part in path.split("/") if part not in ("", "."))
    return None if ".." in parts or path.startswith("~") else parts
