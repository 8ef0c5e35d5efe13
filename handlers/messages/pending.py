"""The items of the board: what the sub-agents of a session wait for people to decide, each with its buttons."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from handlers.action_ids import Action, Target
from handlers.blocks.text import Block, button, confirm, escape, link, mrkdwn, plain, shorten
from handlers.messages.approval import policy, room, row
from handlers.messages.headline import WAITING, apart, failures
from handlers.messages.message import FAILURE, Request
from handlers.messages.notices import choices
from handlers.messages.pauses import approval_buttons, spent, ways_on
from handlers.messages.proposal import full_text
from handlers.messages.risk import Risks, risk
from handlers.messages.subagents import Member, Subagents
from supervisor.core.events import Paused
from supervisor.core.records import Child
from supervisor.core.state import Call, Session
from supervisor.core.text.masking import Masker
from supervisor.core.text.visible import one_line

WORDS_SHOWN = 900
ROW_CHARACTERS = 600
# Pauses that only a person ends.
STOPPED = {"error_threshold_exceeded", "budget_exceeded", "context_budget_exceeded"}


@dataclass(frozen=True)
class PendingItem:
    """One row of the board. `path` names the sub-agent, `session_id` its session; `size` is in characters.

    `decides` is what no message of the sub-agent's own thread asks for.
    """

    since: datetime
    path: str
    session_id: str
    brief: str
    blocks: list[Block]
    size: int
    decides: Request | None = None


def pending_items(
    session: Session, mask: Masker, subagents: Subagents, risks: Risks | None = None
) -> list[PendingItem]:
    """Return all approvals, questions, stops and failures that people have to decide on, the oldest first."""
    rows = list(_failures(session, "", mask, subagents))
    for member in subagents.members(session):
        rows += _of_member(member, mask, subagents, risks)
    return sorted(rows, key=lambda item: item.since)


def in_all(waiting: Sequence[PendingItem]) -> str:
    return "1 decision waits" if len(waiting) == 1 else f"{len(waiting)} decisions wait"


def _of_member(
    member: Member, mask: Masker, subagents: Subagents, risks: Risks | None
) -> Iterator[PendingItem]:
    session = member.session
    if session.ended:
        return
    for call in session.calls_in("awaiting"):
        yield _approval(member, call, mask, subagents, risks)
    for call in session.calls_in("asking"):
        yield _question(member, call, mask, subagents)
    if session.pause and (session.approval or session.pause.reason in STOPPED):
        yield _stop(member, session.pause, mask, subagents)
    yield from _failures(session, member.path, mask, subagents)


def _who(path: str, session_id: str, subagents: Subagents) -> str:
    return f"*{link(one_line(path, 90), subagents.card(session_id))}*"


def _approval(
    member: Member, call: Call, mask: Masker, subagents: Subagents, risks: Risks | None
) -> PendingItem:
    session, tool = member.session, one_line(call.call.tool, 80)
    title = f":raised_hand: {_who(member.path, session.id, subagents)} wants to run *{escape(tool)}*"
    title += risk(call, risks)
    brief = f"{member.path}: {tool} {one_line(full_text(call, mask), 60)}"
    blocks = row(session, call, mask, title)
    return PendingItem(
        call.requested_at or session.changed_at, member.path, session.id, brief, blocks, room(call)
    )


def _question(member: Member, call: Call, mask: Masker, subagents: Subagents) -> PendingItem:
    session = member.session
    words = shorten(mask(call.question), WORDS_SHOWN)
    blocks = [
        mrkdwn(f":speech_balloon: {_who(member.path, session.id, subagents)} asks"),
        plain(words),
        choices(session, call, mask),
    ]
    size = len(words) + sum(map(len, call.options)) + ROW_CHARACTERS
    brief = f"{member.path}: {one_line(words, 60)}"
    return PendingItem(call.requested_at or session.changed_at, member.path, session.id, brief, blocks, size)


def _stop(member: Member, pause: Paused, mask: Masker, subagents: Subagents) -> PendingItem:
    session, (mark, words) = member.session, apart(WAITING[pause.reason])
    title = f":{mark}: {_who(member.path, session.id, subagents)} {words[:1].lower()}{words[1:]}"
    why = shorten(mask(pause.detail), WORDS_SHOWN)
    request = session.approval
    buttons = approval_buttons(session, request) if request else ways_on(session)
    actions: Block = {"type": "actions", "block_id": f"stop:{session.id}", "elements": buttons}
    # The usage is more informative than the reason of a used-up budget.
    said = spent(session) or ([plain(why)] if why else [])
    blocks = [mrkdwn(title), *said, *(policy(request) if request else []), actions]
    brief = f"{member.path}: {words}"
    return PendingItem(pause.at, member.path, session.id, brief, blocks, len(why) + ROW_CHARACTERS)


def _failures(parent: Session, above: str, mask: Masker, subagents: Subagents) -> Iterator[PendingItem]:
    for child in failures(parent):
        path = f"{above} › {child.name}" if above else child.name
        words = shorten(mask(child.result), WORDS_SHOWN) or "No output."
        blocks = [
            mrkdwn(f":x: {_who(path, child.id, subagents)} {child.state}. What next?"),
            plain(words),
            _ways_on(parent, child),
        ]
        since = child.finished_at or parent.changed_at
        brief = f"{path} {child.state}: {one_line(words, 60)}"
        size = len(words) + ROW_CHARACTERS
        yield PendingItem(since, path, child.id, brief, blocks, size, Request(parent, FAILURE))


def _ways_on(parent: Session, child: Child) -> Block:
    value = Target.of(parent, extra=child.id).encode()
    sure = confirm(
        "Stop the rest?", "Sub-agents at work are cancelled, and no other one begins.", "Stop the rest"
    )
    elements = [
        button("Retry", Action.CHILD_RETRY, value, style="primary"),
        button("Go on without", Action.CHILD_SKIP, value),
        button("Stop the rest", Action.CHILD_STOP, value, style="danger", confirm=sure),
    ]
    return {"type": "actions", "block_id": f"child:{parent.id}:{child.id}", "elements": elements}
