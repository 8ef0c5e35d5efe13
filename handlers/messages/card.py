"""The card, which begins a session's thread: state, calls, usage and buttons."""

from __future__ import annotations

from collections.abc import Sequence

from handlers.action_ids import Action, Target
from handlers.blocks.plan import Task, plan
from handlers.blocks.text import Block, brief, button, context, escape, link, moment, mrkdwn, person, plain
from handlers.messages.approval import reason, request, request_buttons
from handlers.messages.files import files
from handlers.messages.granted import granted
from handlers.messages.headline import headline
from handlers.messages.message import APPROVAL, Message, Request
from handlers.messages.pauses import menu, spent, ways_on
from handlers.messages.pending import PendingItem, in_all
from handlers.messages.progress import delegations, progress
from handlers.messages.proposal import in_short
from handlers.messages.reminders import snooze_notes, snooze_options
from handlers.messages.requests.where import Where
from handlers.messages.risk import Risks
from handlers.messages.subagents import Subagents
from supervisor.core.state import Call, Session
from supervisor.core.text.format import count, money, not_here
from supervisor.core.text.labels import PHASES
from supervisor.core.text.masking import Masker
from supervisor.core.text.visible import one_line

STEPS_SHOWN = 8
MARK = {
    "ready": "hourglass",
    "held": "raised_hand",
    "awaiting": "raised_hand",
    "approved": "hourglass",
    "denied": "no_entry",
    "refused": "warning",
    "started": "hourglass_flowing_sand",
    "unknown": "grey_question",
    "open": "speech_balloon",
    "asking": "speech_balloon",
    "sleeping": "zzz",
    "delegating": "busts_in_silhouette",
    "answered": "speech_balloon",
    "expired": "hourglass",
    "superseded": "leftwards_arrow_with_hook",
}


def card(
    session: Session,
    mask: Masker,
    subagents: Subagents,
    waiting: Sequence[PendingItem] = (),
    requests: Sequence[Message] = (),
    *,
    sandboxed: bool = True,
    risks: Risks | None = None,
    where: Where | None = None,
    running: Sequence[Block] = (),
) -> Message:
    """Return the card of a session, which has the buttons of its request if it is one call.

    `waiting` are the items that its sub-agents ask people to decide, and `requests` the messages of the thread that
    ask; where these have more than one call, a button leads to them. `running` are
    blocks of what runs now.
    """
    parted = session.waiting_for == "children_running"
    title = (
        f":raised_hand: {in_all(waiting)} in the thread" if parted and waiting else headline(session, mask)
    )
    persona, task = one_line(session.persona, 80), one_line(mask(session.task), 140)
    blocks: list[Block] = [
        {
            "type": "header",
            "text": {"type": "plain_text", "text": f"{persona}: {task}"[:150], "emoji": False},
        },
        mrkdwn(f"*{title}*"),
        *_whose(session, mask, subagents),
    ]
    if len(session.task) > 140:
        blocks.append(plain(mask(session.task), 1500))
    one = _only_request(session)
    if one:
        blocks += [*reason(session, one, mask), *request(session, one, mask, risks, where)]
    plan_ = None
    if calls := _calls(session, without=one):
        shown = [(call, _line(call, mask, over=session.ended)) for call in calls[-STEPS_SHOWN:]]
        plan_ = _steps(shown, len(calls) - len(shown)), _plan(session, shown)
        blocks.append(plan_[0])
    blocks += running
    blocks += progress(session, mask, subagents)
    blocks += [*granted(session, mask), *files(session, mask), *spent(session)]
    if not sandboxed and not session.ended:
        blocks.append(context(":unlock: No sandbox: commands run with all rights of Flagman's user"))
    if not session.ended and (open_ := session.calls_in("awaiting")):
        blocks += snooze_notes(session, open_[0].request_id)
    blocks.append(context(" · ".join(_facts(session, subagents))))
    leads_to = next((message.key for message in requests if message.decides), "")
    leads_to = "" if one or session.ended else leads_to or ("board" if waiting else "")
    buttons = _buttons(session, one, waiting if leads_to == "board" else (), leads=bool(leads_to))
    blocks.append({"type": "actions", "block_id": f"card:{session.id}", "elements": buttons})
    text = f"{escape(persona)} · {escape(task)} · {title}"
    # A coordinator's card changes with each of its sub-agents.
    urgent = session.ended or (session.status == "paused" and not parted)
    repeats = (Request(session, APPROVAL, one),) if one else ()
    return Message("card", text, tuple(blocks), urgent=urgent, repeats=repeats, leads_to=leads_to, plan=plan_)


def _only_request(session: Session) -> Call | None:
    """Return the call that waits for an approval, if it is the only one."""
    calls = () if session.ended else session.calls_in("awaiting")
    return calls[0] if len(calls) == 1 else None


