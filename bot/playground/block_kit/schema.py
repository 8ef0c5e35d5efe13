"""Rules that check JSON values and describe errors in Slack's words."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

Complaints = Iterator[str]
Extra = Callable[[dict[str, Any], str], Complaints]


def at(problem: str, pointer: str) -> str:
    """Return a complaint with its JSON pointer appended, as Slack formats it."""
    return f"{problem} [json-pointer:{pointer}]"


class Rule(Protocol):
    """A requirement on a JSON value."""

    def check(self, value: Any, pointer: str) -> Complaints:
        """Yield one complaint for each way in which `value` breaks the rule."""
        ...


@dataclass(frozen=True)
class Chars:
    """Rule for a string of `least` to `most` characters."""

    most: int
    least: int = 1

    def check(self, value: Any, pointer: str) -> Complaints:
        """Yield a complaint if `value` is no string or its number of characters is out of bounds."""
        if not isinstance(value, str):
            yield at("must be a string", pointer)
        elif len(value) < self.least:
            yield at(f"must be more than {self.least - 1} characters", pointer)
        elif len(value) > self.most:
            yield at(f"must be less than {self.most + 1} characters", pointer)


@dataclass(frozen=True)
class Flag:
    """Rule for a boolean."""

    def check(self, value: Any, pointer: str) -> Complaints:
        """Yield a complaint if `value` is not True or False."""
        if not isinstance(value, bool):
            yield at("must be a boolean", pointer)


@dataclass(frozen=True)
class Whole:
    """Rule for an integer from `least` to `most`, both inclusive."""

    least: int = 0
    most: int = 2**53

    def check(self, value: Any, pointer: str) -> Complaints:
        """Yield a complaint if `value` is no integer or out of bounds."""
        if not isinstance(value, int) or isinstance(value, bool):
            yield at("must be an integer", pointer)
        elif value < self.least:
            yield at(f"must be greater than or equal to {self.least}", pointer)
        elif value > self.most:
            yield at(f"must be less than or equal to {self.most}", pointer)


@dataclass(frozen=True)
class Choice:
    """Rule for one of a fixed set of words, case-sensitive."""

    words: tuple[str, ...]

    def check(self, value: Any, pointer: str) -> Complaints:
        """Yield a complaint if `value` is none of the words."""
        if value not in self.words:
            yield at(f"must be one of: {', '.join(self.words)}", pointer)


@dataclass(frozen=True)
class Many:
    """Rule for a list of `least` to `most` items that all follow the rule `item`."""

    item: Rule
    most: int
    least: int = 1

    def check(self, value: Any, pointer: str) -> Complaints:
        """Yield a complaint about the length, or else the complaints of the items."""
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
    """Rule that accepts every value."""

    def check(self, value: Any, pointer: str) -> Complaints:
        """Yield nothing."""
        yield from ()


@dataclass(frozen=True)
class Shape:
    """Rule for an object with the given fields and no others; `type` is always allowed."""

    fields: Mapping[str, Rule]
    required: tuple[str, ...] = ()
    either: tuple[str, ...] = ()
    also: tuple[Extra, ...] = field(default=())

    def check(self, value: Any, pointer: str) -> Complaints:
        """Yield complaints about the fields, where null counts as absent, or else those of `also`."""
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
    """Rule for an object whose `type` selects the rule that applies."""

    shapes: Mapping[str, Rule]

    def check(self, value: Any, pointer: str) -> Complaints:
        """Yield the complaints of the selected rule, or a single one if the type is unknown."""
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
    """Rule for a text object: `plain_text` or, if `formatted`, also `mrkdwn`."""

    most: int
    formatted: bool = True

    def check(self, value: Any, pointer: str) -> Complaints:
        """Yield what is wrong with the text object; `most` limits the length of its `text`."""
        if not isinstance(value, dict):
            yield at("must provide an object", pointer)
            return
        kind = value.get("type")
        if kind not in (("plain_text", "mrkdwn") if self.formatted else ("plain_text",)):
            yield at(f"unsupported type: {kind}", f"{pointer}/type")
            return
        option = {"emoji": Flag()} if kind == "plain_text" else {"verbatim": Flag()}
        yield from Shape({"text": Chars(self.most), **option}, required=("text",)).check(value, pointer)
