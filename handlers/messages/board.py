"""The board in a coordinator's thread: all its sub-agents in one message, with what each does or waits for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from handlers.action_ids import Action, Target
from handlers.blocks.text import Block, button, context, escape, link, mrkdwn
from handlers.messages.message import Message
from handlers.messages.pending import PendingItem, in_all
from handlers.messages.progress import Line, count_left, delegations, done, fit, lines
from handlers.messages.subagents import Subagents
from supervisor.core.delegation import subtask_statuses
from supervisor.core.state import Session
from supervisor.core.text.masking import Masker
from supervisor.core.text.visible import one_line

# A message has at most 50 blocks and about 13,000 characters.
ROWS_SHOWN = 30
BRIEFS_SHOWN = 5


def board(
    session: Session, waiting: Sequence[PendingItem], subagents: Subagents, mask: Masker
) -> Iterator[Message]:
    """Yield the board of a root session with sub-agents; none for sub-agents, which are on the board of their root."""
    stands = [standing for call in delegations(session) for standing in subtask_statuses(session, call)]
    if session.lineage is not None or not any(standing.child for standing in stands):
        return
    shown, left = fit(list(lines(session, mask, subagents)), ROWS_SHOWN)
    briefs = {item.session_id: item.brief for item in reversed(waiting)}
    asked = Counter(item.session_id for item in waiting)
    briefs |= {key: f"{briefs[key]} and {number - 1} more" for key, number in asked.items() if number > 1}
    says = f" · :raised_hand: {in_all(waiting)}" if waiting else ""
    blocks: list[Block] = [mrkdwn(f":busts_in_silhouette: *Sub-agents* · {done(stands)}{says}")]
    blocks += [_row(line, briefs) for line in shown]
    if left:
        blocks.append(context(count_left(left)))
    if not session.ended:
        blocks.append(
            context(
                "A reply is for the coordinator; begin it with a name, as in `name: words`, for one of them."
            )
        )
    yield Message(
        "board", escape(_text(stands_done=done(stands), waiting=waiting)), tuple(blocks), urgent=False
    )


def _row(line: Line, briefs: Mapping[str, str]) -> Block:
    who = f"*{link(line.name, line.address)}*"
    persona = f" · {escape(line.persona)}" if line.persona != line.name else ""
    words = briefs.get(line.session_id) or line.stand.words
    row = mrkdwn(f"{'↳ ' * line.depth}:{line.stand.mark}: {who}{persona} · {escape(one_line(words, 140))}")
    if line.session_id:
        row["accessory"] = button("Open", Action.CHILD_LOOK, Target(line.session_id).encode())
    return row


def _text(stands_done: str, waiting: Sequence[PendingItem]) -> str:
    if not waiting:
        return f"Sub-agents: {stands_done}"
    briefs = "; ".join(f"{item.path}: {item.brief}" for item in waiting[:BRIEFS_SHOWN])
    return f"{in_all(waiting)}: {one_line(briefs, 800)}"
