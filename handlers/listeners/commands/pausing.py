"""Carries out the commands `pause`, `resume`, `event`, `remind` and `schedule`."""

from __future__ import annotations

import json
import re

from handlers.action_ids import Action
from handlers.blocks.text import Block, button, condition_text, context, escape, moment, mrkdwn
from handlers.context import ListenerContext
from handlers.listeners.commands.parser import Command, unquote
from handlers.listeners.commands.schedule_parser import PLANS, parse_plan
from handlers.listeners.commands.time_parser import leading_time, parse_until
from handlers.origin import Place
from supervisor.contract.models import ScheduleView
from supervisor.contract.requests import EventRequest, PauseRequest, ResumeRequest, ScheduleRequest
from supervisor.contract.schedules import ScheduleService
from supervisor.core.errors import InvalidInput
from supervisor.core.events import Actor
from supervisor.core.text.format import woken
from supervisor.core.text.masking import Masker
from supervisor.core.text.visible import one_line
from supervisor.core.times import ACCEPTED

_DROP = re.compile(r"drop\s+`?(?P<id>t\d{1,6})`?", re.IGNORECASE)
SCHEDULES_SHOWN = 40
# Slack's clients type these in place of straight quotes.
_STRAIGHT = str.maketrans("“”„‘’", '"""\'\'')


async def pause(flagman: ListenerContext, command: Command, actor: Actor) -> str:
    """Carry out `pause <id> [alone] [[only] until … | for …] [because …]`."""
    until = parse_until(command.rest, flagman.clock(), await flagman.people.zone(actor))
    request = PauseRequest.of(reason=until.detail, replace=until.only, cascade=not until.alone)
    paused = await flagman.sessions(actor).pause(command.session_id, request, conditions=until.conditions)
    if any(condition.type == "approval" for condition in until.conditions):
        return f":raised_hand: `{paused.session_id}` is paused until it is approved or denied in its thread."
    waits = f" until {' or '.join(condition_text(c) for c in until.conditions)}" if until.conditions else ""
    if len(paused.conditions) > len(until.conditions):
        waits += ", besides what it waits for already" if waits else ""
    several = f" Its {paused.sub_agents} sub-agents pause with it."
    below = {0: "", 1: " Its sub-agent pauses with it."}.get(paused.sub_agents, several)
    problems = "".join(f"\n:warning: {escape(problem)}" for problem in paused.problems)
    return (
        f":double_vertical_bar: `{paused.session_id}` is paused{waits}. "
        f"`{flagman.command} resume {paused.session_id}` resumes at any time.{below}{problems}"
    )


async def resume(flagman: ListenerContext, command: Command, actor: Actor) -> str:
    """Carry out `resume <id> [message]`, `resume <id> compact`, `resume <id> in 2h` or `resume <id> at 09:00`."""
    sessions = flagman.sessions(actor)
    if command.rest.strip().lower() == "compact":
        session = await sessions.resume(command.session_id, ResumeRequest(compact=True))
        return f":arrow_forward: `{session.id}` resumes; its earlier steps are summed up first."
    timed = leading_time(command.rest, flagman.clock(), await flagman.people.zone(actor))
    if timed is None:
        words = unquote(command.rest)
        session = await sessions.resume(command.session_id, ResumeRequest.of(context=words))
        return f":arrow_forward: `{session.id}` resumes."
    due, words = timed
    session = await sessions.resume_later(command.session_id, due, context=words)
    told = " The agent reads your message first." if words else ""
    return f":alarm_clock: `{session.id}` resumes {moment(due, date=True)}, or earlier if somebody resumes it.{told}"


async def event(flagman: ListenerContext, command: Command, actor: Actor, delivery: str) -> str:
    """Carry out `event <type> [JSON]`; the same delivery again does nothing."""
    name, _, data = command.rest.strip().partition(" ")
    if not name:
        raise InvalidInput(f'Which event? Write `{flagman.command} event deploy.finished {{"env": "prod"}}`.')
    try:
        found = json.loads(data.translate(_STRAIGHT)) if data.strip() else None
    except (ValueError, RecursionError):
        raise InvalidInput(
            f'What follows the event is no JSON; write `{flagman.command} event {name} {{"env": "prod"}}`.'
        ) from None
    done = await flagman.sessions(actor).emit(EventRequest.of(type=name, data=found, id=f"slack:{delivery}"))
    named = [f"`{session_id}`" for session_id in done.resumed]
    return f":zap: {woken(named, done.others, repeated=done.repeated)}"


