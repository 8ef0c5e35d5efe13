"""The conditions that a paused session waits for, and the parser of the text that people write."""

from __future__ import annotations

import json
import re
from datetime import datetime, tzinfo
from typing import Annotated, Any, Literal

from pydantic import Field

from supervisor.core.due import parse_due
from supervisor.core.errors import InvalidCondition
from supervisor.core.messages import Frozen
from supervisor.core.times import next_cron, zone_named

FORMS = (
    "`webhook: redis_ready`",
    '`webhook: approval where event == "approval_received"`',
    '`event: deploy.finished where env == "prod"`',
    "`at: 2026-12-01T09:00+01:00`",
    "`in: 2h`",
    "`cron: 0 9 * * MON-FRI`",
    "`approval`",
    "`children`",
    "`manual`",
)
Operator = Literal["==", "!=", ">=", "<=", ">", "<", "in", "contains"]
# The most characters of a condition's text.
LONGEST = 2_000
_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_.:/-]{0,79}$")
_CLAUSE = re.compile(r"([A-Za-z_][\w.-]*)\s*(==|!=|>=|<=|>|<|\bin\b|\bcontains\b)\s*(.+)", re.DOTALL)
# Each expression matches at the first of several blanks only, so that its time stays linear.
_WHERE = re.compile(r"(?<!\s)\s+where\s+", re.IGNORECASE)
# A text in quotes, which may lack the closing one; the word `and`; or any other text.
_PIECE = re.compile(r"""(?s:"(?:[^"\\]|\\.)*+"?)|'[^']*+'?|(?P<and>\s+and\s+)|\s+|[^"'\s]+""", re.IGNORECASE)


class Clause(Frozen):
    """One comparison on the data of an event or webhook; `field` is a dotted path."""

    field: str
    operator: Operator
    value: Any

    def holds(self, data: Any) -> bool:
        """Return whether the comparison is true for `data`; it is false for a missing field or another type."""
        for part in self.field.split("."):
            if not isinstance(data, dict) or part not in data:
                return False
            data = data[part]
        return _compare(data, self.operator, self.value)

    def __str__(self) -> str:
        return f"{self.field} {self.operator} {json.dumps(self.value, ensure_ascii=False)}"


class Webhook(Frozen):
    """A webhook by its name. The type has no default, since stored events leave out values at their default."""

    type: Literal["webhook"]
    name: str
    where: tuple[Clause, ...] = ()

    def __str__(self) -> str:
        return f"webhook: {self.name}{_where(self.where)}"


class OnEvent(Frozen):
    type: Literal["event"]
    event: str
    where: tuple[Clause, ...] = ()

    def __str__(self) -> str:
        return f"event: {self.event}{_where(self.where)}"


class At(Frozen):
    """A time in UTC; `in: 2h` is converted to it when it is parsed."""

    type: Literal["at"]
    due: datetime

    def __str__(self) -> str:
        return f"at: {self.due.isoformat(timespec='seconds')}"


class Cron(Frozen):
    """The next time of a cron expression, `due`, in UTC."""

    type: Literal["cron"]
    expression: str
    zone: str
    due: datetime

    def __str__(self) -> str:
        return f"cron: {self.expression} ({self.zone})"


class Manual(Frozen):
    type: Literal["manual", "approval", "children"]

    def __str__(self) -> str:
        return self.type


class Parent(Frozen):
    """The end of this pause, by its number, of the session that launched this one; nobody writes it."""

    type: Literal["parent"]
    pause: int

    def __str__(self) -> str:
        return self.type


class Connected(Frozen):
    """The connection of a person to a server; nobody writes it."""

    type: Literal["connection"]
    server: str
    person: str

    def __str__(self) -> str:
        return f"connection: {self.server}"


def _where(clauses: tuple[Clause, ...]) -> str:
    return f" where {' and '.join(map(str, clauses))}" if clauses else ""


Condition = Annotated[
    Webhook | OnEvent | At | Cron | Manual | Parent | Connected, Field(discriminator="type")
]


