"""The messages of reminders that have fired, and the buttons that snooze."""

from __future__ import annotations

import re
from collections.abc import Iterator

from handlers.action_ids import Action, Target
from handlers.blocks.text import Block, button, context, escape, moment, mrkdwn, person, plain
from handlers.messages.message import APPROVAL, Message, Request
from handlers.messages.pauses import option
from handlers.team_ids import bare
from supervisor.core.events.base import SYSTEM
from supervisor.core.persona import Approvers, Escalation
from supervisor.core.records import Timer
from supervisor.core.state import Call, Session
from supervisor.core.text.format import count
from supervisor.core.text.masking import Masker
from supervisor.core.text.visible import one_line

_GROUP = re.compile(r"S[A-Z0-9]{7,}")


def reminders(session: Session, mask: Masker) -> Iterator[Message]:
    """Yield one message for each reminder that has fired."""
    for timer in session.timers:
        if timer.ended_at is None or (
            timer.state == "dropped" and (timer.ended_at < timer.due or timer.ended_by == SYSTEM.id)
        ):
            continue
        blocks: list[Block] = [mrkdwn(f":alarm_clock: *Reminder* set by {person(timer.by, timer.by_name)}")]
        blocks.append(plain(mask(_words(session, timer)), 1500))
        concerns = ""
        if timer.state == "fired" and (session.asks(timer.about) if timer.about else not session.ended):
            blocks.append(_buttons(session, timer))
            # Who snoozed a request may have been asked elsewhere.
            concerns = bare(timer.by) if timer.about else ""
        else:
            blocks.append(context(_ending(session, timer)))
        text = f"Reminder: {escape(one_line(mask(_words(session, timer)), 200))}"
        yield Message(f"timer:{timer.id}", text, tuple(blocks), concerns=concerns)


def approvers(rule: Approvers | Escalation) -> list[str]:
    """Return those whom a rule names, as mentions; a group by its id is one, too."""
    users = [person(f"slack:{user.removeprefix('slack:')}") for user in rule.users]
    groups = [f"<!subteam^{g}>" if _GROUP.fullmatch(g) else f"@{escape(g)}" for g in rule.groups]
    return [*users, *groups]


def overdue(session: Session) -> Iterator[Message]:
    """Yield one message each time the approvers of a request are reminded by its rule."""
    requests: dict[str, list[Call]] = {}
    for call in (call for step in session.steps for call in step.calls if call.reminded):
        requests.setdefault(call.request_id, []).append(call)
    for request_id, calls in requests.items():
        waiting = [] if session.ended else [call for call in calls if call.phase == "awaiting"]
        times = max(call.reminded for call in calls)
        for number in range(1, times + 1):
            if waiting and number == times:
                rules = dict.fromkeys(rule for call in waiting for rule in call.call.rules)
                who = list(dict.fromkeys(name for rule in rules for name in approvers(rule)))[:10]
                since = moment(waiting[0].asked_at or session.changed_at, date=True)
                need = "needs" if len(waiting) == 1 else "need"
                words = f"{count(len(waiting), 'call')} above still {need} approval, since {since}"
                text = f":alarm_clock: *Reminder* · {words}{': ' if who else ''}{', '.join(who)}"
            else:
                text = (
                    ":alarm_clock: *Reminder* · a later one is below"
                    if number < times
                    else ":alarm_clock: *Reminder* · no longer needed"
                )
            reminds = tuple(Request(session, APPROVAL, call) for call in waiting if number == times)
            yield Message(f"overdue:{request_id}:{number}", text, (mrkdwn(text),), reminds=reminds)


def _ending(session: Session, timer: Timer) -> str:
    """Return the line in place of the buttons: until when it was snoozed, or that it needs nothing any more."""
    if timer.state == "fired" or timer.ended_at is None:
        return ":heavy_check_mark: No longer needed."
    for later in session.timers:
        if later.set_at == timer.ended_at and later.about == timer.about and later.text == timer.text:
            who = person(later.by, later.by_name)
            return f":zzz: Snoozed by {who}; due again: {moment(later.due, date=True)}"
    return f":heavy_check_mark: Dismissed at {moment(timer.ended_at)}"


def _words(session: Session, timer: Timer) -> str:
    if timer.text:
        return timer.text
    if timer.about:
        still = session.asks(timer.about)
        return "An approval above still waits." if still else "The approval above waits no longer."
    return f"Look at this session: {session.task}"


def _buttons(session: Session, timer: Timer) -> Block:
    value = Target.of(session, extra=timer.id).encode()
    elements = [
        button("Snooze 1 h", Action.SNOOZE_HOUR, value),
        button("Snooze until tomorrow 09:00", Action.SNOOZE_MORNING, value),
        button("Dismiss", Action.DISMISS, value),
    ]
    if session.pause and not session.approval:
        elements.insert(
            0, button("Resume now", Action.RESUME, Target.of_pause(session).encode(), style="primary")
        )
    return {"type": "actions", "block_id": f"timer:{session.id}:{timer.id}", "elements": elements}


def snooze_notes(session: Session, request_id: str) -> list[Block]:
    """Return a note on who snoozed a request, and until when."""
    snoozed = [timer for timer in session.timers if timer.about == request_id and timer.state == "set"]
    notes = [f"{person(timer.by, timer.by_name)} {moment(timer.due, date=True)}" for timer in snoozed]
    return [context(f":zzz: Will be reminded: {', '.join(notes)}")] if notes else []


def snooze_options(session: Session, request_id: str) -> dict[str, str]:
    """Return the options of a menu that snooze a whole request, labels by value."""
    value = Target.of(session, extra=f"ask:{request_id}").encode()
    return {
        option(Action.SNOOZE_HOUR, value): "Snooze 1 h",
        option(Action.SNOOZE_MORNING, value): "Snooze until tomorrow 09:00",
    }
