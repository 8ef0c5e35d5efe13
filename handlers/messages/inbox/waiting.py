"""The direct message that lists what waits for one person, and which of their sessions have ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from handlers.blocks.text import Block, context, escape, link, mrkdwn
from handlers.messages.headline import headline
from handlers.messages.home import Need, need_blocks
from handlers.messages.message import Message
from handlers.messages.risk import Risks
from supervisor.core.state import Session
from supervisor.core.text.format import count
from supervisor.core.text.masking import Masker
from supervisor.core.text.visible import one_line

# A message has at most 50 blocks; a request takes up to eight of them.
NEEDS_SHOWN, ENDED_SHOWN = 5, 4
# In the mark of the message, in place of a session.
MARK = "waiting"


def waiting_message(
    needs: Sequence[Need],
    ended: Sequence[Session],
    addresses: Mapping[str, str],
    mask: Masker,
    slash: str,
    risks: Risks | None = None,
) -> Message:
    """Return the message; `needs` are the open requests, `ended` sessions of the person, `addresses` their cards."""
    title = waiting_title(needs) if needs else "Nothing waits for you."
    mark = "raised_hand" if needs else "heavy_check_mark"
    blocks: list[Block] = [mrkdwn(f":{mark}: *{title}*")]
    for need in needs[:NEEDS_SHOWN]:
        blocks += [{"type": "divider"}, *need_blocks(need, mask, addresses, risks)]
    if len(needs) > NEEDS_SHOWN:
        blocks.append(context(f"and {len(needs) - NEEDS_SHOWN:,} more on the Home tab"))
    if ended:
        blocks += [
            {"type": "divider"},
            *(context(_ended(one, mask, addresses)) for one in ended[:ENDED_SHOWN]),
        ]
    blocks.append(context(f"This message is kept current · `{slash} notify` changes how you are told"))
    tasks = list(dict.fromkeys(one_line(mask(need.session.task), 60) for need in needs[:3]))
    text = title + (f" ({', '.join(tasks)})" if tasks else "")
    if not needs and ended:
        text = f"{headline(ended[0], mask, limit=60)}: {one_line(mask(ended[0].task), 80)}"
    return Message(MARK, escape(text), tuple(blocks))


def waiting_title(needs: Sequence[Need]) -> str:
    """Return how much waits, such as `3 approvals wait for you`."""
    approvals = sum(need.kind == "approval" for need in needs)
    what = count(len(needs), "approval") if approvals == len(needs) else count(len(needs), "request")
    return f"{what} {'waits' if len(needs) == 1 else 'wait'} for you"


def _ended(session: Session, mask: Masker, addresses: Mapping[str, str]) -> str:
    task = one_line(mask(session.task), 100)
    return f"{headline(session, mask, limit=60)} · {link(task, addresses.get(session.id, ''))}"
