"""What people give to a request of a server: read from words or from a form, and checked against its schema."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any
from urllib.parse import urlsplit

from supervisor.core.elicitation.fields import FormField, form_fields
from supervisor.core.elicitation.request import InputAction, InputRequest
from supervisor.core.errors import InvalidInput
from supervisor.core.messages import Json
from supervisor.core.text.format import join_items
from supervisor.core.text.sanitize import clean_text

LONGEST_TEXT = 20_000
# The most choices, and their longest title, that a message offers to choose from.
MOST_OPTIONS, LONGEST_OPTION = 5, 75
ACCEPT = "Accept"
_YES, _NO = ("yes", "true", "y"), ("no", "false", "n")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_ACTIONS: dict[str, InputAction] = {"accept": "accept", "decline": "decline", "cancel": "cancel"}


def options_of(request: InputRequest) -> tuple[str, ...]:
    """Return the short answers that a message offers: of a single field of choices, and to what has no field."""
    fields = form_fields(request.schema_)
    if not fields:
        return (ACCEPT,)
    if len(fields) > 1:
        return ()
    (field,) = fields
    if field.kind == "boolean":
        return ("Yes", "No")
    titles = tuple(title for _, title in field.choices)
    short = len(titles) <= MOST_OPTIONS and all(len(title) <= LONGEST_OPTION for title in titles)
    return titles if field.kind == "choice" and short and len(set(titles)) == len(titles) else ()


def read_words(request: InputRequest, text: str) -> tuple[InputAction, Json]:
    """Return what an answer in words gives. Raises InvalidInput with one sentence."""
    fields = form_fields(request.schema_)
    if not fields:
        action = _ACTIONS.get(text.strip().strip(".!").lower())
        if action is None:
            raise InvalidInput("That can be accepted or declined: please answer `accept` or `decline`.")
        return action, {}
    if text.lstrip().startswith("{"):
        try:
            given = json.loads(text)
        except (ValueError, RecursionError):
            given = None
        if isinstance(given, dict):
            return "accept", given
    if len(fields) > 1:
        names = join_items([f"`{field.name}`" for field in fields])
        raise InvalidInput(
            f"`{request.server}` asks for {names}: please use the form, or answer with JSON such as "
            f'`{{"{fields[0].name}": …}}`.'
        )
    return "accept", {fields[0].name: read_value(fields[0], text)}


def read_value(field: FormField, text: str) -> Any:
    """Return the value of a field in words; the words themselves where they are none, which the check will tell."""
    text = text.strip()
    match field.kind:
        case "number" | "integer":
            try:
                return int(text)
            except ValueError:
                pass
            try:
                return float(text)
            except ValueError:
                return text
        case "boolean":
            word = text.lower()
            return True if word in _YES else False if word in _NO else text
        case "choice":
            return _value_of(field, text)
        case "choices":
            return [_value_of(field, part.strip()) for part in text.split(",") if part.strip()]
    return text


def _value_of(field: FormField, text: str) -> str:
    exact = [value for value, title in field.choices if text in (value, title)]
    alike = [value for value, title in field.choices if text.lower() in (value.lower(), title.lower())]
    return next(iter([*exact, *alike]), text)


def check(request: InputRequest, given: Json) -> Json:
    """Return what was given, in the order of the fields. Raises InvalidInput with one sentence."""
    found, wrong = checked(request, given)
    if wrong:
        fields = {field.name: field.label for field in form_fields(request.schema_)}
        said = "; ".join(f"`{fields.get(name, name[:40])}` {problem}" for name, problem in wrong.items())
        raise InvalidInput(f"That does not fit what `{request.server}` asks for: {said}.")
    return found


def checked(request: InputRequest, given: Json) -> tuple[Json, dict[str, str]]:
    """Return what was given without what was left empty, and what is wrong, by field."""
    fields = form_fields(request.schema_)
    wrong = {name: "is none of its fields" for name in given.keys() - {field.name for field in fields}}
    found: Json = {}
    for field in fields:
        value = given.get(field.name)
        if value is None or (value == "" and not field.required):
            if field.required:
                wrong[field.name] = "is needed"
            continue
        if problem := _problem(field, value):
            wrong[field.name] = problem
            continue
        found[field.name] = clean_text(value) if isinstance(value, str) else value
    return found, wrong


def words_of(request: InputRequest, action: InputAction, content: Json) -> str:
    """Return an answer as people read it."""
    if action != "accept":
        return "Declined." if action == "decline" else "Cancelled."
    fields = {field.name: field for field in form_fields(request.schema_)}
    if not content:
        return "Accepted."
    parts = [(fields[name].label, _shown(fields[name], value)) for name, value in content.items()]
    return parts[0][1] if len(fields) == 1 else "\n".join(f"{label}: {value}" for label, value in parts)


def _shown(field: FormField, value: Any) -> str:
    titles = dict(field.choices)
    if isinstance(value, bool):
        return "Yes" if value else "No"
    if isinstance(value, list):
        return ", ".join(str(titles.get(one, one)) for one in value) or "none"
    return titles.get(value, value) if isinstance(value, str) else json.dumps(value)


def _problem(field: FormField, value: Any) -> str:
    """Return what is wrong with a value; empty where it fits."""
    values = {value for value, _ in field.choices}
    match field.kind:
        case "boolean":
            return "" if isinstance(value, bool) else "is yes or no"
        case "number" | "integer":
            return _number(field, value)
        case "choice":
            fits = isinstance(value, str) and value in values
            return "" if fits else f"is one of {_listed(field)}"
        case "choices":
            if not isinstance(value, list) or not all(isinstance(v, str) and v in values for v in value):
                return f"has some of {_listed(field)}"
            return _within(len(set(value)), field.rule, "minItems", "maxItems", "choice")
    if not isinstance(value, str):
        return "is a text"
    if len(value) > LONGEST_TEXT:
        return f"has at most {LONGEST_TEXT:,} characters"
    return _within(len(value), field.rule, "minLength", "maxLength", "character") or _format(
        str(field.rule.get("format")), value
    )


def _listed(field: FormField) -> str:
    titles = [f"“{title}”" for _, title in field.choices]
    return join_items(titles[:10]) + (" …" if len(titles) > 10 else "")


def _number(field: FormField, value: Any) -> str:
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and _is_finite(value)
    if not is_number or (field.kind == "integer" and value != int(value)):
        return "is a whole number" if field.kind == "integer" else "is a number"
    least, most = field.rule.get("minimum"), field.rule.get("maximum")
    if isinstance(least, int | float) and value < least:
        return f"is at least {least}"
    return f"is at most {most}" if isinstance(most, int | float) and value > most else ""


def _is_finite(value: float) -> bool:
    """Whether it can be sent as a number: one of more than some 300 digits cannot, as most programs read JSON."""
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def _within(size: int, rule: Mapping[str, Any], least: str, most: str, unit: str) -> str:
    lower, upper = rule.get(least), rule.get(most)
    if isinstance(lower, int) and size < lower:
        return f"has at least {lower:,} {unit}{'' if lower == 1 else 's'}"
    if isinstance(upper, int) and size > upper:
        return f"has at most {upper:,} {unit}{'' if upper == 1 else 's'}"
    return ""


def _format(name: str, value: str) -> str:
    match name:
        case "email":
            return "" if _EMAIL.fullmatch(value) else "is an email address"
        case "uri":
            return "" if _is_uri(value) else "is an address, such as https://example.com"
        case "date":
            return "" if _reads(date.fromisoformat, value) else "is a date, such as 2026-12-01"
        case "date-time":
            timed = "T" in value and _reads(datetime.fromisoformat, value)
            return "" if timed else "is a time, such as 2026-12-01T09:00:00Z"
    return ""


def _is_uri(value: str) -> bool:
    try:
        return bool(urlsplit(value).scheme) and not re.search(r"\s", value)
    except ValueError:
        return False


def _reads(reader: Any, value: str) -> bool:
    try:
        reader(value)
    except ValueError:
        return False
    return True
