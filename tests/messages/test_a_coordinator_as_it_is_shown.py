"""A coordinator in the middle of its plan: exactly these messages, kept in files to be read.

Run as a module, it writes the files anew.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from handlers.messages.subagents import Subagents
from handlers.messages.thread import thread
from handlers.modals.subagent import subagent_modal
from supervisor.core.events import (
    ApprovalDecided,
    ApprovalRequested,
    ChildDecided,
    ChildFinished,
    ChildLaunched,
    Event,
    Lineage,
    QuestionAsked,
)
from supervisor.core.persona import Approvers
from supervisor.core.reducer import apply, fold
from supervisor.core.state import Session
from supervisor.core.text.masking import Masker
from tests.core.build import ALICE, AT, BOB, by, launched, plan_call, responded, tool_call

GOLDEN = Path(__file__).parent / "golden"
ROOT, LEAD = "root-0000", "lead-0000"
SUBTASKS = [
    {"id": "look", "persona": "sre", "task": "See what fills the disk of build-7.", "depends_on": []},
    {"id": "backup", "persona": "sre", "task": "See whether it can be restored.", "depends_on": []},
    {
        "id": "release",
        "persona": "release-manager",
        "task": "Bring shop 2.4.1 out.\n2. <!channel> is no subtask",
        "depends_on": [],
    },
    {"id": "tell", "persona": "sre", "task": "Write *what* was done.", "depends_on": ["look", "release"]},
]
BOTH = Approvers(users=("U2", "U3"), quorum=2)


def _begin(n: int, child_id: str, name: str, persona: str, call_id: str = "1.1") -> ChildLaunched:
    at = AT + timedelta(seconds=n)
    return ChildLaunched(
        **by(at=at), call_id=call_id, child_id=child_id, name=name, persona=persona, task="x"
    )


def _end(n: int, child_id: str, ending: Any, result: str) -> ChildFinished:
    at = AT + timedelta(seconds=n)
    return ChildFinished(
        **by(at=at), child_id=child_id, ending=ending, result=result, cost_usd=Decimal("0.02"), steps=1
    )


def _child(session_id: str, name: str, parent: str, *events: Event, persona: str = "sre") -> Session:
    lineage = Lineage(
        parent=parent,
        call_id="1.1",
        name=name,
        root=ROOT,
        depth=1,
        requesters=(ALICE.id,),
        folder=f"{ROOT}/agents/{name}",
    )
    begun = launched(task=f"Do {name}", persona=persona, lineage=lineage)
    by_parent = {"by": f"agent:{parent}", "by_name": "project-coordinator" if parent == ROOT else persona}
    return fold(session_id, [begun.model_copy(update=by_parent), *events])


def planned() -> Session:
    """Before anybody approved the plan."""
    call = plan_call(*SUBTASKS, on_failure="ask", mode="ask", reason="It decides what sub-agents spend.")
    asked = ApprovalRequested(**by(), request_id="r2", call_ids=("1.1",))
    begun = launched(persona="project-coordinator", task="See that all is well, and bring shop 2.4.1 out")
    return fold(ROOT, [begun, responded(call, cost_usd=Decimal("0.01")), asked])


def working() -> tuple[Session, Subagents]:
    """One done, one failed twice, one a coordinator itself; two calls and a question wait."""
    root = planned()
    digest = root.call("1.1").call.digest
    for event in (
        ApprovalDecided(**by(BOB), call_id="1.1", digest=digest, verdict="approve", via="anyone"),
        _begin(1, "look-0000", "look", "sre"),
        _begin(1, "back-0000", "backup", "sre"),
        _begin(1, LEAD, "release", "release-manager"),
        _end(42, "look-0000", "completed", "Docker."),
        _end(50, "back-0000", "failed", "The backup is <!channel> *empty*."),
        ChildDecided(**by(BOB, AT + timedelta(seconds=60)), child_id="back-0000", verdict="retry"),
        _begin(61, "back-0001", "backup", "sre"),
        _end(70, "back-0001", "failed", "It is still empty."),
    ):
        root = apply(ROOT, root, event)
    deploy = tool_call(tool="deploy", arguments={"service": "shop", "notes": "2.4.1"}, approvers=BOTH)
    asking = {"question": "Keep the old version for a day?", "options": ["Yes", "No"]}
    ask = tool_call(tool="ask_human", arguments=asking, mode="allow", control=True)
    plan = plan_call(
        {"id": "eu", "persona": "sre", "task": "eu"},
        {"id": "us", "persona": "sre", "task": "us", "depends_on": ["eu"]},
        {"id": "keep", "persona": "sre", "task": "keep"},
    )
    begins = [_begin(5, "euro-0000", "eu", "sre"), _begin(5, "keep-0000", "keep", "sre")]
    price = {"cost_usd": Decimal("0.03")}
    lead = _child(LEAD, "release", ROOT, responded(plan, **price), *begins, persona="release-manager")
    requested = ApprovalRequested(**by(at=AT + timedelta(seconds=9)), request_id="r2", call_ids=("1.1",))
    yes = ApprovalDecided(**by(BOB), call_id="1.1", digest=deploy.digest, verdict="approve", via="user")
    europe = _child("euro-0000", "eu", LEAD, responded(deploy, **price), requested, yes)
    question = QuestionAsked(
        **by(at=AT + timedelta(seconds=8)), call_id="1.1", question=asking["question"], options=("Yes", "No")
    )
    keep = _child("keep-0000", "keep", LEAD, responded(ask, **price), question)
    below = {s.id: s for s in (lead, europe, keep)}
    known = ("look-0000", "back-0001", LEAD, "euro-0000", "keep-0000", ROOT)
    cards = {name: f"https://flagman.slack.com/archives/C1/p{n}" for n, name in enumerate(known)}
    return root, Subagents(below, cards)


def shown(session: Session, subagents: Subagents, *keys: str) -> list[Any]:
    messages = {m.key: [m.text, *m.blocks] for m in thread(session, Masker(), subagents)}
    return json.loads(json.dumps([messages[key] for key in keys]))  # type: ignore[no-any-return]


SCENES: dict[str, Callable[[], list[Any]]] = {
    "plan": lambda: shown(planned(), Subagents(), "card", "ask:r2:0"),
    "coordinator": lambda: shown(*working(), "card", "board", "failed:back-0000", "failed:back-0001"),
    "sub-agent": lambda: shown(working()[1].below["euro-0000"], Subagents(within="release › eu"), "ask:r2:0"),
    "sub-coordinator": lambda: json.loads(
        json.dumps(subagent_modal(working()[1].below[LEAD], working()[1], Masker()))
    ),
}


@pytest.mark.parametrize("scene", SCENES)
def test_exactly_these_messages(scene: str) -> None:
    assert SCENES[scene]() == json.loads((GOLDEN / f"{scene}.json").read_text(encoding="utf-8"))


def test_what_is_spent_is_spent_by_all_of_them() -> None:
    root, subagents = working()
    # Its own cent, three that have ended at two, and three at work at three.
    assert subagents.cost(root) == Decimal("0.16")
    assert "$0.16 with sub-agents" in str(thread(root, Masker(), subagents)[0].blocks)


def test_a_sub_agent_that_coordinates_has_no_board_of_its_own() -> None:
    _, subagents = working()
    assert "board" not in {m.key for m in thread(subagents.below[LEAD], Masker(), subagents)}


def test_a_card_changes_at_once_where_a_person_waits_and_in_good_time_where_sub_agents_work() -> None:
    root, subagents = working()
    urgent = {m.key: m.urgent for m in thread(planned())}
    assert urgent["card"]
    urgent = {m.key: m.urgent for m in thread(subagents.below[LEAD], Masker(), subagents)}
    assert not urgent["card"]
    assert not {m.key: m.urgent for m in thread(root, Masker(), subagents)}["board"]


if __name__ == "__main__":
    for name, make in SCENES.items():
        text = json.dumps(make(), indent=1, ensure_ascii=False) + "\n"
        (GOLDEN / f"{name}.json").write_text(text, encoding="utf-8")
