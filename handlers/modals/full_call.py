"""The modal that shows every character of a call, page by page, and at its end asks for the decision."""

from __future__ import annotations

from itertools import groupby

from handlers.action_ids import Action, Target, View
from handlers.blocks.text import Block, button, context, escape, mrkdwn, person, preformatted
from handlers.messages.approval import policy, preview_heading, reason, whose
from handlers.messages.proposal import as_proposed, full_text
from handlers.messages.requests.where import as_whom
from handlers.modals.modal import modal
from supervisor.core.commands.grants import grantable
from supervisor.core.state import Call, Session
from supervisor.core.text.masking import Masker
from supervisor.core.text.visible import one_line, visible

CHARS_A_BLOCK = 2800
BLOCKS_A_PAGE = 10
_CHANGED = (
    ":information_source: This call was changed while you read it. This is how it is now, from its beginning."
)


def full_call_modal(session: Session, call: Call, page: int, mask: Masker, *, changed: bool = False) -> Block:
    """Return one page of the full text of a call; a changed call is followed by its proposed form.

    The last page of a call that waits for an approval has the buttons that decide on it as it is shown. `changed`: it
    was changed while somebody read it, who begins anew.
    """
    pieces = [*_pieces(_as_now(call), call, mask)]
    if call.proposed:
        pieces += _pieces("*As the agent proposed it*", as_proposed(call), mask)
    if call.call.definition:
        pieces += _parted(
            "*What its server says of it*, as the agent reads it", visible(mask(call.call.definition.text))
        )
    if call.preview and call.phase == "awaiting":
        pieces += _parted(preview_heading(call), mask(call.preview))
    pages = max(1, -(-len(pieces) // BLOCKS_A_PAGE))
    page = min(max(page, 0), pages - 1)
    shown = pieces[page * BLOCKS_A_PAGE : (page + 1) * BLOCKS_A_PAGE]
    blocks: list[Block] = [mrkdwn(_CHANGED)] if changed else []
    if page == 0 and call.phase == "awaiting" and not session.ended:
        blocks += [
            context(whose(session)),
            *reason(session, call, mask),
            *policy(call, as_whom(session, call)),
        ]
    for heading, group in groupby(shown, key=lambda piece: piece[0]):
        blocks += [mrkdwn(heading), *(preformatted(text) for _, text in group)]
    if pages > 1:
        blocks.append(_pager(session, call, page, pages))
    total = sum(len(text) for _, text in pieces)
    blocks.append(context(f"{total:,} characters · page {page + 1} of {pages} · sha256 `{call.call.digest}`"))
    target = Target.of(session, call, extra=str(page)).encode()
    if call.phase != "awaiting" or session.ended:
        return modal(View.CALL, "The full call", blocks, target)
    if page + 1 < pages:
        blocks.append(context("The last page has the buttons that approve and deny it."))
        return modal(View.CALL, "The full call", blocks, target)
    value = Target.of(session, call).encode()
    elements = [
        button("Deny", Action.DENY, value, style="danger"),
        button("Edit", Action.EDIT, value),
        button("Respond", Action.RESPOND, value),
        *([button("Allow for a while…", Action.ALLOW, value)] if grantable(call) else []),
    ]
    blocks.append({"type": "actions", "block_id": "decide", "elements": elements})
    return modal(View.CALL, "The full call", blocks, target, "Approve", close="Close")


def refused_modal(sentence: str) -> Block:
    """Return what takes the place of the call where the decision was refused; the sentence is in mrkdwn."""
    return modal(View.CALL, "Not approved", [mrkdwn(sentence)], "")


def _as_now(call: Call) -> str:
    tool = f"*{escape(one_line(call.call.tool, 80))}*"
    return f"{tool} as {person(call.edited_by, call.edited_by_name)} changed it" if call.proposed else tool


def _pieces(heading: str, call: Call, mask: Masker) -> list[tuple[str, str]]:
    """Return the full text in pieces that each fit into a block, with the heading."""
    return _parted(heading, full_text(call, mask))


def _parted(heading: str, text: str) -> list[tuple[str, str]]:
    return [(heading, text[i : i + CHARS_A_BLOCK]) for i in range(0, max(len(text), 1), CHARS_A_BLOCK)]


def _pager(session: Session, call: Call, page: int, pages: int) -> Block:
    steps = [("Previous", page - 1), ("Next", page + 1)]
    elements = [
        button(text, f"{Action.PAGE}:{to}", Target.of(session, call, extra=str(to)).encode())
        for text, to in steps
        if 0 <= to < pages
    ]
    return {"type": "actions", "block_id": "pager", "elements": elements}