def _whose(session: Session, mask: Masker, subagents: Subagents) -> list[Block]:
    """Return a line with a link to the parent's card for a sub-agent, or with the source for a copy."""
    if session.forked:
        fork = session.forked
        where = f"at step {fork.step}" if fork.step else "at its beginning"
        by = person(fork.by, fork.by_name)
        lost = [escape(one_line(mask(path), 80)) for path in fork.missing]
        without = f" · {not_here(lost)}" if lost else ""
        return [context(f":twisted_rightwards_arrows: Copied from `{fork.source}` {where} by {by}{without}")]
    if session.lineage is None:
        return []
    name, parent = escape(one_line(session.lineage.name, 40)), one_line(session.launched_by_name, 60)
    address = subagents.address(session.lineage.parent)
    return [context(f":busts_in_silhouette: Sub-agent *{name}* of {link(parent or 'a session', address)}")]


def _calls(session: Session, *, without: Call | None) -> list[Call]:
    # Calls that launched sub-agents are shown by `progress`.
    apart = {call.call_id for call in (*delegations(session), *([without] if without else []))}
    return [c for step in session.steps for c in step.calls if c.call_id not in apart]


def _plan(session: Session, shown: Sequence[tuple[Call, list[Block]]]) -> Block:
    """Return the same calls as a plan; a step that Slack has no status for says in words how it stands."""
    every = _calls(session, without=None)
    done = sum(call.phase == "finished" for call in every)
    skipped = sum(call.settled for call in every) - done
    title = f"{done} of {count(len(every), 'call')} done{f', {skipped} did not run' if skipped else ''}"
    return plan(title, [_task(call, line, over=session.ended) for call, line in shown])


def _task(call: Call, line: list[Block], *, over: bool) -> Task:
    words = "".join(part["text"] for part in line if part["type"] == "text").strip()
    if call.phase == "finished":
        return Task(call.call_id, words, "complete" if call.ok else "error")
    if call.phase == "started" and not over:
        return Task(call.call_id, words, "in_progress")
    how = "did not run" if over and not call.settled else PHASES[call.phase]
    return Task(call.call_id, f"{words} · {how}", "pending")


def _steps(shown: Sequence[tuple[Call, list[Block]]], earlier: int) -> Block:
    """Return the lines of calls as a list, with the number of those before them."""
    lines = [{"type": "rich_text_section", "elements": line} for _, line in shown]
    if earlier > 0:
        note = {"type": "text", "text": count(earlier, "earlier call"), "style": {"italic": True}}
        lines.insert(0, {"type": "rich_text_section", "elements": [note]})
    return {
        "type": "rich_text",
        "elements": [{"type": "rich_text_list", "style": "bullet", "elements": lines}],
    }


def _line(call: Call, mask: Masker, *, over: bool) -> list[Block]:
    """Return the line of a call; what waited when the session was `over` did not run."""
    if noted := call.noted:
        return [
            {"type": "emoji", "name": "pushpin"},
            {"type": "text", "text": " Decided:", "style": {"bold": True}},
            {"type": "text", "text": f" {one_line(mask(noted.text), 160)}"},
        ]
    mark = ("heavy_check_mark" if call.ok else "warning") if call.phase == "finished" else MARK[call.phase]
    mark = "no_entry_sign" if over and not call.settled else mark
    first = in_short(call, mask) or brief(call.call.arguments, mask)
    return [
        {"type": "emoji", "name": mark},
        {"type": "text", "text": f" {one_line(mask.arguments(call.call.tool), 40)}", "style": {"bold": True}},
        {"type": "text", "text": f"  {first}"},
    ]


def _facts(session: Session, subagents: Subagents) -> list[str]:
    by = person(session.launched_by, session.launched_by_name)
    facts = [] if session.lineage else [f"by {by}"]
    facts.append(moment(session.launched_at, date=True))
    if session.steps:
        cost = subagents.cost(session)
        facts.append(f"step {len(session.steps)}")
        facts.append(count(subagents.tokens(session), "token"))
        suffix = " with sub-agents" if session.children else ""
        facts.append("cost unknown" if cost is None else f"{money(cost)}{suffix}")
        facts.append(escape(one_line(session.steps[-1].model, 60)))
    return [*facts, f"`{session.id}`"]


def _buttons(
    session: Session, one: Call | None, waiting: Sequence[PendingItem], *, leads: bool
) -> list[Block]:
    value = Target.of(session).encode()
    if session.ended:
        return [button("View log", Action.LOG, value)]
    calls = session.calls_in("awaiting")
    snooze = snooze_options(session, calls[0].request_id) if calls else {}
    if one:
        return [*request_buttons(session, one), menu(session, snooze)]
    what = (
        count(len(waiting), "decision") if waiting else count(len(calls), "call") if calls else "the request"
    )
    asks = not waiting and not calls and session.calls_in("asking")
    label = "Answer the question" if asks else f"Review {what}"
    review = [button(label, Action.REVIEW, value, style="primary")] if leads else []
    return [*review, *(ways_on(session) if session.pause else [menu(session, snooze)])]
