"""Listeners for buttons: each stores the result of the click and then acknowledges it."""

from __future__ import annotations

import re

from handlers.action_ids import Action
from handlers.listeners.actions import (
    allow,
    approval,
    connections,
    edit_call,
    full_call,
    notifications,
    offer,
    outcome,
    question,
    reminder,
    schedule,
    session,
    subagent,
)
from handlers.middleware import Router


def register(app: Router) -> None:
    """Register the routes of all buttons. Buttons whose id ends in a number occur several times in one message."""
    app.action(Action.APPROVE, approval.approve)
    app.action(Action.APPROVE_ALL, approval.approve_all)
    app.action(Action.REVIEW_ALL, approval.open_approval_of_all)
    app.action(Action.DENY, approval.open_denial)
    app.action(Action.DENY_ALL, approval.open_denial_of_all)
    app.action(Action.RESPOND, approval.open_response)
    app.action(Action.ALLOW, allow.open_form)
    app.action(Action.ALLOW_TERMS, allow.choose)
    app.action(Action.REVOKE, allow.revoke)
    app.action(Action.EDIT, edit_call.open_edit)
    app.action(Action.VIEW, full_call.open_full_call)
    app.action(re.compile(f"^{Action.PAGE}:"), full_call.turn_page)
    app.action(re.compile(f"^{Action.ANSWER}:"), question.choose)
    app.action(Action.ANSWER_FORM, question.open_answer)
    app.action(Action.ANSWER_DECLINE, question.decline)
    app.action(re.compile(f"^{Action.OFFER}:"), offer.choose)
    app.action(Action.RUN_AGAIN, outcome.run_again)
    for verdict in (Action.MARK_DONE, Action.MARK_FAILED):
        app.action(verdict, outcome.open_outcome)
    for way_on in subagent.VERDICTS:
        app.action(way_on, subagent.decide)
    app.action(Action.CHILD_LOOK, subagent.look)
    app.action(Action.PAUSE, session.pause)
    app.action(Action.RESUME, session.resume)
    app.action(Action.RESUME_WITH, session.open_resume)
    app.action(Action.COMPACT, session.compact)
    app.action(Action.CANCEL, session.cancel)
    app.action(Action.LOG, session.show_log)
    app.action(Action.MORE, session.choose)
    app.action(Action.REVIEW, session.review)
    app.action(Action.SCHEDULE_RUN, schedule.run_now)
    app.action(Action.SNOOZE_HOUR, reminder.snooze_an_hour)
    app.action(Action.SNOOZE_MORNING, reminder.snooze_until_morning)
    app.action(Action.DISMISS, reminder.dismiss)
    app.action(Action.NOTIFY, notifications.open_form)
    app.action(Action.CONNECT, connections.begin)
    app.action(Action.CONNECT_OPEN, connections.opened)
    app.action(Action.CONNECT_REMOVE, connections.remove)