def parse_condition(text: str, *, now: datetime, zone: str = "UTC") -> Condition:
    """Parse the text of a person or an agent. Raises InvalidCondition with the accepted forms.

    Times without an offset are read in `zone` (an IANA name).
    """
    if len(text) > LONGEST:
        raise InvalidCondition(f"A condition has at most {LONGEST:,} characters.")
    kind, _, rest = text.strip().partition(":")
    kind, rest = kind.strip().lower(), rest.strip()
    if kind in ("manual", "approval", "children") and not rest:
        return Manual(type=kind)
    if not rest:
        raise _unknown(text)
    place: tzinfo = zone_named(zone)
    match kind:
        case "webhook":
            name, where = _name_and_clauses(rest, "webhook")
            return Webhook(type="webhook", name=name, where=where)
        case "event":
            name, where = _name_and_clauses(rest, "event")
            return OnEvent(type="event", event=name, where=where)
        case "at":
            return At(type="at", due=parse_due(f"at {rest}", now, zone))
        case "in":
            return At(type="at", due=parse_due(f"in {rest}", now, zone))
        case "cron":
            due = next_cron(rest, place, now)
            if due is None:
                raise InvalidCondition(f"“{rest[:60]}” never comes.")
            return Cron(type="cron", expression=rest, zone=zone, due=due)
        case _:
            raise _unknown(text)


def _unknown(text: str) -> InvalidCondition:
    return InvalidCondition(f"Invalid wait condition “{text[:60]}”. Write one of: {', '.join(FORMS)}.")


def _name(text: str, what: str) -> str:
    if not _NAME.match(text):
        raise InvalidCondition(
            f"“{text[:60]}” is no {what} name: letters, digits and _ . : / - only, at most 80."
        )
    return text


def _name_and_clauses(text: str, what: str) -> tuple[str, tuple[Clause, ...]]:
    parts = _WHERE.split(text, maxsplit=1)
    name = _name(parts[0].strip(), what)
    return name, tuple(map(_clause, _split_at_and(parts[1]))) if len(parts) == 2 else ()


def _split_at_and(text: str) -> list[str]:
    """Return the texts between the words `and` that are not in quotes."""
    parts, begin = [], 0
    for found in _PIECE.finditer(text):
        if found["and"]:
            parts.append(text[begin : found.start()])
            begin = found.end()
    return [*parts, text[begin:]]


def _clause(text: str) -> Clause:
    found = _CLAUSE.fullmatch(text.strip())
    if not found:
        raise InvalidCondition(f'“{text[:60]}” is no comparison; write like env == "prod" and count > 3.')
    return Clause(field=found[1], operator=found[2], value=_literal(found[3]))


def _literal(text: str) -> Any:
    if len(text) >= 2 and text[0] == text[-1] == "'":
        return text[1:-1]
    try:
        value = json.loads(text)
        # Values that the log cannot hold: infinite numbers, and lone surrogates.
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
        return value
    except (ValueError, RecursionError):
        raise InvalidCondition(f'“{text[:60]}” is no value; put text in quotes, like "prod".') from None


def _compare(found: Any, operator: Operator, value: Any) -> bool:
    match operator:
        case "==":
            return bool(found == value) and isinstance(found, bool) == isinstance(value, bool)
        case "!=":
            return not _compare(found, "==", value)
        case "in":
            return isinstance(value, list) and any(_compare(found, "==", one) for one in value)
        case "contains":
            if isinstance(found, list):
                return any(_compare(one, "==", value) for one in found)
            return isinstance(found, str) and isinstance(value, str) and value in found
    both_numbers = all(isinstance(v, int | float) and not isinstance(v, bool) for v in (found, value))
    if not both_numbers and not (isinstance(found, str) and isinstance(value, str)):
        return False
    return bool(
        {">": found > value, "<": found < value, ">=": found >= value, "<=": found <= value}[operator]
    )
