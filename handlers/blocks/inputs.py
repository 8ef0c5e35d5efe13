"""One argument as an input of a modal: the block with its present value, and the value that was written."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import Any, Literal

from handlers.blocks.json_schema import Argument
from handlers.blocks.text import Block
from supervisor.core.text.masking import Masker, as_written
from supervisor.core.text.visible import json_text, one_line, visible

MOST_CHARACTERS = 3000
MOST_OPTIONS = 100
LONG_LINE = 60
LONG_TEXT = 8000
NOT_SET = "none"
Kind = Literal["text", "number", "choice", "lines", "json"]
_WHOLE = re.compile(r"[+-]?\d{1,15}")
_EXAMPLES = {"object": '{"name": "value"}', "array": '["one", "two"]'}
_ANY = '{"name": "value"}, ["one", "two"] or "text"'
_DECIMAL = re.compile(r"[+-]?\d{1,15}(\.\d{1,15})?")


class Unfit(Exception):
    """The written text is not a value of the expected type; the message says which is expected."""


class Absent:
    """The type of `ABSENT`, which stands for an argument that is left out."""


ABSENT = Absent()


@dataclass(frozen=True)
class Field:
    """One input. `shown` is the present value as text, `masked` that text for a value which cannot be changed here;
    `why_kept` is the reason for it, or empty."""

    block_id: str
    argument: Argument
    value: Any
    kind: Kind
    shown: str
    masked: str
    choices: tuple[Any, ...]
    mask: Masker
    why_kept: str

    @property
    def optional(self) -> bool:
        if not self.argument.required or self.argument.nullable:
            return True
        return self.shown == ""

    def block(self) -> Block:
        """Return the input block."""
        block: Block = {
            "type": "input",
            "block_id": self.block_id,
            "label": plain_text(one_line(self.mask.arguments(self.argument.name), 150) or "–"),
            "optional": self.optional,
            "element": self._element(),
        }
        hint = self.mask.arguments(self._hint())
        return {**block, "hint": plain_text(hint)} if hint else block

    def _element(self) -> Block:
        if self.kind == "choice":
            return self._select()
        element: Block = {"type": "plain_text_input", "action_id": "value"}
        if self.kind == "number":
            decimal = self.argument.rule.get("type") == "number"
            element = {"type": "number_input", "action_id": "value", "is_decimal_allowed": decimal}
        else:
            tall = "\n" in self.shown or len(self.shown) > LONG_LINE or self.kind in ("lines", "json")
            most = self.argument.rule.get("maxLength")
            element["multiline"] = tall or (isinstance(most, int) and most >= LONG_TEXT)
            element["max_length"] = MOST_CHARACTERS
        return {**element, "initial_value": self.shown} if self.shown else element

    def _select(self) -> Block:
        options = [
            _option(self.mask.arguments(_label(choice)), str(n)) for n, choice in enumerate(self.choices)
        ]
        if self.optional and len(options) < MOST_OPTIONS:
            options.append(_option("not set", NOT_SET))
        chosen = [option for option in options if option["value"] == self.shown]
        element: Block = {"type": "static_select", "action_id": "value", "options": options}
        return {**element, "initial_option": chosen[0]} if chosen else element

    def _hint(self) -> str:
        parts = [one_line(self.argument.description, 300)]
        if self.kind == "lines":
            parts.append("One a line.")
        if self.kind == "json":
            parts.append(f"As JSON, such as {_EXAMPLES.get(str(self.argument.rule.get('type')), _ANY)}.")
        parts.append(self._bounds())
        default = self.argument.default
        if self.optional and self.kind != "choice" and default not in (None, "", [], {}):
            parts.append(f"Left empty, it is {one_line(_label(default), 100)}.")
        return " ".join(part for part in parts if part)

    def _bounds(self) -> str:
        rule = self.argument.rule
        bounds = {"at least": rule.get("minimum"), "at most": rule.get("maximum")}
        said = [f"{word} {bound}" for word, bound in bounds.items() if _fits_a_number(bound)]
        return f"{' and '.join(said).capitalize()}." if self.kind == "number" and said else ""

    def read(self, state: Block) -> Any:
        """Return the value that was written, or ABSENT where the input was emptied. Raises Unfit."""
        if self.kind == "choice":
            chosen = str((state.get("selected_option") or {}).get("value") or NOT_SET)
            return self.value if chosen == self.shown else self._chosen(chosen)
        written = str(state.get("value") or "").replace("\r\n", "\n")
        # A text that only lost the space around it was not changed.
        if written == self.shown or written.strip() == self.shown.strip():
            return self.value
        return self._written(written) if written.strip() else self._emptied()

    def _chosen(self, chosen: str) -> Any:
        if chosen == NOT_SET:
            return self._emptied()
        if not chosen.isdecimal() or int(chosen) >= len(self.choices):
            raise Unfit("Please choose one of the options.")
        return self.choices[int(chosen)]

    def _emptied(self) -> Any:
        if self.kind == "text" and self.argument.required and not self.argument.nullable:
            return ""
        if self.kind == "lines" and not self.argument.nullable:
            return []
        return None if self.argument.required else ABSENT

    def _written(self, written: str) -> Any:
        match self.kind:
            case "text":
                return written
            case "number":
                return _number(written.strip(), self.argument.rule.get("type") == "integer")
            case "lines":
                lines = [line.strip() for line in written.split("\n") if line.strip()]
                kind = self.argument.item
                return lines if kind == "string" else [_number(line, kind == "integer") for line in lines]
            case _:
                return _json(written)


def make_field(block_id: str, argument: Argument, value: Any, mask: Masker) -> Field:
    """Return the field for an argument with this value, which may be ABSENT."""
    kind, shown, choices = _kind(argument, value)
    seen = _label(value) if kind == "choice" and value is not ABSENT else shown
    hidden = value if value is ABSENT else mask.arguments(value)
    secret = value is not ABSENT and as_written(hidden) != value
    masked = shown if not secret else hidden if isinstance(hidden, str) else _as_json(hidden)
    why = "it holds a secret" if secret else why_kept(seen)
    return Field(block_id, argument, value, kind, shown, masked, choices, mask, why)


def why_kept(shown: str) -> str:
    """Return the reason why a text without secrets cannot be changed in an input; empty where it can."""
    if wide(shown) > MOST_CHARACTERS:
        return f"its {len(shown):,} characters do not fit into a window"
    if visible(shown) != shown:
        return "it holds characters that show nothing"
    return ""


def wide(text: str) -> int:
    """Return the length in UTF-16 code units, by which Slack's clients count."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _kind(argument: Argument, value: Any) -> tuple[Kind, str, tuple[Any, ...]]:
    """Return the kind of input, the shown text and the choices for a value; JSON where it does not fit the schema."""
    empty = value is ABSENT or (value is None and argument.nullable)
    choices = argument.choices
    if choices is not None and len(choices) < MOST_OPTIONS:
        at = [str(n) for n, choice in enumerate(choices) if type(choice) is type(value) and choice == value]
        if at or empty:
            return "choice", at[0] if at else NOT_SET, tuple(choices)
    rule = argument.rule.get("type")
    if rule == "string" and (empty or isinstance(value, str)):
        return "text", "" if empty else value, ()
    if rule in ("integer", "number") and (empty or _fits_a_number(value)):
        return "number", "" if empty else json.dumps(value), ()
    if argument.item and (empty or _fits_lines(value, argument.item)):
        lines = [] if empty else [line if isinstance(line, str) else json.dumps(line) for line in value]
        return "lines", "\n".join(lines), ()
    return "json", "" if empty else _as_json(value), ()


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _fits_a_number(value: Any) -> bool:
    return _is_number(value) and bool(_DECIMAL.fullmatch(json.dumps(value)))


