"""The board in a coordinator's thread: all that its sub-agents ask people to decide, in one message."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from handlers.blocks.text import Block, context, doer, escape, link, moment, mrkdwn, person
from handlers.messages.approval import ROWS_A_MESSAGE, SHOWN_A_MESSAGE
from handlers.messages.message import Message
from handlers.messages.pending import PendingItem, in_all
from handlers.messages.subagents import Member, Subagents
from supervisor.core.state import Session
from supervisor.core.text.visible import one_line

NAMES_SHOWN = 10
DECISIONS_SHOWN = 3
_VERDICTS = {"retry": "retried", "skip": "left out", "stop": "the rest stopped"}


def board(session: Session, waiting: Sequence[PendingItem], subagents: Subagents) -> Iterator[Message]:
    """Yield the board of a root session; none where its sub-agents have not asked yet, and none for sub-agents."""
    if session.lineage is not None:
        return
    decided = sorted(_decisions(session, subagents), key=lambda line: line[0], reverse=True)
    if not waiting and not decided:
        return
    blocks = _rows(waiting, subagents)
    if decided:
        blocks.append(context("\n".join(words for _, words in decided[:DECISIONS_SHOWN])))
    # Everything else is asked of those who may decide on it by the sub-agent's own thread.
    failed = [item for item in waiting if item.decides]
    yield Message(
        "board",
        escape(_text(waiting)),
        tuple(blocks),
        urgent=False,
        decides=tuple(item.decides for item in failed if item.decides),
        excerpt=Message("board", escape(_text(failed)), tuple(_rows(failed, subagents))),
    )


def _rows(waiting: Sequence[PendingItem], subagents: Subagents) -> list[Block]:
    shown = _fit(waiting)
    blocks: list[Block] = [mrkdwn(_headline(waiting))]
    for item in shown:
        blocks += [{"type": "divider"}, *item.blocks]
    if len(waiting) > len(shown):
        blocks += [{"type": "divider"}, context(_rest(waiting[len(shown) :], subagents))]
    return blocks


def _headline(waiting: Sequence[PendingItem]) -> str:
    if not waiting:
        return ":white_check_mark: *Nothing waits for a decision.*"
    return f":raised_hand: *{in_all(waiting)}*" + (" · oldest first" if len(waiting) > 1 else "")


def _text(waiting: Sequence[PendingItem]) -> str:
    if not waiting:
        return "Nothing waits for a decision."
    return f"{in_all(waiting)}: {'; '.join(one_line(item.brief, 160) for item in waiting[:ROWS_A_MESSAGE])}"


def _fit(waiting: Sequence[PendingItem]) -> Sequence[PendingItem]:
    size = 0
    for count, item in enumerate(waiting):
        size += item.size
        if count == ROWS_A_MESSAGE or (count and size > SHOWN_A_MESSAGE):
            return waiting[:count]
    return waiting


def _rest(left: Sequence[PendingItem], subagents: Subagents) -> str:
    """Return a line with links to the sessions of the items that have no room on the board."""
    cards = {item.session_id: link(one_line(item.path, 60), subagents.card(item.session_id)) for item in left}
    names = list(cards.values())
    more = f" and {len(names) - NAMES_SHOWN} others" if len(names) > NAMES_SHOWN else ""
    return f":arrow_down: {len(left)} more, from {', '.join(names[:NAMES_SHOWN])}{more}"


def _decisions(session: Session, subagents: Subagents) -> Iterator[tuple[datetime, str]]:
    """Yield the decisions so far as text, each with its time."""
    yield from _verdicts(session, subagents)
    for member in subagents.members(session):
        yield from _verdicts(member.session, subagents)
        yield from _of_member(member, subagents)


def _of_member(member: Member, subagents: Subagents) -> Iterator[tuple[datetime, str]]:
    who = link(one_line(member.path, 60), subagents.card(member.session.id))
    for call in (c for step in member.session.steps for c in step.calls):
        if call.decisions and call.phase != "awaiting":
            last = call.decisions[-1]
            mark = ":no_entry: denied" if last.verdict == "deny" else ":white_check_mark: approved"
            by = f"{doer(last)} at {moment(last.at)}"
            yield last.at, f"{who} {escape(one_line(call.call.tool, 40))} {mark} by {by}"
        elif call.question and call.finished_at:
            by = f"{person(call.answered_by)} at {moment(call.finished_at)}"
            yield call.finished_at, f"{who} :speech_balloon: answered by {by}"


def _verdicts(parent: Session, subagents: Subagents) -> Iterator[tuple[datetime, str]]:
    for child in parent.children:
        if child.verdict and child.decided_at:
            who = link(one_line(child.name, 60), subagents.card(child.id))
            by = f"{person(child.decided_by, child.decided_by_name)} at {moment(child.decided_at)}"
            yield child.decided_at, f"{who} :x: {_VERDICTS[child.verdict]} by {by}"