async def remind(flagman: ListenerContext, command: Command, actor: Actor) -> str:
    """Carry out `remind <id> in 30m "look at the graph"`, or `remind <id> drop t1`."""
    sessions = flagman.sessions(actor)
    if dropped := _DROP.fullmatch(command.rest.strip()):
        await sessions.drop_reminder(command.session_id, dropped["id"].lower())
        return f":alarm_clock: Reminder `{dropped['id'].lower()}` is dropped."
    timed = leading_time(command.rest, flagman.clock(), await flagman.people.zone(actor))
    if timed is None:
        raise InvalidInput(f"When? {ACCEPTED}")
    due, text = timed
    made = await sessions.remind_at(command.session_id, due, text=text)
    return (
        f":alarm_clock: A reminder is set in the thread of `{command.session_id}` for {moment(due, date=True)}; "
        f"`{flagman.command} remind {command.session_id} drop {made.id}` takes it back."
    )


async def schedule(flagman: ListenerContext, command: Command, actor: Actor, place: Place) -> list[Block]:
    """Carry out `schedule "<cron>" launch <persona> "<task>"` or `schedule list|pause|resume|delete|run <id>`."""
    plan = parse_plan(command.rest, flagman.command)
    schedules = ScheduleService(flagman.services, actor)
    match plan.verb:
        case "list":
            return _list_blocks(await schedules.list(), flagman)
        case "add":
            zone = await flagman.people.zone(actor)
            request = ScheduleRequest.of(
                cron=plan.cron, persona=plan.persona, task=plan.task, zone=zone, overlap=plan.overlap
            )
            made = await schedules.add(request, origin=place.origin())
            return [_row(made, flagman.mask, f":calendar: Scheduled as `{made.id}`.")]
        case "pause":
            paused = await schedules.pause(plan.schedule_id)
            return [_row(paused, flagman.mask, ":double_vertical_bar: Paused.")]
        case "resume":
            resumed = await schedules.resume(plan.schedule_id)
            return [_row(resumed, flagman.mask, ":arrow_forward: Resumed.")]
        case "delete":
            await schedules.delete(plan.schedule_id)
            return [mrkdwn(f":wastebasket: Schedule `{plan.schedule_id}` is deleted.")]
        case "run":
            session = await schedules.run(plan.schedule_id)
            return [mrkdwn(f":rocket: Started `{session.id}` now.")]
    raise InvalidInput(PLANS)


def _list_blocks(schedules: list[ScheduleView], flagman: ListenerContext) -> list[Block]:
    if not schedules:
        example = f'`{flagman.command} schedule "0 9 * * MON" launch sre "weekly report"`'
        return [mrkdwn(f"There are no schedules. Make one: {example}")]
    more = len(schedules) - SCHEDULES_SHOWN
    left = [context(f"and {more} more; `flagman schedule list` shows all.")] if more > 0 else []
    return [*(_row(one, flagman.mask) for one in schedules[:SCHEDULES_SHOWN]), *left]


def _row(schedule: ScheduleView, mask: Masker, said: str = "") -> Block:
    """Return a schedule with its next times and a button to launch it now; `said` is what was done to it."""
    times = ", ".join(moment(due, date=True) for due in schedule.next_times[:3])
    when = f"next {times}" if schedule.due else "*paused*"
    about = f"{escape(schedule.persona)} · `{escape(schedule.cron)}` ({escape(schedule.zone)})"
    last = f" · last `{schedule.last_session}`" if schedule.last_session else ""
    problem = one_line(mask(schedule.last_problem or ""), 120)
    lines = [
        *([said] if said else []),
        f"*{escape(one_line(mask(schedule.task), 80))}*",
        f"{about} · {when}{last} · `{schedule.id}`",
        *([f":warning: {escape(problem)}"] if problem else []),
    ]
    return {**mrkdwn("\n".join(lines)), "accessory": button("Run now", Action.SCHEDULE_RUN, schedule.id)}