def _fits_lines(value: Any, item: str) -> bool:
    if not isinstance(value, list):
        return False
    if item == "string":
        return all(isinstance(v, str) and v and v == v.strip() and len(v.splitlines()) == 1 for v in value)
    return all(_fits_a_number(v) for v in value)


def _number(written: str, whole: bool) -> int | float:
    if _WHOLE.fullmatch(written):
        return int(written)
    if whole:
        raise Unfit(f"“{one_line(written, 40)}” is no whole number.")
    try:
        number = float(written)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise Unfit(f"“{one_line(written, 40)}” is no number.")
    return number


def _json(written: str) -> Any:
    try:
        return json.loads(written, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        where = f": line {error.lineno}, {error.msg}" if isinstance(error, json.JSONDecodeError) else ""
        raise Unfit(f"That is no JSON{where}. A text stands in quotes.") from error


def _no_constant(name: str) -> Any:
    raise ValueError(name)


def _as_json(value: Any) -> str:
    """Return the value as JSON with hidden characters escaped."""
    return json_text(value, indent=2)


def _label(value: Any) -> str:
    return value if isinstance(value, str) and value.strip() else json.dumps(value, ensure_ascii=False)


def plain_text(text: str) -> Block:
    """Return a `plain_text` object, in which Slack interprets nothing."""
    return {"type": "plain_text", "text": visible(text), "emoji": False}


def _option(label: str, value: str) -> Block:
    return {"text": plain_text(one_line(label, 75)), "value": value}
