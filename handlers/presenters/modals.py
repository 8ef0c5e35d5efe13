"""The windows: launching, denying with a reason, answering, the full call page by page."""

from __future__ import annotations

from collections.abc import Sequence

from handlers.ids import Action, Target, View
from handlers.place import Place
from handlers.presenters.message import Mask
from handlers.presenters.proposal import full_text
from handlers.presenters.resuming import raises
from handlers.presenters.text import (
    Block,
    button,
    context,
    escape,
    mrkdwn,
    one_line,
    plain,
    preformatted,
)
from supervisor.core.persona import Persona
from supervisor.core.session import Call, Session

CHARS_A_BLOCK = 2800
BLOCKS_A_PAGE = 10
CHARS_A_PAGE = CHARS_A_BLOCK * BLOCKS_A_PAGE


def _modal(callback: View, title: str, blocks: list[Block], private: str, submit: str | None = None) -> Block:
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
            "text": {"type": "plain_text", "text": p.name[:75]},
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
    blocks.append(context(f"Its card appears {where}; what is risky waits there for approval."))
    return _modal(View.LAUNCH, "Launch an agent", blocks, f"{place.channel}|{place.thread_ts}", "Launch")


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
    return _modal(View.DENY, "Deny this call", blocks, Target.of(session, call).encode(), "Deny")


def answer_form(session: Session, call: Call, mask: Mask) -> Block:
    blocks = [plain(mask(call.question)), _text_input("answer", "Answer", placeholder="your answer")]
    return _modal(View.ANSWER, "Answer", blocks, Target.of(session, call).encode(), "Send")


def outcome_form(session: Session, call: Call, verdict: str) -> Block:
    """What a person found out about a call that was cut off."""
    what = "It was done" if verdict == "done" else "It failed"
    field = _text_input("result", "What did it give?", placeholder="what you saw", optional=True)
    field["hint"] = {"type": "plain_text", "text": "The agent reads it as the result of the call."}
    target = Target.of(session, call, extra=verdict).encode()
    blocks = [mrkdwn(f"*{escape(one_line(call.call.tool, 80))}*: {what.lower()}"), field]
    return _modal(View.OUTCOME, what, blocks, target, "Record")


def resume_form(session: Session) -> Block:
    hint = f"The agent reads it first. {raises(session)}".strip()
    blocks = [_text_input("context", "Message", placeholder="what it should know", hint=hint)]
    return _modal(View.RESUME, "Resume", blocks, Target.of_pause(session).encode(), "Resume")


def full_call(session: Session, call: Call, page: int, mask: Mask) -> Block:
    """Every character of a call, a page at a time."""
    text = mask(full_text(call))
    pages = max(1, -(-len(text) // CHARS_A_PAGE))
    page = min(max(page, 0), pages - 1)
    shown = text[page * CHARS_A_PAGE : (page + 1) * CHARS_A_PAGE]
    blocks: list[Block] = [mrkdwn(f"*{escape(one_line(call.call.tool, 80))}*")]
    blocks += [preformatted(shown[i : i + CHARS_A_BLOCK]) for i in range(0, len(shown), CHARS_A_BLOCK)]
    if pages > 1:
        blocks.append(_pager(session, call, page, pages))
    blocks.append(
        context(f"{len(text):,} characters · page {page + 1} of {pages} · sha256 `{call.call.digest}`")
    )
    return _modal(View.CALL, "The full call", blocks, Target.of(session, call, extra=str(page)).encode())


def _pager(session: Session, call: Call, page: int, pages: int) -> Block:
    steps = [("Previous", page - 1), ("Next", page + 1)]
    elements = [
        button(text, f"{Action.PAGE}:{to}", Target.of(session, call, extra=str(to)).encode())
        for text, to in steps
        if 0 <= to < pages
    ]
    return {"type": "actions", "block_id": "pager", "elements": elements}
