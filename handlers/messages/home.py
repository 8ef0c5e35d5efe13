"""The home tab: what needs a person, their sessions, what runs, and the schedules, each with buttons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from handlers.action_ids import Action, Target
from handlers.blocks.text import Block, button, context, escape, moment, mrkdwn, plain, preformatted, shorten
from handlers.messages.approval import ENDED_MARKS, policy
from handlers.messages.headline import failures, headline
from handlers.messages.inbox.preference import Told, preference_row
from handlers.messages.notices import choices, failure_buttons
from handlers.messages.pauses import spent, ways_on
from handlers.messages.proposal import full_text
from handlers.messages.requests.for_all import for_all
from handlers.messages.requests.server_questions import asked_blocks
from handlers.messages.requests.where import runs
from handlers.messages.risk import Risks, risk
from handlers.origin import Place
from supervisor.core.policy import VERDICT_WORDS
from supervisor.core.state import Call, Session
from supervisor.core.text.format import count
from supervisor.core.text.masking import Masker
from supervisor.core.text.visible import one_line

# A view has at most 100 blocks; a request takes up to seven of them.
NEEDS_SHOWN, ROWS_SHOWN, DECIDED_SHOWN = 8, 7, 3
# Characters and lines of a call that is shown here as a whole; a longer one is reviewed in its window.
CALL_SHOWN, LINES_SHOWN, WORDS_SHOWN, RULES_SHOWN = 700, 8, 300, 2


@dataclass(frozen=True)
class Need:
    """An open request on which the person may decide: about a call, a failed sub-agent, or the whole session."""

    kind: str
    session: Session
    call: Call | None = None
    child_id: str = ""


@dataclass(frozen=True)
class Scheduled:
    """A schedule as it is listed."""

    id: str
    task: str
    persona: str
    cron: str
    zone: str
    next_times: Sequence[datetime]
    paused: bool = False
    problem: str = ""


@dataclass(frozen=True)
class HomeTab:
    """What a person sees. `addresses` are those of cards by session; `decided` are calls that the person decided on."""

    needs: Sequence[Need] = ()
    decided: Sequence[tuple[Session, Call]] = ()
    yours: Sequence[Session] = ()
    running: Sequence[Session] = ()
    schedules: Sequence[Scheduled] = ()
    addresses: Mapping[str, str] = field(default_factory=dict)
    notifications: Told | None = None
    risks: Risks | None = None

    @property
    def empty(self) -> bool:
        return not (self.needs or self.decided or self.yours or self.running or self.schedules)


def home(tab: HomeTab, mask: Masker, slash: str) -> Block:
    """Return the view for `views.publish`."""
    launch = button("Launch an agent", Action.LAUNCH_FORM, "home", style="primary")
    blocks: list[Block] = [
        {"type": "header", "text": {"type": "plain_text", "text": "Flagman"}},
        mrkdwn("Run AI agents with human approval for every risky action."),
        {"type": "actions", "elements": [launch]},
    ]
    blocks += _welcome(slash) if tab.empty else _sections(tab, mask)
    if tab.notifications:
        blocks += [*_heading("Notifications"), preference_row(tab.notifications)]
    blocks.append(context(f"`{slash} list` lists all sessions · `{slash} help` lists all commands"))
    return {"type": "home", "blocks": blocks}


def _welcome(slash: str) -> list[Block]:
    tries = [
        f':one: `{slash} launch sre "check the disk"` in a channel: the agent proposes, and waits for you',
        f':two: `{slash} launch project-coordinator "see that all is well"`: several agents, one board',
        f':three: `{slash} schedule "0 9 * * MON" launch sre "weekly report"`: an agent at fixed times',
    ]
    return [
        {"type": "divider"},
        mrkdwn("*Nothing here yet.* Three things to try:\n" + "\n".join(tries)),
        context("What needs your decision, your sessions and the schedules appear here, and stay current."),
    ]


def _sections(tab: HomeTab, mask: Masker) -> list[Block]:
    needs: list[Block] = []
    for need in tab.needs[:NEEDS_SHOWN]:
        needs += need_blocks(need, mask, tab.addresses, tab.risks)
        needs += _all_of(need, tab.needs, mask)
    needs += _left(len(tab.needs) - NEEDS_SHOWN)
    needs += [context(_decision(session, call, mask)) for session, call in tab.decided[:DECIDED_SHOWN]]
    waiting = {need.session.id for need in tab.needs}
    number = f" ({count(len(waiting), 'session')})" if waiting else ""
    blocks = [*_heading(f"Needs you{number}"), *(needs if tab.needs else [context("All caught up."), *needs])]
    for title, sessions, none in (
        ("Yours", tab.yours, "You have no other open sessions."),
        ("Running", tab.running, "Nothing else is running."),
    ):
        rows = [_row(session, mask, tab.addresses) for session in sessions[:ROWS_SHOWN]]
        blocks += [*_heading(title), *(rows or [context(none)]), *_left(len(sessions) - ROWS_SHOWN)]
    if tab.schedules:
        blocks += [*_heading("Schedules"), *(_schedule(one, mask) for one in tab.schedules[:ROWS_SHOWN])]
        blocks += _left(len(tab.schedules) - ROWS_SHOWN)
    return blocks


def _all_of(need: Need, needs: Sequence[Need], mask: Masker) -> list[Block]:
    """Return the buttons for all calls of a session that the person may decide on, below the last of them."""
    calls = [one.call for one in needs if one.session is need.session and one.kind == "approval" and one.call]
    if len(calls) < 2 or need.call is not calls[-1]:
        return []
    block_id = f"need:all:{need.session.id}"
    return [{"type": "actions", "block_id": block_id, "elements": for_all(need.session, calls, mask)}]


def _heading(title: str) -> list[Block]:
    return [{"type": "divider"}, mrkdwn(f"*{title}*")]


def _left(number: int) -> list[Block]:
    return [context(f"and {number:,} more")] if number > 0 else []


def need_blocks(
    need: Need, mask: Masker, addresses: Mapping[str, str], risks: Risks | None = None
) -> list[Block]:
    """Return the blocks of an open request, up to seven: the session, what it asks, and the buttons that decide."""
    session, call = need.session, need.call
    goto = _open(addresses.get(session.id, ""))
    about = [_title(session, mask), context(_about(session, mask))]
    block_id = f"need:{need.kind}:{session.id}:{call.call_id if call else ''}"
    actions: Block = {"type": "actions", "block_id": block_id}
    if need.kind == "approval" and call:
        return [*about, *_approval(session, call, mask, actions, goto, risks)]
    if need.kind == "question" and call:
        asked = choices(session, call, mask)
        asked["elements"] = [*asked["elements"][:20], *goto]
        if call.inputs.open:
            return [*about, *asked_blocks(call, call.inputs.open, mask)[:4], asked]
        return [*about, plain(f"💬 {mask(call.question)}", WORDS_SHOWN), asked]
    if need.kind == "failure":
        child = next((c for c in failures(session) if c.id == need.child_id), None)
        if child:
            words = shorten(mask(child.result), WORDS_SHOWN) or "No output."
            buttons = failure_buttons(session, child)
            buttons["elements"] = [*buttons["elements"], *goto]
            return [*about, plain(f"❌ {one_line(child.name, 60)} {child.state}: {words}"), buttons]
    if need.kind == "pause":
        elements = [e for e in ways_on(session) if e["type"] == "button"]
        return [*about, *spent(session), {**actions, "elements": [*elements, *goto]}]
    return [*about, *([{**actions, "elements": goto}] if goto else [])]


def _approval(
    session: Session,
    call: Call,
    mask: Masker,
    actions: Block,
    goto: Sequence[Block],
    risks: Risks | None,
) -> list[Block]:
    """Return the exact call with the buttons that decide on it; a long or changed one is reviewed in its window."""
    value, text = Target.of(session, call).encode(), full_text(call, mask)
    rules = policy(call, runs(session, call, None))
    fits = len(text) <= CALL_SHOWN and text.count("\n") < LINES_SHOWN
    whole = fits and not call.proposed and len(rules) <= RULES_SHOWN
    tool = f":raised_hand: *{escape(one_line(mask.arguments(call.call.tool), 80))}* needs approval{risk(call, risks)}"
    if not whole:
        review = button("Review", Action.VIEW, value, style="primary")
        hint = context(f"{count(len(text), 'character')}: *Review* shows all of it, with Approve and Deny.")
        return [mrkdwn(tool), hint, {**actions, "elements": [review, *goto]}]
    elements = [
        button("Approve", Action.APPROVE, value, style="primary"),
        button("Deny", Action.DENY, value, style="danger"),
        *goto,
    ]
    shown = [mrkdwn(tool), preformatted(text), *rules]
    return [*shown, {**actions, "elements": elements}]


def _decision(session: Session, call: Call, mask: Masker) -> str:
    last = call.decisions[-1]
    word = VERDICT_WORDS[last.verdict]
    verb = f":{ENDED_MARKS[word]}: {word.capitalize()}"
    tool = escape(one_line(mask.arguments(call.call.tool), 60))
    return f"{verb} by you at {moment(last.at)}: *{tool}* · {escape(one_line(mask(session.task), 80))}"


def _title(session: Session, mask: Masker) -> Block:
    return mrkdwn(f"*{escape(one_line(mask(session.task), 120))}*")


def _about(session: Session, mask: Masker) -> str:
    place = Place.of(session)
    parts = [
        escape(one_line(session.persona, 60)),
        *([f"sub-agent *{escape(one_line(session.lineage.name, 40))}*"] if session.lineage else []),
        headline(session, mask, limit=100),
        *([place.shown] if place and place.shown else []),
        moment(session.changed_at, date=True),
    ]
    return " · ".join(parts)


def _row(session: Session, mask: Masker, addresses: Mapping[str, str]) -> Block:
    task = escape(one_line(mask(session.task), 120))
    row = mrkdwn(f"*{task}*\n{_about(session, mask)}")
    goto = _open(addresses.get(session.id, ""))
    return {**row, "accessory": goto[0]} if goto else row


def _open(address: str) -> list[Block]:
    return [{**button("Open", Action.REVIEW, "open"), "url": address}] if address else []


def _schedule(one: Scheduled, mask: Masker) -> Block:
    times = ", ".join(moment(due, date=True) for due in one.next_times[:3])
    when = "*paused*" if one.paused else f"next {times}" if times else "no next time"
    problem = f"\n:warning: {escape(one_line(mask(one.problem), 120))}" if one.problem else ""
    about = f"{escape(one.persona)} · `{escape(one.cron)}` ({escape(one.zone)})"
    row = mrkdwn(f"*{escape(one_line(mask(one.task), 120))}*\n{about} · {when}{problem}")
    return {**row, "accessory": button("Run now", Action.SCHEDULE_RUN, one.id)}
