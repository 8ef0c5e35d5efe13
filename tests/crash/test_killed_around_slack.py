"""A worker killed around what it tells Slack: afterwards each message stands there once and shows the log."""

from __future__ import annotations

from functools import partial

from tests.crash.house import House, Houses
from tests.support.redis_proxy import When
from tests.support.slack import wait_for

# Whoever waits for that answer is killed before.
NEVER = 600.0


async def around_post(house: House, marks: tuple[str, ...], when: When) -> None:
    """Killed at a command to the store while the card or the question is posted."""
    house.propose("write_file", {"path": "a.txt", "content": "a"})
    _, worker = await house.both()
    trap = house.worker_proxy.at(marks, when, worker.kill)
    session_id = await house.launch()
    await wait_for(trap.sprung.is_set)
    await house.worker()
    await house.session(session_id, lambda s: s.waiting_for == "human_approval_required")
    await house.converged(session_id)
    await house.approve(session_id)
    await house.completed(session_id)


async def arrived_unanswered(house: House, method: str) -> None:
    """Slack takes a call and its answer never comes: the worker dies while it waits."""
    house.propose("write_file", {"path": "a.txt", "content": "a"})
    _, worker = await house.both()
    if method == "chat.update":
        session_id = await house.launch()
        await house.asked(session_id)
        await house.converged(session_id)
        await house.slack.fault(method, when="after", delay_s=NEVER)
        await house.approve(session_id)
    else:
        await house.slack.fault(method, when="after", delay_s=NEVER)
        session_id = await house.launch()
    await wait_for(lambda: not house.slack.playground.faults.listed())
    worker.kill()
    await worker.ended()
    await house.worker()
    if method != "chat.update":
        await house.session(session_id, lambda s: s.waiting_for == "human_approval_required")
        await house.converged(session_id)
        await house.approve(session_id)
    await house.completed(session_id)


async def around_update(house: House, marks: tuple[str, ...], when: When) -> None:
    """Killed while the decision is being shown: no button stays alive."""
    house.propose("write_file", {"path": "a.txt", "content": "a"})
    _, worker = await house.both()
    session_id = await house.launch()
    await house.asked(session_id)
    await house.converged(session_id)
    trap = house.worker_proxy.at(marks, when, worker.kill)
    await house.approve(session_id)
    await wait_for(trap.sprung.is_set)
    await house.worker()
    await house.completed(session_id)


async def slack_away(house: House) -> None:
    """Slack answers 503 and 429 for a while and takes some calls nevertheless; nothing is lost or doubled."""
    house.propose("write_file", {"path": "a.txt", "content": "a"})
    await house.both()
    await house.slack.fault("chat.postMessage", status=503, when="after")
    await house.slack.fault("chat.postMessage", status=429, retry_after=1)
    await house.slack.fault("chat.update", status=0, when="after")
    session_id = await house.launch()
    await house.approve(session_id)
    await house.completed(session_id)


async def test_killed_around_posting(houses: Houses) -> None:
    await houses.each(
        {
            "before the card's intent": partial(around_post, marks=("HSETNX", "card"), when="before"),
            "after the card's intent": partial(around_post, marks=("HSETNX", "card"), when="after"),
            "card posted, thread not bound": partial(around_post, marks=("flagman:thread:",), when="before"),
            "card posted, not recorded": partial(
                around_post, marks=("EVALSHA", "card", '"ts":', '"shows":'), when="before"
            ),
            "card recorded": partial(
                around_post, marks=("EVALSHA", "card", '"ts":', '"shows":'), when="after"
            ),
            "before the question's intent": partial(around_post, marks=("HSETNX", "ask:"), when="before"),
            "after the question's intent": partial(around_post, marks=("HSETNX", "ask:"), when="after"),
            "question posted, not recorded": partial(
                around_post, marks=("EVALSHA", "ask:", '"ts":', '"shows":'), when="before"
            ),
            "card arrived, unanswered": partial(arrived_unanswered, method="chat.postMessage"),
        }
    )


async def test_killed_around_updating(houses: Houses) -> None:
    await houses.each(
        {
            "before the question's update": partial(
                around_update, marks=("notbefore:chat.update",), when="before"
            ),
            "updated, not recorded": partial(
                around_update, marks=("\r\nHSET\r\n", "ask:", '"ts":'), when="before"
            ),
            "updated and recorded": partial(
                around_update, marks=("\r\nHSET\r\n", "ask:", '"ts":'), when="after"
            ),
            "update arrived, unanswered": partial(arrived_unanswered, method="chat.update"),
            "slack is away": slack_away,
        }
    )
