"""The windows: launching, denying with a reason, answering, the full call page by page."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from handlers.action_ids import Action, Target, View
from handlers.blocks.text import Block, button, context, escape, mrkdwn, person, plain, preformatted
from handlers.messages.message import Mask
from handlers.messages.pauses import raises
from handlers.messages.proposal import as_proposed, full_text
from handlers.origin import Place
from supervisor.core.persona import Persona
from supervisor.core.state import Call, Session
from supervisor.core.text.visible import one_line

CHARS_A_BLOCK = 2800
BLOCKS_A_PAGE = 10


def modal(callback: View, title: str, blocks: list[Block], private: str, submit: str | None = None) -> Block:
    """A window; with a button to submit where that has a name."""
    view: Block = {
        "type": "modal",
        "callback_id": callback.value,
        "title": {"type": "plain_text", "text": title},
        "close": {"type": "plain_text", "text": "Cancel" if submit else "Close"},
        "private_metadata": private,
        "blocks": blocks,
    }
    if submit:
        view["submit"] = {"type": "plain_text", "text": submit}
    return view


def _text_input(
    block_id: str,
    label: str,
    *,
    placeholder: str,
    optional: bool = False,
    multiline: bool = True,
    hint: str = "",
) -> Block:
    block: Block = {
        "type": "input",
        "block_id": block_id,
        "label": {"type": "plain_text", "text": label},
        "optional": optional,
        "element": {
            "type": "plain_text_input",
            "action_id": "value",
            "multiline": multiline,
            "max_length": 3000,
            "focus_on_load": True,
            "placeholder": {"type": "plain_text", "text": placeholder},
        },
    }
    if hint:
        block["hint"] = {"type": "plain_text", "text": hint}
    return block


def launch_form(personas: Sequence[Persona], place: Place) -> Block:
    """Choose a persona, write a task."""
    options = [
        {
            "text": {"type": "plain_text", "text": one_line(p.name, 75)},
            "description": {"type": "plain_text", "text": one_line(p.description, 75)},
            "value": p.name,
        }
        for p in personas[:100]
    ]
    select: Block = {
        "type": "input",
        "block_id": "persona",
        "label": {"type": "plain_text", "text": "Persona"},
        "element": {
            "type": "static_select",
            "action_id": "value",
            "options": options,
            "initial_option": options[0],
        },
    }
    blocks = [select, _text_input("task", "Task", placeholder="check the disk of the build host")]
    where = f"in {place.shown}" if place.shown else "in your direct messages with Flagman"
    blocks.append(context(f"Posts {where}. Risky actions wait there for approval."))
    return modal(View.LAUNCH, "Launch an agent", blocks, f"{place.channel}|{place.thread_ts}", "Launch")


def deny_form(session: Session, call: Call, mask: Mask) -> Block:
    shown = full_text(call)
    blocks = [
        mrkdwn(f"Deny *{escape(one_line(call.call.tool, 80))}*? It will not run."),
        preformatted(one_line(mask(shown), 300)),
        _text_input(
            "reason",
            "Reason",
            placeholder="use the staging host first",
            optional=True,
            hint="The agent reads it.",
        ),
    ]
    return modal(View.DENY, "Deny this call", blocks, Target.of(session, call).encode(), "Deny")


def saved(call: Call) -> Block:
    """After a change that its author may not approve."""
    tool = escape(one_line(call.call.tool, 80))
    words = f":white_check_mark: *{tool}* is changed. As it is now, others have to approve it; the thread says who."
    return modal(View.CALL, "Saved", [mrkdwn(words)], "")


def answer_form(session: Session, call: Call, mask: Mask) -> Block:
    blocks = [plain(mask(call.question)), _text_input("answer", "Answer", placeholder="your answer")]
    return modal(View.ANSWER, "Answer", blocks, Target.of(session, call).encode(), "Send")


def outcome_form(session: Session, call: Call, verdict: str) -> Block:
    """What a person found out about a call that was cut off."""
    what = "It was done" if verdict == "done" else "It failed"
    field = _text_input("result", "Output", placeholder="what you saw", optional=True)
    field["hint"] = {"type": "plain_text", "text": "The agent reads it as the result of the call."}
    target = Target.of(session, call, extra=verdict).encode()
    blocks = [mrkdwn(f"*{escape(one_line(call.call.tool, 80))}*: {what.lower()}"), field]
    return modal(View.OUTCOME, what, blocks, target, "Record")


def resume_form(session: Session) -> Block:
    hint = f"The agent reads it first. {raises(session)}".strip()
    blocks = [_text_input("context", "Message", placeholder="what it should know", hint=hint)]
    return modal(View.RESUME, "Resume", blocks, Target.of_pause(session).encode(), "Resume")


def full_call(session: Session, call: Call, page: int, mask: Mask) -> Block:
    """Every character of a call, a page at a time; of one that was changed also as the agent proposed it."""
    pieces = [*_pieces(_as_now(call), call, mask)]
    if call.proposed:
        pieces += _pieces("*As the agent proposed it*", as_proposed(call), mask)
    pages = max(1, -(-len(pieces) // BLOCKS_A_PAGE))
    page = min(max(page, 0), pages - 1)
    shown = pieces[page * BLOCKS_A_PAGE : (page + 1) * BLOCKS_A_PAGE]
    blocks: list[Block] = []
    for heading, group in groupby(shown, key=lambda piece: piece[0]):
        blocks += [mrkdwn(heading), *(preformatted(text) for _, text in group)]
    if pages > 1:
        blocks.append(_pager(session, call, page, pages))
    total = sum(len(text) for _, text in pieces)
    blocks.append(context(f"{total:,} characters · page {page + 1} of {pages} · sha256 `{call.call.digest}`"))
    return modal(View.CALL, "The full call", blocks, Target.of(session, call, extra=str(page)).encode())


def _as_now(call: Call) -> str:
    tool = f"*{escape(one_line(call.call.tool, 80))}*"
    return f"{tool} as {person(call.edited_by, call.edited_by_name)} changed it" if call.proposed else tool


def _pieces(heading: str, call: Call, mask: Mask) -> list[tuple[str, str]]:
    """The whole text in pieces of a block each, under its heading."""
    text = mask(full_text(call))
    return [(heading, text[i : i + CHARS_A_BLOCK]) for i in range(0, max(len(text), 1), CHARS_A_BLOCK)]


def _pager(session: Session, call: Call, page: int, pages: int) -> Block:
    steps = [("Previous", page - 1), ("Next", page + 1)]
    elements = [
        button(text, f"{Action.PAGE}:{to}", Target.of(session, call, extra=str(to)).encode())
        for text, to in steps
        if 0 <= to < pages
    ]
    return {"type": "actions", "block_id": "pager", "elements": elements}
