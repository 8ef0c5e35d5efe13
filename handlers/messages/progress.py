"""The status of a session's sub-agents, one line each, for its card and its board."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from itertools import groupby

from handlers.blocks.text import Block
from handlers.messages.headline import failures, state
from handlers.messages.subagents import Subagents
from supervisor.core.delegation import DELEGATING, SubtaskStatus, subtask_statuses
from supervisor.core.records import Child
from supervisor.core.state import Call, Session
from supervisor.core.text.format import span
from supervisor.core.text.masking import Masker
from supervisor.core.text.visible import one_line

LINES_SHOWN = 8
DEEPEST_SHOWN = 4
# The ranks by which lines are chosen where there is no room for all: needs people, works, waits, has ended.
_NEEDS, _WORKS, _OPEN, _OVER = range(4)
_ENDED = {"completed": "white_check_mark", "failed": "x", "cancelled": "no_entry_sign"}
_GIVEN_UP = "heavy_minus_sign"
_FOR_PEOPLE = {
    "human_approval_required",
    "human_input_required",
    "outcome_unknown",
    "connection_required",
    "error_threshold_exceeded",
    "context_budget_exceeded",
    "budget_exceeded",
}


@dataclass(frozen=True)
class Stand:
    """The state of one subtask: `kind` for counting, `words` for its line, `mark` is the name of an emoji."""

    rank: int
    kind: str
    mark: str
    words: str


@dataclass(frozen=True)
class Line:
    """One subtask; `session_id` is empty before it has begun, `address` is that of what it asks."""

    depth: int
    name: str
    persona: str
    session_id: str
    address: str
    stand: Stand
    rank: int


def progress(session: Session, mask: Masker, subagents: Subagents) -> list[Block]:
    """Return a heading with the number of completed subtasks, and a list; lines beyond `LINES_SHOWN` are counted."""
    stands = [standing for call in delegations(session) for standing in subtask_statuses(session, call)]
    if not stands:
        return []
    shown, left = fit(list(lines(session, mask, subagents)), LINES_SHOWN)
    elements: list[Block] = [_heading(stands)]
    for depth, group in groupby(shown, key=lambda line: line.depth):
        items = [_item(line) for line in group]
        elements.append({"type": "rich_text_list", "style": "bullet", "indent": depth, "elements": items})
    if left:
        elements.append(_section(_text(count_left(left), italic=True)))
    return [{"type": "rich_text", "elements": elements}]


def count_left(left: Collection[Line]) -> str:
    kinds = Counter(line.stand.kind for line in left)
    if len(kinds) == 1:
        return f"{len(left)} more {next(iter(kinds))}"
    return f"{len(left)} more: {', '.join(f'{count} {kind}' for kind, count in kinds.items())}"


def delegations(session: Session) -> list[Call]:
    """Return the calls that have launched sub-agents or are about to."""
    known = {child.call_id for child in session.children} | {skip.call_id for skip in session.skips}
    calls = (c for step in session.steps for c in step.calls if c.call.tool in DELEGATING)
    return [c for c in calls if c.phase in ("open", "delegating") or c.call_id in known]


def _heading(stands: Collection[SubtaskStatus]) -> Block:
    return _section(_text("Sub-agents", bold=True), _text(f"  {done(stands)}"))


def done(stands: Collection[SubtaskStatus]) -> str:
    """Return how many subtasks are done, and how many came to another end."""
    states = Counter(standing.state for standing in stands)
    words = [f"{states['completed']}/{len(stands)} done"]
    words += [f"{states[state]} {state}" for state in ("failed", "cancelled", "skipped") if states[state]]
    return ", ".join(words)


def lines(session: Session, mask: Masker, subagents: Subagents, depth: int = 0) -> Iterator[Line]:
    """Yield the lines of the subtasks, each before those of its sub-agents and with the most urgent of their ranks."""
    for call in delegations(session):
        stands = subtask_statuses(session, call)
        finished = {standing.subtask.id for standing in stands if standing.state == "completed"}
        for standing in stands:
            child = standing.child
            found = subagents.below.get(child.id) if child else None
            stand = _stand(session, standing, found, finished, mask)
            line = Line(
                depth=depth,
                name=one_line(standing.subtask.id, 40) or "–",
                persona=one_line(standing.subtask.persona, 40),
                session_id=child.id if child else "",
                address=subagents.address(child.id) if child else "",
                stand=stand,
                rank=stand.rank,
            )
            below = list(lines(found, mask, subagents, depth + 1)) if found and depth < DEEPEST_SHOWN else []
            yield replace(line, rank=min(part.rank for part in (line, *below)))
            yield from below


def _stand(
    session: Session, standing: SubtaskStatus, found: Session | None, finished: Collection[str], mask: Masker
) -> Stand:
    child = standing.child
    if standing.state in ("waiting", "ready"):
        if session.ended:
            return Stand(_OVER, "not begun", _GIVEN_UP, "not begun")
        needed = ", ".join(name for name in standing.subtask.depends_on if name not in finished)
        words = f"after {one_line(needed, 90)}" if needed else "starts again" if child else "starts next"
        return Stand(_OPEN, "waiting", "white_circle", words)
    if standing.state == "skipped" or child is None:
        return Stand(_OVER, "skipped", _GIVEN_UP, f"skipped: {one_line(mask(standing.note), 90)}")
    if standing.state == "running":
        return _at_work(found, mask)
    return _over(child, child in failures(session), mask)


def _at_work(found: Session | None, mask: Masker) -> Stand:
    if found is None:
        return Stand(_WORKS, "running", "hourglass_flowing_sand", "running")
    mark, words = state(found, mask, limit=90)
    words = words[:1].lower() + words[1:]
    if found.ended:
        return Stand(_OVER, found.lifecycle, mark, words)
    if failures(found) or found.waiting_for in _FOR_PEOPLE:
        return Stand(_NEEDS, "waiting for people", mark, words)
    if found.waiting_for == "children_running":
        # The sub-agents have their own lines below.
        words = "waiting for its sub-agents"
    return Stand(_WORKS, "paused" if found.pause else "running", mark, words)


def _over(child: Child, undecided: bool, mask: Masker) -> Stand:
    if child.state == "completed":
        words = f"done in {_took(child)}"
    else:
        why = one_line(mask(child.result), 90) if child.state == "failed" else ""
        words = f"{child.state}: {why}" if why else child.state
    if undecided:
        return Stand(_NEEDS, child.state, _ENDED[child.state], f"needs a decision · {words}")
    return Stand(_OVER, child.state, _ENDED[child.state], words)


def _took(child: Child) -> str:
    return span((child.finished_at or child.at) - child.at)


def fit(found: list[Line], most: int) -> tuple[list[Line], list[Line]]:
    """Return the lines to show, in their order, and the lines to count."""
    places = sorted(range(len(found)), key=lambda place: (found[place].rank, place))
    shown = set(places[:most])
    return [found[place] for place in sorted(shown)], [found[place] for place in places[most:]]


def _item(line: Line) -> Block:
    name = _text(line.name, bold=True)
    if line.address:
        name = {"type": "link", "url": line.address, "text": line.name, "style": {"bold": True}}
    who = f"{line.persona} · " if line.persona != line.name else ""
    return _section(
        {"type": "emoji", "name": line.stand.mark}, _text(" "), name, _text(f"  {who}{line.stand.words}")
    )


def _section(*elements: Block) -> Block:
    return {"type": "rich_text_section", "elements": list(elements)}


def _text(text: str, **style: bool) -> Block:
    element: Block = {"type": "text", "text": text}
    return {**element, "style": style} if style else element
