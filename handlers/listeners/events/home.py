"""Publishes the home tab when a person opens it, and keeps it current while they may look at it."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from handlers.context import ListenerContext
from handlers.directories import WorkspaceGone
from handlers.messages.home import HomeTab, Need, Scheduled, home
from handlers.team_ids import bare, qualified, team_of
from handlers.users import actor_of
from storage.change_feed import ChangeFeed
from storage.errors import StorageError
from supervisor.contract.models import ScheduleView
from supervisor.contract.notifications import NotificationsView
from supervisor.contract.schedules import ScheduleService
from supervisor.core.errors import FlagmanError
from supervisor.core.events import Actor
from supervisor.core.state import Call, Session

# A tab is kept current for so long after it was opened, for so many people.
KEPT, MOST_KEPT = timedelta(days=2), 200
# Seconds for which changes are collected before the tabs are looked at.
EVERY = 2.0
AGAIN = 2.0
# How long the person is shown what they decided.
RECENT = timedelta(minutes=15)
# The context and the client of a workspace by its key. Raises WorkspaceGone.
At = Callable[[str], Awaitable[tuple[ListenerContext, AsyncWebClient]]]
_log = logging.getLogger("flagman.home")


async def opened(
    flagman: ListenerContext, body: dict[str, Any], event: dict[str, Any], client: AsyncWebClient
) -> None:
    """Publish the tab of the person who opened it; the tab with messages has nothing to publish."""
    if event.get("tab") == "messages":
        return
    person, now = str(event["user"]), flagman.clock()
    await flagman.rows.open_home(
        qualified(flagman.team, person), now.timestamp(), since=(now - KEPT).timestamp()
    )
    await client.views_publish(user_id=person, view=await home_view(flagman, actor_of(body)))


async def home_view(flagman: ListenerContext, actor: Actor) -> dict[str, Any]:
    """Return the tab of a person, with nothing that they may not see or decide."""
    sessions = flagman.sessions(actor)
    requests = await sessions.inbox()
    needs = [
        Need(one.kind, one.session, one.call, one.child.id if one.child else "")
        for one in sorted(requests, key=lambda one: one.session.changed_at)
    ]
    asked = {need.session.id for need in needs}
    seen = await sessions.recent(limit=40)
    open_ = [one for one in seen if not one.ended and not one.lineage and one.id not in asked]
    yours = [one for one in open_ if actor.id in one.requesters]
    others = [one for one in open_ if one not in yours]
    shown = [*(need.session for need in needs), *yours, *others]
    schedules = await ScheduleService(flagman.services, actor).list()
    tab = HomeTab(
        needs=needs,
        decided=_decided(flagman, seen, actor),
        yours=yours,
        running=others,
        schedules=[_scheduled(schedule) for schedule in schedules],
        addresses=await flagman.cards(shown),
        risks={name: tool.risk for name, tool in flagman.supervisor.tools.items()},
        notifications=NotificationsView.of(await flagman.services.notifications.get(actor.id)),
    )
    return home(tab, flagman.mask, flagman.command)


def _decided(flagman: ListenerContext, seen: list[Session], actor: Actor) -> list[tuple[Session, Call]]:
    """Return the calls on which the person decided last, the newest first."""
    since = flagman.clock() - RECENT
    calls = [(one, call) for one in seen for step in one.steps for call in step.calls if call.decisions]
    mine = [
        (one, call)
        for one, call in calls
        if call.phase != "awaiting" and call.decisions[-1].by == actor.id and call.decisions[-1].at > since
    ]
    return sorted(mine, key=lambda row: row[1].decisions[-1].at, reverse=True)


def _scheduled(schedule: ScheduleView) -> Scheduled:
    return Scheduled(
        schedule.id,
        schedule.task,
        schedule.persona,
        schedule.cron,
        schedule.zone,
        schedule.next_times,
        paused=not schedule.due,
        problem=schedule.last_problem or "",
    )


async def keep_current(flagman: ListenerContext, at: At, feed: ChangeFeed) -> None:
    """Publish the tabs again whose contents changed, until cancelled; `at` finds the workspaces of people."""
    published: dict[str, str] = {}
    while True:
        try:
            async with feed.subscribe(pause=EVERY) as changes:
                async for _ in changes:
                    await _publish_changed(flagman, at, published)
        except StorageError as error:
            _log.info("home tabs are not kept current for now: %s", error)
        await asyncio.sleep(AGAIN)


async def _publish_changed(flagman: ListenerContext, at: At, published: dict[str, str]) -> None:
    since = (flagman.clock() - KEPT).timestamp()
    for person in await flagman.rows.homes(since=since, most=MOST_KEPT):
        try:
            here, client = await at(team_of(person))
            view = await home_view(here, Actor(id=f"slack:{person}"))
            mark = hashlib.blake2b(json.dumps(view, sort_keys=True).encode(), digest_size=12).hexdigest()
            if published.get(person) != mark:
                await client.views_publish(user_id=bare(person), view=view)
                published[person] = mark
        except WorkspaceGone:
            continue
        except (FlagmanError, SlackApiError, aiohttp.ClientError, TimeoutError) as error:
            # It is published again with the next change, or when the person opens it.
            _log.info("the home tab of %s is not current: %s", person, error)
