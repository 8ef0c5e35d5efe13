"""A small checker of JSON shapes that words its complaints as Slack does."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

Complaints = Iterator[str]
Extra = Callable[[dict[str, Any], str], Complaints]


def at(problem: str, pointer: str) -> str:
    """A complaint with its place, in Slack's words."""
    return f"{problem} [json-pointer:{pointer}]"


class Rule(Protocol):
    """Something that a JSON value has to be."""

    def check(self, value: Any, pointer: str) -> Complaints:
        """Every way in which `value` is not that."""
        ...


@dataclass(frozen=True)
class Chars:
    """A string of so many characters."""

    most: int
    least: int = 1

    def check(self, value: Any, pointer: str) -> Complaints:
        """Length is counted in characters, as Slack counts."""
        if not isinstance(value, str):
            yield at("must be a string", pointer)
        elif len(value) < self.least:
            yield at(f"must be more than {self.least - 1} characters", pointer)
        elif len(value) > self.most:
            yield at(f"must be less than {self.most + 1} characters", pointer)


@dataclass(frozen=True)
class Flag:
    """True or false."""

    def check(self, value: Any, pointer: str) -> Complaints:
        """No other value will do."""
        if not isinstance(value, bool):
            yield at("must be a boolean", pointer)


@dataclass(frozen=True)
class Whole:
    """A whole number between two bounds."""

    least: int = 0
    most: int = 2**53

    def check(self, value: Any, pointer: str) -> Complaints:
        """Bounds are inclusive."""
        if not isinstance(value, int) or isinstance(value, bool):
            yield at("must be an integer", pointer)
        elif value < self.least:
            yield at(f"must be greater than or equal to {self.least}", pointer)
        elif value > self.most:
            yield at(f"must be less than or equal to {self.most}", pointer)


@dataclass(frozen=True)
class Choice:
    """One of some words."""

    words: tuple[str, ...]

    def check(self, value: Any, pointer: str) -> Complaints:
        """Case matters."""
        if value not in self.words:
            yield at(f"must be one of: {', '.join(self.words)}", pointer)


@dataclass(frozen=True)
class Many:
    """A list of so many items."""

    item: Rule
    most: int
    least: int = 1

    def check(self, value: Any, pointer: str) -> Complaints:
        """Too many items are not looked at one by one."""
        if not isinstance(value, list):
            yield at("must provide an array", pointer)
        elif len(value) < self.least:
            yield at(f"must provide at least {self.least} items", pointer)
        elif len(value) > self.most:
            yield at(f"no more than {self.most} items allowed", pointer)
        else:
            for index, item in enumerate(value):
                yield from self.item.check(item, f"{pointer}/{index}")


@dataclass(frozen=True)
class Anything:
    """A value that is not looked into."""

    def check(self, value: Any, pointer: str) -> Complaints:
        """Never complains."""
        yield from ()


@dataclass(frozen=True)
class Shape:
    """An object with these fields and no others; `type` is free."""

    fields: Mapping[str, Rule]
    required: tuple[str, ...] = ()
    either: tuple[str, ...] = ()
    also: tuple[Extra, ...] = field(default=())

    def check(self, value: Any, pointer: str) -> Complaints:
        """A null field counts as absent; the extra checks may rely on the shape, so they come last."""
        if not isinstance(value, dict):
            yield at("must provide an object", pointer)
            return
        present = {name: part for name, part in value.items() if part is not None}
        complaints = [*self._missing(present, pointer), *self._wrong(present, pointer)]
        yield from complaints
        if not complaints:
            for extra in self.also:
                yield from extra(present, pointer)

    def _missing(self, present: dict[str, Any], pointer: str) -> Complaints:
        for name in self.required:
            if name not in present:
                yield at(f"missing required field: {name}", pointer)
        if self.either and not any(name in present for name in self.either):
            yield at(f"must define either {' or '.join(f'`{name}`' for name in self.either)}", pointer)

    def _wrong(self, present: dict[str, Any], pointer: str) -> Complaints:
        for name, part in present.items():
            rule = self.fields.get(name)
            if rule is not None:
                yield from rule.check(part, f"{pointer}/{name}")
            elif name != "type":
                yield at(f"invalid additional property: {name}", pointer)


@dataclass(frozen=True)
class Tagged:
    """An object whose `type` says which shape it has to have."""

    shapes: Mapping[str, Rule]

    def check(self, value: Any, pointer: str) -> Complaints:
        """An unknown type is one complaint, at the type."""
        if not isinstance(value, dict):
            yield at("must provide an object", pointer)
            return
        kind = value.get("type")
        if not isinstance(kind, str):
            yield at("missing required field: type", pointer)
            return
        rule = self.shapes.get(kind)
        if rule is None:
            yield at(f"unsupported type: {kind}", f"{pointer}/type")
        else:
            yield from rule.check(value, pointer)


@dataclass(frozen=True)
class TextObject:
    """A text object: `plain_text`, and where it may be formatted, `mrkdwn`."""

    most: int
    formatted: bool = True

    def check(self, value: Any, pointer: str) -> Complaints:
        """Its own text decides about the length."""
        if not isinstance(value, dict):
            yield at("must provide an object", pointer)
            return
        kind = value.get("type")
        if kind not in (("plain_text", "mrkdwn") if self.formatted else ("plain_text",)):
            yield at(f"unsupported type: {kind}", f"{pointer}/type")
            return
        option = {"emoji": Flag()} if kind == "plain_text" else {"verbatim": Flag()}
        yield from Shape({"text": Chars(self.most), **option}, required=("text",)).check(value, pointer)
