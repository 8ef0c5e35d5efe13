"""The window that changes a call, and the call afterwards: exactly these, kept in files to be read.

Run as a module, it writes the files anew.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field

from handlers.messages.diff import MOST_LINES, SHOWN, change_blocks
from handlers.messages.thread import thread
from handlers.modals.edit_call import edit_form
from handlers.modals.full_call import full_call_modal
from supervisor.core.events import ApprovalDecided, ApprovalRequested, CallEdited
from supervisor.core.messages import Json
from supervisor.core.persona import Approvers
from supervisor.core.reducer import fold
from supervisor.core.state import Session
from supervisor.core.text.masking import Masker
from supervisor.tools.agents import plan_tasks
from supervisor.tools.typed_tool import tool
from tests.core.build import BOB, CAROL, SID, by, launched, plan_call, responded, subtask, tool_call
from tests.linear import assert_linear

GOLDEN = Path(__file__).parent / "golden"
MASK = Masker(["known-0123-abcdefghij", "known-0123-klmnopqrst"])


@tool
async def scale(
    service: Annotated[str, Field(description="Which service.")],
    where: Literal["dev", "staging", "prod"],
    replicas: Annotated[int, Field(description="How many copies run.", ge=1, le=40)],
    hosts: Annotated[list[str], Field(description="On which hosts.")],
    drain: Annotated[bool, Field(description="Wait for open connections first.")] = True,
    labels: Annotated[dict[str, str] | None, Field(description="What it is marked with.")] = None,
    note: str = "routine",
    script: str = "",
) -> str:
    """Scale a service."""
    return service


GIVEN = scale.validate(
    {
        "service": "checkout",
        "where": "staging",
        "replicas": 3,
        "hosts": ["build-1", "build-2"],
        "labels": {"team": "shop"},
        "script": "x" * 4000,
    }
)
CHANGED = {**GIVEN, "where": "prod", "replicas": 5, "hosts": ["build-1", "build-3"], "labels": None}


def proposed(arguments: Json = GIVEN, name: str = "scale") -> Session:
    call = tool_call(tool=name, arguments=arguments)
    asked = ApprovalRequested(**by(), request_id="r2", call_ids=("1.1",))
    return fold(SID, [launched(), responded(call), asked])


def edited(before: Json, after: Json, *, name: str = "scale", decided: bool = False) -> Session:
    """Changed by BOB, for CAROL to approve."""
    old = tool_call(tool=name, arguments=before)
    new = tool_call(tool=name, arguments=after, approvers=Approvers(users=("U3",)))
    asked = ApprovalRequested(**by(), request_id="r2", call_ids=("1.1",))
    change = CallEdited(**by(BOB), call_id="1.1", before=old.digest, call=new)
    approved = ApprovalDecided(**by(CAROL), call_id="1.1", digest=new.digest, verdict="approve", via="user")
    return fold(SID, [launched(), responded(old), asked, change, *([approved] if decided else [])])


def window(session: Session, schema: Json) -> Any:
    form = edit_form(session.call("1.1"), schema, ("ops", "sre"), MASK)
    return json.loads(json.dumps(form.view(session)))


def planned() -> Session:
    plan = plan_call(subtask("look"), subtask("tell", "look"), on_failure="ask")
    return fold(SID, [launched(), responded(plan.model_copy(update={"mode": "ask"}))])


def message(session: Session) -> Any:
    found = next(m for m in thread(session, MASK) if m.key == "ask:r2:0")
    return json.loads(json.dumps([found.text, *found.blocks]))


SCENES: dict[str, Callable[[], Any]] = {
    "edit": lambda: window(proposed(), scale.spec.schema_),
    "edit-plan": lambda: window(planned(), plan_tasks.spec.schema_),
    "changed": lambda: message(edited(GIVEN, CHANGED)),
    "changed-approved": lambda: message(edited(GIVEN, CHANGED, decided=True)),
    "changed-full": lambda: json.loads(
        json.dumps(full_call_modal(s := edited({"a": 1}, {"a": 2}), s.call("1.1"), 0, MASK))
    ),
}


@pytest.mark.parametrize("scene", SCENES)
def test_exactly_these_windows_and_messages(scene: str) -> None:
    assert SCENES[scene]() == json.loads((GOLDEN / f"{scene}.json").read_text(encoding="utf-8"))


def difference(before: Json, after: Json) -> str:
    blocks = change_blocks(edited(before, after).call("1.1"), MASK)
    return str(blocks[1]["elements"][0]["elements"][0]["text"])


@pytest.mark.parametrize(
    ("before", "after", "shown"),
    [
        ({"a": "x", "b": 1}, {"a": "y", "b": 1}, "- a: x\n+ a: y"),
        ({"a": "x"}, {"a": "x", "b": True}, "+ b: true"),
        ({"a": "x", "b": None}, {"a": "x"}, "- b: null"),
        ({"a": ["p", "q"]}, {"a": ["p", "r", "q"]}, '  … 2 lines as before\n      "p"\n+     "r"'),
        ({"a": "x"}, {"a": "x\ny"}, "- a: x\n+ a:\n+     x\n+     y"),
        (
            {"a": "".join(f"{n}\n" for n in range(30))},
            {"a": "".join(f"{n if n not in (3, 20) else 'new'}\n" for n in range(30))},
            "  … 3 lines as before\n      2\n-     3\n+     new\n"
            "  … 15 lines as before\n      19\n-     20\n+     new",
        ),
        (
            {"command": "a" * 300 + "OLD" + "b" * 300},
            {"command": "a" * 300 + "NEW!" + "b" * 300},
            f"- command: …{'a' * 40}OLD{'b' * 40}…\n+ command: …{'a' * 40}NEW!{'b' * 40}…",
        ),
        (
            {"a": "known-0123-abcdefghij"},
            {"a": "known-0123-klmnopqrst"},
            "  a: what changed is masked",
        ),
        ({"a\nb": "x\n+ c: y"}, {"a\nb": "x"}, "- a\\u000ab:\n-     x\n-     + c: y\n+ a\\u000ab: x"),
    ],
)
def test_before_and_after_argument_by_argument(before: Json, after: Json, shown: str) -> None:
    assert difference(before, after) == shown


def test_a_long_difference_is_counted() -> None:
    lines = "".join(f"line {n}\n" for n in range(500))
    _, shown, note = change_blocks(
        edited({"a": lines}, {"a": lines.replace("line", "row")}).call("1.1"), MASK
    )
    assert len(shown["elements"][0]["elements"][0]["text"]) == SHOWN
    assert "more characters of the difference" in str(note)


def test_huge_texts_are_compared_in_linear_time() -> None:
    one = "".join(f"{n % 7}\n" for n in range(200_000))
    other = "".join(f"{n % 5}\n" for n in range(200_000))
    mostly = one.replace("3\n", "x\n", MOST_LINES)
    for after in (other, mostly, one + "\nend", "x" * 10**6):
        assert difference({"a": one}, {"a": after})

        def compare(text: str, of: str = after) -> None:
            assert difference({"a": text}, {"a": f"{of[: len(text)]}end"})

        assert_linear(compare, one)


def test_what_a_plan_proposes_is_compared_subtask_by_subtask() -> None:
    parts = [{"id": name, "persona": "sre", "task": f"Do {name}.", "depends_on": []} for name in "abc"]
    plan = {"subtasks": parts, "on_failure": "ask"}
    after = {"subtasks": [{**parts[0], "task": "Do more."}, parts[2]], "on_failure": "continue"}
    blocks = change_blocks(edited(plan, after, name="plan_tasks").call("1.1"), MASK)
    assert blocks[1]["elements"][0]["elements"][0]["text"].split("\n") == [
        "  a (sre):",
        "-     Do a.",
        "+     Do more.",
        "- b (sre):",
        "-     Do b.",
        "- If one fails, people decide: retry, continue without it, or stop the rest.",
        "+ If one fails, what does not need it continues.",
    ]


if __name__ == "__main__":
    for name, make in SCENES.items():
        text = json.dumps(make(), indent=1, ensure_ascii=False) + "\n"
        (GOLDEN / f"{name}.json").write_text(text, encoding="utf-8")
