"""What a server asks people for in the middle of a call: the messages of the thread, and the form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate, takewhile
from typing import Any
from urllib.parse import urlsplit

from handlers.blocks.inputs import MOST_CHARACTERS, plain_text
from handlers.blocks.text import (
    Block,
    context,
    escape,
    inline_code,
    moment,
    mrkdwn,
    person,
    plain,
    preformatted,
)
from supervisor.core.elicitation.answers import checked, read_value
from supervisor.core.elicitation.fields import FormField, form_fields
from supervisor.core.elicitation.request import AskedInput, InputRequest
from supervisor.core.messages import Json
from supervisor.core.state import Call
from supervisor.core.text.masking import Masker
from supervisor.core.text.visible import one_line

# The longest answer that is shown with its question; the log has all of it.
ANSWER_SHOWN = 1500
# Of the names of its fields, in the message.
NAMES_SHOWN = 2000
# The characters with which Slack lets an input for a number begin.
MOST_DIGITS = 100
_FORMATS = {
    "email": "An email address.",
    "uri": "An address, such as https://example.com.",
    "date": "A date, such as 2026-12-01.",
    "date-time": "A time, such as 2026-12-01T09:00:00Z.",
}


def asked_blocks(call: Call, asked: AskedInput, mask: Masker) -> list[Block]:
    """Return who asks for what: all of it is the server's own text, in which nothing is interpreted."""
    request = asked.request
    tool = inline_code(one_line(mask(call.call.tool), 80))
    title = f":speech_balloon: *The server {inline_code(request.server)} asks*, in its call of {tool}"
    return [mrkdwn(title), plain(mask(request.message)), *_address(request, mask), *_fields(request, mask)]


def _address(request: InputRequest, mask: Masker) -> list[Block]:
    if not request.url:
        return []
    host = inline_code(urlsplit(request.url).netloc)
    said = f"It wants a person to open this address, at {host}. Accept once you know that host and have opened it."
    return [preformatted(mask(request.url)), context(said)]


def _fields(request: InputRequest, mask: Masker) -> list[Block]:
    fields = form_fields(request.schema_)
    if not fields:
        return []
    names = _joined([escape(one_line(mask(field.label), 60)) for field in fields])
    what = escape(one_line(mask(fields[0].description), 200)) if len(fields) == 1 else ""
    return [context(f"Asked for: {names}{f' ({what})' if what else ''}")]


def _joined(names: Sequence[str]) -> str:
    """Return escaped names as a list, of which the last are counted where not all fit into one text."""
    kept = list(takewhile(lambda so_far: so_far <= NAMES_SHOWN, accumulate(len(name) + 2 for name in names)))
    left = len(names) - len(kept)
    return ", ".join([*names[: len(kept)], *([f"and {left} more"] if left else [])])


def hint(asked: AskedInput, reply: str) -> list[Block]:
    """Return how it is answered; `reply` says how one does so in the thread."""
    fields = form_fields(asked.request.schema_)
    said = [reply] if len(fields) == 1 else []
    if fields:
        said.append("The answer goes to the server, and will stand in the log: no passwords or keys.")
    if asked.until:
        said.append(f"The call is held open until {moment(asked.until)}.")
    return [context(" ".join(said))] if said else []


def answered_blocks(asked: AskedInput, mask: Masker) -> list[Block]:
    """Return what was given, by whom."""
    assert asked.given_at, "it was answered"
    at = moment(asked.given_at)
    by = f"by {person(asked.by)} at {at}" if asked.by.partition(":")[0] != "system" else f"at {at}"
    given = asked.answer if asked.action != "accept" else f"Answer: {asked.answer}"
    return [plain(mask(given), ANSWER_SHOWN), context(by)]


def form_blocks(call: Call, asked: AskedInput, mask: Masker) -> list[Block]:
    """Return the inputs for all fields of a request, with what it is about."""
    fields = form_fields(asked.request.schema_)
    about = asked_blocks(call, asked, mask)
    return [*(about[:2] if fields else about), *(_input(n, field, mask) for n, field in enumerate(fields))]


def read_form(request: InputRequest, state: Mapping[str, Any]) -> tuple[Json, dict[str, str]]:
    """Return what was written in a form, and what is wrong with it, by block."""
    fields = form_fields(request.schema_)
    given = {f.name: _written(f, state.get(f"in:{n}", {}).get("value") or {}) for n, f in enumerate(fields)}
    found, wrong = checked(request, given)
    blocks = {field.name: f"in:{n}" for n, field in enumerate(fields)}
    return found, {blocks[name]: f"It {problem}." for name, problem in wrong.items()}


def _written(field: FormField, state: Mapping[str, Any]) -> Any:
    if field.kind == "choices":
        chosen = [str(option.get("value")) for option in state.get("selected_options") or ()]
        return [field.choices[int(n)][0] for n in chosen if n.isdecimal() and int(n) < len(field.choices)]
    if field.kind in ("choice", "boolean"):
        at = str((state.get("selected_option") or {}).get("value") or "")
        values = [True, False] if field.kind == "boolean" else [value for value, _ in field.choices]
        return values[int(at)] if at.isdecimal() and int(at) < len(values) else None
    text = str(state.get("value") or "").replace("\r\n", "\n")
    return read_value(field, text) if text.strip() else None


def _input(n: int, field: FormField, mask: Masker) -> Block:
    block: Block = {
        "type": "input",
        "block_id": f"in:{n}",
        "label": plain_text(one_line(mask(field.label), 150) or "–"),
        "optional": not field.required or field.kind == "choices",
        "element": _element(field, mask),
    }
    described = mask(field.description).rstrip(".")
    said = ". ".join(filter(None, (described, _FORMATS.get(str(field.rule.get("format")), ""))))
    return {**block, "hint": plain_text(one_line(said, 1900))} if said else block


def _element(field: FormField, mask: Masker) -> Block:
    default = field.default
    if field.kind in ("choice", "choices", "boolean"):
        labels = ["Yes", "No"] if field.kind == "boolean" else [title for _, title in field.choices]
        values = [True, False] if field.kind == "boolean" else [value for value, _ in field.choices]
        options = [
            {"text": plain_text(one_line(mask(label), 75) or "–"), "value": str(at)}
            for at, label in enumerate(labels)
        ]
        kind = "multi_static_select" if field.kind == "choices" else "static_select"
        element: Block = {"type": kind, "action_id": "value", "options": options}
        chosen = default if isinstance(default, list) else [] if default is None else [default]
        initial = [options[at] for at, value in enumerate(values) if value in chosen]
        if not initial:
            return element
        many = field.kind == "choices"
        return {**element, **({"initial_options": initial} if many else {"initial_option": initial[0]})}
    if field.kind in ("number", "integer"):
        decimal = field.kind == "number"
        element = {"type": "number_input", "action_id": "value", "is_decimal_allowed": decimal}
    else:
        tall = (field.rule.get("maxLength") or 0) if isinstance(field.rule.get("maxLength"), int) else 0
        element = {"type": "plain_text_input", "action_id": "value", "multiline": tall > 200}
        element["max_length"] = MOST_CHARACTERS
    shown = "" if default is None else str(default)
    most = MOST_DIGITS if field.kind in ("number", "integer") else MOST_CHARACTERS
    fits = shown and len(shown) <= most and mask(shown) == shown
    return {**element, "initial_value": shown} if fits else element
