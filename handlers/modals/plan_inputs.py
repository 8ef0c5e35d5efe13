"""The inputs for a proposed plan in a modal: the task, the persona and the dependencies of each subtask."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from handlers.blocks.inputs import MOST_CHARACTERS, plain_text, why_kept
from handlers.blocks.text import Block, escape, mrkdwn
from supervisor.core.delegation import Plan, Subtask
from supervisor.core.text.masking import Masker
from supervisor.core.text.visible import call_text, one_line

# A subtask takes up to three of a modal's 100 blocks; both limits leave room for other blocks.
MOST_SHOWN = 28
MOST_BYTES = 190_000
State = Mapping[str, Block]


@dataclass(frozen=True)
class PlanFields:
    """The inputs for a plan; `roster` names the personas that may be launched."""

    plan: Plan
    roster: tuple[str, ...]
    mask: Masker

    @cached_property
    def rows(self) -> list[list[Block]]:
        """The blocks of each subtask, as many as there is room for."""
        rows: list[list[Block]] = []
        size = 0
        for n, subtask in enumerate(self.plan.subtasks[:MOST_SHOWN]):
            row = [self._task(n, subtask), self._persona(n, subtask)]
            if len(self.plan.subtasks) > 1:
                row.append(self._after(n, subtask))
            size += len(json.dumps(row))
            if size > MOST_BYTES:
                break
            rows.append(row)
        return rows

    @property
    def left(self) -> int:
        """The number of subtasks that are not shown."""
        return len(self.plan.subtasks) - len(self.rows)

    @property
    def blocks(self) -> list[Block]:
        return [block for row in self.rows for block in row]

    def _task(self, n: int, subtask: Subtask) -> Block:
        title = f"{n + 1}. {subtask.id}"
        task = self.mask.arguments(subtask.task)
        why = "it holds a secret" if task != subtask.task else why_kept(task)
        why = why if task.strip() else "it is blank"
        if why:
            shown = escape(one_line(call_text(task), 300))
            return mrkdwn(f"*{title}* stays as it is: {why}.\n{shown}")
        return {
            "type": "input",
            "block_id": f"task:{n}",
            "label": plain_text(title),
            "optional": True,
            "hint": plain_text("Left empty, it is taken out of the plan."),
            "element": {
                "type": "plain_text_input",
                "action_id": "value",
                "multiline": True,
                "max_length": MOST_CHARACTERS,
                "initial_value": subtask.task,
            },
        }

    def _persona(self, n: int, subtask: Subtask) -> Block:
        names = list(dict.fromkeys([subtask.persona, *self.roster]))[:100]
        options = [{"text": plain_text(name), "value": name} for name in sorted(names)]
        now = next(option for option in options if option["value"] == subtask.persona)
        element = {
            "type": "static_select",
            "action_id": "value",
            "options": options,
            "initial_option": now,
        }
        return {
            "type": "input",
            "block_id": f"who:{n}",
            "label": plain_text("Who does it"),
            "element": element,
        }

    def _after(self, n: int, subtask: Subtask) -> Block:
        others = [other.id for other in self.plan.subtasks if other.id != subtask.id]
        options = [{"text": plain_text(name), "value": name} for name in others]
        element: Block = {"type": "multi_static_select", "action_id": "value", "options": options}
        if subtask.depends_on:
            element["initial_options"] = [o for o in options if o["value"] in subtask.depends_on]
        return {
            "type": "input",
            "block_id": f"after:{n}",
            "label": plain_text("Begins after"),
            "optional": True,
            "element": element,
        }

    def read(self, state: State, wrong: dict[str, str]) -> list[dict[str, Any]]:
        """Return the subtasks after the change; errors are added to `wrong` by block."""
        kept = [
            (n, subtask) for n, subtask in enumerate(self.plan.subtasks) if not self._is_removed(n, state)
        ]
        ids = {subtask.id for _, subtask in kept}
        if not kept:
            wrong["task:0"] = "A plan needs at least one subtask; to stop it, deny the call."
        found = [self._subtask(n, subtask, state) for n, subtask in kept]
        for (n, _), subtask in zip(kept, found, strict=True):
            gone = [name for name in subtask["depends_on"] if name not in ids]
            if gone:
                self._report_missing(n, subtask["id"], gone[0], wrong)
        return found

    def _is_removed(self, n: int, state: State) -> bool:
        return f"task:{n}" in state and not _text(state[f"task:{n}"]).strip()

    def _subtask(self, n: int, subtask: Subtask, state: State) -> dict[str, Any]:
        now = subtask.model_dump(mode="json")
        if (written := state.get(f"task:{n}")) and _text(written).strip() != subtask.task.strip():
            now["task"] = _text(written)
        if chosen := state.get(f"who:{n}"):
            now["persona"] = str((chosen.get("selected_option") or {}).get("value") or subtask.persona)
        if (chosen := state.get(f"after:{n}")) is not None:
            after = [str(option.get("value")) for option in chosen.get("selected_options") or ()]
            same = sorted(after) == sorted(set(subtask.depends_on))
            now["depends_on"] = list(subtask.depends_on) if same else after
        return now

    def _report_missing(self, n: int, name: str, gone: str, wrong: dict[str, str]) -> None:
        """Report a missing dependency at the subtask that has it, or, where that is not shown, at the removed one."""
        if n < len(self.rows):
            wrong[f"after:{n}"] = f"{gone} is taken out of the plan, so nothing can begin after it."
            return
        at = next(i for i, subtask in enumerate(self.plan.subtasks) if subtask.id == gone)
        wrong[f"task:{at}"] = f"{name}, further down in the plan, begins after this; it has to stay."

    def block_of(self, names: Collection[str]) -> str:
        """Return the last block of the first subtask with one of these names; empty where none is shown."""
        for n, row in enumerate(self.rows):
            if self.plan.subtasks[n].id in names:
                return str(row[-1]["block_id"])
        return ""


def _text(state: Block) -> str:
    return str(state.get("value") or "").replace("\r\n", "\n")
