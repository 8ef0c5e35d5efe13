"""Clicks arrive here: decided durably, then acknowledged."""

from __future__ import annotations

import re
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncRespond
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from handlers.action_ids import Action, Target
from handlers.context import ListenerContext
from handlers.listeners.actions import reminder as reminders
from handlers.listeners.actions import subagent as children
from handlers.listeners.commands.dispatch import log_of
from handlers.modals import full_call as modals
from handlers.users import actor_of
from supervisor.core.errors import AlreadyEnded
from supervisor.core.policy import right_to_decide

Body = dict[str, Any]


def register(app: AsyncApp, flagman: ListenerContext) -> None:
    """Listen to every button."""
    _decisions(app, flagman)
    _windows(app, flagman)
    _sessions(app, flagman)
    reminders.register(app, flagman)
    children.register(app, flagman)


def _target(body: Body) -> Target:
    return Target.decode(str(body["actions"][0].get("value") or ""))


def _decisions(app: AsyncApp, flagman: ListenerContext) -> None:
    @app.action(Action.APPROVE)
    @app.action(Action.APPROVE_ALL)
    async def approve(ack: AsyncAck, body: Body) -> None:
        target = _target(body)
        session = await flagman.supervisor.get(target.session_id)
        actor = await flagman.people.deciding(actor_of(body), session, target.call_ids)
        await flagman.supervisor.decide(
            target.session_id, target.call_ids, "approve", actor, digests=target.shown
        )
        await ack()

    @app.action(Action.RUN_AGAIN)
    async def run_again(ack: AsyncAck, body: Body) -> None:
        target = _target(body)
        session = await flagman.supervisor.get(target.session_id)
        actor = await flagman.people.deciding(actor_of(body), session, target.call_ids)
        await flagman.supervisor.decide_outcome(target.session_id, target.call_ids[0], "run_again", actor)
        await ack()

    @app.action(re.compile(f"^{Action.ANSWER}:"))
    async def answer(ack: AsyncAck, body: Body) -> None:
        target = _target(body)
        session = await flagman.supervisor.get(target.session_id)
        option = session.call(target.call_ids[0]).options[int(target.extra)]
        await flagman.supervisor.answer(target.session_id, target.call_ids[0], option, actor_of(body))
        await ack()


def _windows(app: AsyncApp, flagman: ListenerContext) -> None:
    @app.action(Action.DENY)
    async def deny(ack: AsyncAck, body: Body, client: AsyncWebClient) -> None:
        target = _target(body)
        session = await flagman.supervisor.get(target.session_id)
        call = session.call(target.call_ids[0])
        right_to_decide(
            session, call, await flagman.people.deciding(actor_of(body), session, target.call_ids)
        )
        await client.views_open(
            trigger_id=body["trigger_id"], view=modals.deny_form(session, call, flagman.mask)
        )
        await ack()

    @app.action(Action.VIEW)
    async def view(ack: AsyncAck, body: Body, client: AsyncWebClient) -> None:
        target = _target(body)
        session = await flagman.supervisor.get(target.session_id)
        window = modals.full_call(session, session.call(target.call_ids[0]), 0, flagman.mask)
        await client.views_open(trigger_id=body["trigger_id"], view=window)
        await ack()

    @app.action(re.compile(f"^{Action.PAGE}:"))
    async def page(ack: AsyncAck, body: Body, client: AsyncWebClient) -> None:
        target = _target(body)
        session = await flagman.supervisor.get(target.session_id)
        window = modals.full_call(session, session.call(target.call_ids[0]), int(target.extra), flagman.mask)
        try:
            await client.views_update(view_id=body["view"]["id"], hash=body["view"].get("hash"), view=window)
        except SlackApiError as error:
            # Pressed twice: the first click has turned the page already, or the window is closed.
            if error.response.get("error") not in ("hash_conflict", "not_found"):
                raise
        await ack()

    @app.action(Action.ANSWER_FORM)
    async def answer_form(ack: AsyncAck, body: Body, client: AsyncWebClient) -> None:
        target = _target(body)
        session = await flagman.supervisor.get(target.session_id)
        window = modals.answer_form(session, session.call(target.call_ids[0]), flagman.mask)
        await client.views_open(trigger_id=body["trigger_id"], view=window)
        await ack()

    @app.action(Action.MARK_DONE)
    @app.action(Action.MARK_FAILED)
    async def outcome(ack: AsyncAck, body: Body, client: AsyncWebClient) -> None:
        target = _target(body)
        session = await flagman.supervisor.get(target.session_id)
        verdict = "done" if body["actions"][0]["action_id"] == Action.MARK_DONE else "failed"
        window = modals.outcome_form(session, session.call(target.call_ids[0]), verdict)
        await client.views_open(trigger_id=body["trigger_id"], view=window)
        await ack()

    @app.action(Action.RESUME_WITH)
    async def resume_with(ack: AsyncAck, body: Body, client: AsyncWebClient) -> None:
        session = await flagman.supervisor.get(_target(body).session_id)
        if session.ended:
            raise AlreadyEnded(f"This session was already {session.lifecycle}.")
        await client.views_open(trigger_id=body["trigger_id"], view=modals.resume_form(session))
        await ack()


def _sessions(app: AsyncApp, flagman: ListenerContext) -> None:
    @app.action(Action.PAUSE)
    async def pause(ack: AsyncAck, body: Body) -> None:
        await flagman.supervisor.pause(_target(body).session_id, actor_of(body))
        await ack()

    @app.action(Action.RESUME)
    async def resume(ack: AsyncAck, body: Body) -> None:
        target = _target(body)
        await flagman.supervisor.resume(target.session_id, actor_of(body), halt=target.halt)
        await ack()

    @app.action(Action.COMPACT)
    async def compact(ack: AsyncAck, body: Body) -> None:
        target = _target(body)
        await flagman.supervisor.resume(target.session_id, actor_of(body), compact=True, halt=target.halt)
        await ack()

    @app.action(Action.CANCEL)
    async def cancel(ack: AsyncAck, body: Body) -> None:
        await flagman.supervisor.cancel(_target(body).session_id, actor_of(body))
        await ack()

    @app.action(Action.LOG)
    async def log(ack: AsyncAck, body: Body, respond: AsyncRespond) -> None:
        answer = await log_of(flagman, _target(body).session_id)
        await ack()
        await respond(
            text=answer.text, blocks=list(answer.blocks), response_type="ephemeral", replace_original=False
        )
