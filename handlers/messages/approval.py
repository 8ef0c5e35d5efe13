"""The approval message: each call in full with its buttons, or with the decision."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from handlers.action_ids import Action, Target
from handlers.blocks.markdown import in_words, rich_text
from handlers.blocks.text import (
    Block,
    button,
    context,
    doer,
    escape,
    inline_code,
    moment,
    mrkdwn,
    overflow,
    person,
    preformatted,
    shorten,
)
from handlers.messages.diff import SHOWN as DIFFERENCE_SHOWN
from handlers.messages.diff import change_blocks
from handlers.messages.granted import made_with
from handlers.messages.message import APPROVAL, MOST_BLOCKS, Message, Request
from handlers.messages.pauses import option
from handlers.messages.proposal import full_text, length, proposal
from handlers.messages.reminders import approvers, snooze_notes, snooze_options
from handlers.messages.requests.for_all import for_all
from handlers.messages.requests.where import Where, runs
from handlers.messages.risk import Risks, risk
from supervisor.core.commands.grants import grantable
from supervisor.core.policy import VERDICT_WORDS
from supervisor.core.rights import awaited_connection
from supervisor.core.state import Call, Session, Step
from supervisor.core.text.format import count, took
from supervisor.core.text.masking import Masker
from supervisor.core.text.requests import request_notes
from supervisor.core.text.visible import one_line

SHOWN_A_MESSAGE = 7500
ROWS_A_MESSAGE = 7
OUTPUT_SHOWN = 600
REASON_SHOWN = 300
# From so many calls in a message on their rows are compact.
MANY = 4
# Blocks for the buttons at the end, and for notes on where else a request stands.
SPARE_BLOCKS = 6
DETAILS = "View details"


def approvals(
    session: Session, mask: Masker, risks: Risks | None = None, where: Where | None = None
) -> Iterator[Message]:
    """Yield one message for each request; a request with many or long calls has several."""
    for step in session.steps:
        asked = [c for c in step.calls if c.request_id]
        for request_id, group in groupby(asked, key=lambda c: c.request_id):
            calls = list(group)
            for part, rows in enumerate(_parts(calls, mask)):
                yield _message(session, step, f"ask:{request_id}:{part}", rows, calls, mask, risks, where)


def _parts(calls: list[Call], mask: Masker) -> Iterator[list[Call]]:
    part: list[Call] = []
    size = 0
    for call in calls:
        if part and (len(part) == ROWS_A_MESSAGE or size + room(call) > SHOWN_A_MESSAGE):
            yield part
            part, size = [], 0
        part.append(call)
        size += room(call)
    if part:
        yield part


# What became of a call that did not run, by its phase, and the emoji of each word.
_ENDED_WORDS = {"denied": "denied", "answered": "answered", "expired": "expired", "superseded": "withdrawn"}
ENDED_MARKS = {
    "approved": "white_check_mark",
    "denied": "no_entry",
    "answered": "speech_balloon",
    "expired": "hourglass",
    "withdrawn": "leftwards_arrow_with_hook",
}


def room(call: Call) -> int:
    """Return the approximate number of characters in the row of a call."""
    preview = min(len(call.preview), OUTPUT_SHOWN)
    return length(call) + OUTPUT_SHOWN + preview + (DIFFERENCE_SHOWN if call.proposed else 0)


def _message(
    session: Session,
    step: Step,
    key: str,
    calls: list[Call],
    all_calls: list[Call],
    mask: Masker,
    risks: Risks | None,
    where: Where | None,
) -> Message:
    open_ = [] if session.ended else [c for c in calls if c.phase == "awaiting"]
    blocks: list[Block] = [mrkdwn(_headline(session, calls, open_)), context(whose(session))]
    if calls[0] is all_calls[0] and step.text:
        blocks += [context("*Agent's reason*"), *rich_text(mask(step.text), limit=1000)[:2]]
    # The first message of a request decides on all of it, if it takes several.
    all_open = [] if session.ended else [c for c in all_calls if c.phase == "awaiting"]
    of_all = all_open if calls[0] is all_calls[0] else []
    rules = [policy(call, runs(session, call, where)) for call in open_]
    once = len(rules) > 1 and all(some == rules[0] for some in rules)
    blocks += rules[0] if once else []
    titles = [f"{_title(call, all_calls)}{risk(call, risks)}" for call in calls]
    rows = [
        row(session, call, mask, title, where, with_policy=not once, compact=len(calls) >= MANY)
        for call, title in zip(calls, titles, strict=True)
    ]
    parted = len(blocks) + sum(map(len, rows)) + len(rows) <= MOST_BLOCKS - SPARE_BLOCKS
    for blocks_of_call in rows:
        blocks += [*([{"type": "divider"}] if parted and len(rows) > 1 else []), *blocks_of_call]
    blocks += by_reaction(open_) if len(open_) == 1 else []
    if open_ or of_all:
        blocks += snooze_notes(session, all_calls[0].request_id)
        blocks.append(_for_all(session, calls, of_all, mask))
    tools = ", ".join(dict.fromkeys(c.call.tool for c in calls))
    first = one_line(full_text(calls[0], mask), 120)
    text = escape(f"{_plain_headline(open_)}: {tools} {first}")
    return Message(
        key, text, tuple(blocks), decides=tuple(Request(session, APPROVAL, call) for call in open_)
    )


def by_reaction(calls: Sequence[Call]) -> list[Block]:
    """Return the words that a reaction to this message decides on its only call, where that is so."""
    if not any(call.reactions for call in calls):
        return []
    return [context("A reaction decides, too: :white_check_mark: approves it, :x: denies it")]


def _title(call: Call, calls: list[Call]) -> str:
    tool = f"*{escape(one_line(call.call.tool, 80))}*"
    return f"{tool} · {calls.index(call) + 1} of {len(calls)}" if len(calls) > 1 else tool


def reason(session: Session, call: Call, mask: Masker) -> list[Block]:
    """Return what the agent said as it proposed a call, on one line; the request in the thread has all of it."""
    said = next((step.text for step in session.steps if call in step.calls), "")
    words = one_line(in_words(mask(said), limit=1000), REASON_SHOWN)
    return [context(f"*Agent's reason:* {escape(words)}")] if words else []


def whose(session: Session) -> str:
    """Return at whose wish the calls are made, and by which persona."""
    by = person(session.launched_by, session.launched_by_name)
    return f"Requested by {by} · persona *{escape(one_line(session.persona, 80))}*"


def _plain_headline(open_: list[Call]) -> str:
    return "Approval needed" if open_ else "Decided"


def _headline(session: Session, calls: list[Call], open_: list[Call]) -> str:
    if open_:
        number = f" · {len(open_)} calls need approval" if len(open_) > 1 else ""
        return f":raised_hand: *Approval needed*{number}"
    if any(c.phase == "awaiting" for c in calls):
        return f":no_entry_sign: *No longer needed* · the session was {session.lifecycle}, this did not run"
    ended = Counter(_ENDED_WORDS.get(call.phase, "approved") for call in calls)
    if len(ended) > 1:
        each = ", ".join(f"{number} {word}" for word, number in ended.items())
        return f":white_check_mark: *Decided* · {each}"
    (word,) = ended
    return f":{ENDED_MARKS[word]}: *{word.capitalize()}*"


def row(
    session: Session,
    call: Call,
    mask: Masker,
    title: str,
    where: Where | None = None,
    *,
    with_policy: bool = True,
    compact: bool = False,
) -> list[Block]:
    """Return the blocks of one call: its arguments, its approvers or the decision, and its buttons or its output."""
    body, left = _body(call, mask, "View full call")
    rows = [mrkdwn(title), *body]
    if call.phase == "awaiting" and not session.ended:
        rows += [
            *(policy(call, runs(session, call, where)) if with_policy else []),
            _buttons(session, call, compact=compact),
        ]
    else:
        rows += [
            context(*_outcome(session, call, mask), *made_with(session, call, mask)),
            *_output(call, mask),
        ]
        if left or call.proposed:
            rows.append({"type": "actions", "elements": [_view(session, call)]})
    rows[0]["block_id"] = f"row:{session.id}:{call.call_id}"
    return rows


def request(
    session: Session, call: Call, mask: Masker, risks: Risks | None = None, where: Where | None = None
) -> list[Block]:
    """Return the blocks of a call for a message that has its buttons at the end: title, arguments, approvers."""
    body, _ = _body(call, mask, DETAILS)
    title = f"*{escape(one_line(call.call.tool, 80))}*{risk(call, risks)}"
    return [mrkdwn(title), *body, *policy(call, runs(session, call, where)), *by_reaction([call])]


def request_buttons(session: Session, call: Call) -> list[Block]:
    """Return the buttons that decide on a call, and the one that shows all of it; none is red."""
    value = Target.of(session, call).encode()
    return [
        button("Approve", Action.APPROVE, value, style="primary"),
        button("Deny", Action.DENY, value),
        button(DETAILS, Action.VIEW, value),
    ]


def request_options(session: Session, request_id: str) -> dict[str, str]:
    """Return the options of a menu that are about a whole request, labels by value."""
    instead = option(Action.INSTEAD, Target.of(session).encode())
    return {**snooze_options(session, request_id), instead: "Do something else…"}


def _body(call: Call, mask: Masker, details: str) -> tuple[list[Block], int]:
    """Return the arguments and what a person changed, and the number of characters that only `details` shows."""
    shown, left = proposal(call, mask)
    cut = [context(f":scissors: Truncated ({count(left, 'more character')}): *{details}*")] if left else []
    return [*shown, *cut, *_preview(call, mask), *change_blocks(call, mask, details)], left


def preview_heading(call: Call) -> str:
    """Return what stands above what is known of a call before it runs."""
    if call.redefined:
        return "*The tool has changed*, and so people are asked again"
    return "*Preview*, as things stood when it was asked for"


def _preview(call: Call, mask: Masker) -> list[Block]:
    """Return what the tool said that the call would do, while it waits."""
    if call.phase != "awaiting" or not call.preview:
        return []
    return [
        context(preview_heading(call)),
        preformatted(shorten(mask(call.preview), OUTPUT_SHOWN)),
    ]


def policy(call: Call, where: str = "") -> list[Block]:
    """Where a call runs, who may decide on it, who has so far, and what they should know besides."""
    words = [where] if where else []
    named = len(words)
    for position, rule in enumerate(call.call.rules):
        if rule.named:
            who = approvers(rule)
            words.append(f"{'and' if len(words) > named else 'Approvers:'} {', '.join(who[:10])}")
        if rule.quorum > 1:
            words.append(f"{len(call.approvals(position))} of {rule.quorum} approvals")
    if any(rule.exclude_requester for rule in call.call.rules):
        words.append("requester can't approve")
    words += _deadlines(call)
    if call.decisions:
        words.append(f"approved so far by {', '.join(map(doer, call.decisions[:10]))}")
    if reason := one_line(call.call.reason, 200):
        words.append(f"Policy: {escape(reason)}")
    notes = [context(f":warning: {escape(note)}") for note in request_notes(call)]
    return [*([context(" · ".join(words))] if words else []), *notes]


def _deadlines(call: Call) -> Iterator[str]:
    """Yield what happens if nobody decides on a call, and when."""
    since = call.asked_at
    for rule in call.call.rules if since else ():
        if since and rule.escalate:
            more = ", ".join(approvers(rule.escalate)[:10])
            yield f"from {moment(since + rule.escalate.after, date=True)} on {more} may decide, too"
        if since and rule.expire:
            yield f"expires {moment(since + rule.expire, date=True)}"


def _buttons(session: Session, call: Call, *, compact: bool) -> Block:
    """Return the buttons of a row; those that are needed less are in a menu where there are many rows."""
    value = Target.of(session, call).encode()
    more = {Action.EDIT: "Edit", Action.RESPOND: "Respond"}
    more |= {Action.ALLOW: "Allow for a while…"} if grantable(call) else {}
    elements = [
        button("Approve", Action.APPROVE, value, style="primary"),
        button("Deny", Action.DENY, value, style="danger"),
    ]
    if compact:
        menu = overflow(Action.MORE, {option(action, value): label for action, label in more.items()})
        elements += [_view(session, call), menu]
    else:
        elements += [*(button(label, action, value) for action, label in more.items()), _view(session, call)]
    return {"type": "actions", "block_id": f"act:{session.id}:{call.call_id}", "elements": elements}


def _view(session: Session, call: Call) -> Block:
    return button("View full call", Action.VIEW, Target.of(session, call).encode())


def _for_all(session: Session, calls: list[Call], of_all: Sequence[Call], mask: Masker) -> Block:
    """Return the menu that snoozes the request, and the buttons for all calls that this message decides on."""
    elements = [*for_all(session, of_all, mask)]
    elements.append(overflow(Action.MORE, request_options(session, calls[0].request_id)))
    return {"type": "actions", "block_id": f"all:{session.id}:{calls[0].call_id}", "elements": elements}


def _outcome(session: Session, call: Call, mask: Masker) -> Iterable[str]:
    if call.decisions:
        last = call.decisions[-1]
        who = ", ".join(map(doer, call.decisions[:10]))
        word = VERDICT_WORDS[last.verdict]
        by = who if last.verdict == "approve" else doer(last)
        how = " with a reaction" if last.how else ""
        yield f":{ENDED_MARKS[word]}: {word.capitalize()} by {by}{how} at {moment(last.at)}"
        if last.reason:
            said = "Answer" if last.verdict == "respond" else "Reason"
            yield f"{said}: {escape(shorten(mask(last.reason), 300))}"
    match call.phase:
        case "expired":
            yield ":hourglass: Expired: nobody decided in time, and nobody denied it; it did not run"
        case "superseded":
            yield f":leftwards_arrow_with_hook: Withdrawn by {person(call.closed_by, call.closed_by_name)}"
            yield f"Instead: {escape(shorten(mask(call.content), 300))}"
        case "approved" | "started":
            yield ":hourglass_flowing_sand: running" if call.phase == "started" else _next(session)
        case "unknown":
            yield ":grey_question: its outcome is not known"
        case "finished":
            yield f"{':heavy_check_mark: ran' if call.ok else ':warning: failed'} in {took(call.duration_ms)}"
        case "awaiting":
            yield "did not run"


def _next(session: Session) -> str:
    """When an approved call starts."""
    if awaited := awaited_connection(session):
        return f":hourglass: starts once {person(awaited.person)} has connected {inline_code(awaited.server)}"
    return f":hourglass: {'starts once this session goes on' if session.pause else 'starts next'}"


def _output(call: Call, mask: Masker) -> list[Block]:
    if call.phase != "finished" or not call.content.strip():
        return []
    return [preformatted(shorten(mask(call.content.strip()), OUTPUT_SHOWN))]
