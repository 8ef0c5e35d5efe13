"""Listeners for submitted modals: each stores the result and then closes the modal."""

from __future__ import annotations

from handlers.action_ids import View
from handlers.listeners.views import (
    allow,
    approval,
    edit_call,
    hand_over,
    launch,
    notifications,
    outcome,
    question,
    session,
)
from handlers.middleware import Router


def register(app: Router) -> None:
    """Register the routes of all forms."""
    app.view(View.LAUNCH, launch.launch)
    app.view(View.HAND_OVER, hand_over.launch)
    app.view(View.CALL, approval.approve)
    app.view(View.DENY, approval.deny)
    app.view(View.DENY_ALL, approval.deny_all)
    app.view(View.APPROVE_ALL, approval.approve_all)
    app.view(View.RESPOND, approval.respond)
    app.view(View.INSTEAD, approval.instead)
    app.view(View.ALLOW, allow.allow)
    app.view(View.EDIT, edit_call.save)
    app.view(View.ANSWER, question.answer)
    app.view(View.OUTCOME, outcome.record)
    app.view(View.RESUME, session.resume)
    app.view(View.CANCEL, session.cancel)
    app.view(View.NOTIFY, notifications.save)
