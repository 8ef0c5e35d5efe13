"""The modal that changes a proposed call, with an input for each argument by the schema of the tool."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from pydantic import ValidationError

from handlers.action_ids import Target, View
from handlers.blocks.inputs import ABSENT, Field, Unfit, make_field
from handlers.blocks.json_schema import arguments
from handlers.blocks.text import Block, context, escape, mrkdwn, preformatted
from handlers.modals.modal import modal
from handlers.modals.plan_inputs import PlanFields, State
from supervisor.core.delegation import LAUNCH, PLAN, plan_of
from supervisor.core.digest import digest
from supervisor.core.messages import Json
from supervisor.core.state import Call, Session
from supervisor.core.text.masking import Masker
from supervisor.core.text.visible import call_text, one_line, visible

# A modal has at most 100 blocks and 250 kB; both limits leave room for the blocks around the inputs.
MOST_BLOCKS = 90
MOST_BYTES = 200_000
PREVIEW = 300
NAMES_SHOWN = 10
BY_APP = "the app gives it"
_NAME = re.compile(r"[a-z0-9][a-z0-9-]*")


class Mistakes(Exception):
    """Errors in a submitted form; `wrong` has the message for each block."""

    def __init__(self, wrong: Mapping[str, str]) -> None:
        super().__init__("; ".join(wrong.values()))
        self.wrong = dict(wrong)


@dataclass(frozen=True)
class EditForm:
    """The form: `fields` can be changed, `kept` are only shown, and for `left` there is no room."""

    call: Call
    marks: str
    fields: tuple[Field, ...]
    kept: tuple[Field, ...]
    left: tuple[Field, ...]
    plan: PlanFields | None

    def view(self, session: Session) -> Block:
        """Return the modal; it has no submit button where nothing in it can be changed."""
        call = self.call
        blocks: list[Block] = [
            mrkdwn(f"*{escape(one_line(call.call.tool, 80))}* · what you save here is what runs")
        ]
        blocks += self.plan.blocks if self.plan else []
        blocks += [field.block() for field in self.fields]
        for field in self.kept:
            blocks += _as_it_is(field)
        blocks += self._elsewhere(session)
        private = Target.of(session, call, extra=self.marks).encode()
        changeable = any(block["type"] == "input" for block in blocks)
        return modal(View.EDIT, "Edit the call", blocks, private, "Save and approve" if changeable else None)

    def _elsewhere(self, session: Session) -> list[Block]:
        """Return a note on how to change the arguments that cannot be changed here."""
        if not (self.kept or self.left or (self.plan and self.plan.left)):
            return []
        names = [escape(one_line(field.mask.arguments(field.argument.name), 40)) for field in self.left]
        more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
        sentences = [f"No room here for {', '.join(names[:NAMES_SHOWN])}{more}."] if names else []
        if self.plan and self.plan.left:
            sentences.append(f"{self.plan.left} further subtasks have no room here.")
        command = f"`flagman approve {session.id} {self.call.call_id} --edit`"
        sentences.append(f"They stay as they are; {command} on the command line changes them.")
        return [context(" ".join(sentences))]

    def read(self, state: State) -> tuple[Json, dict[str, str]]:
        """Return all arguments after the change, and the errors by block.

        Unchanged arguments are exactly the proposed ones, and so are those with errors, so that the others can be
        validated, too.
        """
        wrong: dict[str, str] = {}
        given = self.call.call.arguments
        now: Json = dict(given) if isinstance(given, dict) else {}
        for field in (field for field in self.fields if field.block_id in state):
            try:
                value = field.read(state[field.block_id])
            except Unfit as unfit:
                wrong[field.block_id] = str(unfit)
                continue
            if value is ABSENT:
                now.pop(field.argument.name, None)
            else:
                now[field.argument.name] = value
        if self.plan:
            now["subtasks"] = self.plan.read(state, wrong)
        return now, wrong

    def beside(self, problems: Mapping[str, str]) -> dict[str, str]:
        """Return the given problems by argument as messages by block, of the arguments that are shown."""
        blocks = {field.argument.name: field.block_id for field in self.fields}
        return {blocks[name]: _sentence(text) for name, text in problems.items() if name in blocks}

    def about(self, sentence: str, arguments: Json) -> dict[str, str]:
        """Return the sentence by the block that it is probably about.

        In a plan this is the first subtask that it names; otherwise the first of the `arguments` that was changed.
        """
        if self.plan and (block := self.plan.block_of(_NAME.findall(sentence))):
            return {block: sentence}
        edited = (f.block_id for f in self.fields if arguments.get(f.argument.name, ABSENT) != f.value)
        return {next(edited, next(self._inputs(), "")): sentence}

    def _inputs(self) -> Iterator[str]:
        blocks = [*(self.plan.blocks if self.plan else ()), *(field.block() for field in self.fields)]
        yield from (str(block["block_id"]) for block in blocks if block["type"] == "input")


def edit_form(call: Call, schema: Json, roster: Sequence[str], mask: Masker) -> EditForm:
    """Return the form for a call of a tool with this schema; `roster` names the personas that may be launched."""
    given = call.call.arguments
    given = given if isinstance(given, dict) else {}
    plan = _plan(call, roster, mask)
    found = [
        a for a in arguments(_narrow(call, schema, roster), given) if not (plan and a.name == "subtasks")
    ]
    fields = [make_field(f"arg:{n}", a, given.get(a.name, ABSENT), mask) for n, a in enumerate(found)]
    provided = call.call.definition.provided if call.call.definition else {}
    fields = [replace(f, why_kept=BY_APP) if f.argument.name in provided else f for f in fields]
    room, size = MOST_BLOCKS, MOST_BYTES
    if plan:
        room, size = room - len(plan.blocks), size - _bytes(plan.blocks)
    shown: list[Field] = []
    for field in fields:
        blocks = _as_it_is(field) if field.why_kept else [field.block()]
        room, size = room - len(blocks), size - _bytes(blocks)
        if room < 0 or size < 0:
            break
        shown.append(field)
    return EditForm(
        call=call,
        marks=digest(schema)[:12],
        fields=tuple(field for field in shown if not field.why_kept),
        kept=tuple(field for field in shown if field.why_kept),
        left=tuple(fields[len(shown) :]),
        plan=plan,
    )


def saved_modal(call: Call) -> Block:
    """Return the modal after a change that its author may not approve."""
    tool = escape(one_line(call.call.tool, 80))
    text = f":white_check_mark: *{tool}* is changed. As it is now, others have to approve it; the thread says who."
    return modal(View.CALL, "Saved", [mrkdwn(text)], "")


def _plan(call: Call, roster: Sequence[str], mask: Masker) -> PlanFields | None:
    if call.call.tool != PLAN:
        return None
    try:
        return PlanFields(plan_of(call), tuple(roster), mask)
    except ValidationError:
        return None


def _narrow(call: Call, schema: Json, roster: Sequence[str]) -> Json:
    """Return the schema with the names of the personas that the session may launch, which the tool does not know."""
    given = call.call.arguments
    if call.call.tool != LAUNCH or not isinstance(given, dict):
        return schema
    names = sorted({*roster, str(given.get("persona", ""))})
    properties = schema.get("properties") or {}
    persona = {**(properties.get("persona") or {}), "enum": names}
    return {**schema, "properties": {**properties, "persona": persona}}


def _as_it_is(field: Field) -> list[Block]:
    """Return an argument that cannot be changed here, with the beginning of its value."""
    name = escape(one_line(field.mask.arguments(field.argument.name), 80)) or "–"
    text = (call_text if field.kind == "text" else visible)(field.masked)
    return [mrkdwn(f"*{name}* stays as it is: {field.why_kept}."), preformatted(_preview(text))]


def _preview(text: str) -> str:
    return text if len(text) <= PREVIEW else f"{text[:PREVIEW]} … {len(text) - PREVIEW:,} more characters"


def _bytes(blocks: list[Block]) -> int:
    return len(json.dumps(blocks))


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}." if text else text
