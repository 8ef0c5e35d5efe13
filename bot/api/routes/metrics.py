"""What there is to watch, as Prometheus reads it."""

from __future__ import annotations

import time

from aiohttp import web

from bot.api.routes.personas import VERSION
from bot.api.routing import Call, Returns, Routes

routes = Routes("Operation")
_STARTED = time.monotonic()
Sample = tuple[str, float]


@routes(
    "GET",
    "/metrics",
    auth="none",
    returns={200: Returns("In Prometheus' text format.", media=("text/plain",))},
)
async def read_metrics(call: Call) -> web.Response:
    """Counts of sessions, queues and timers."""
    text = "".join(
        [
            _family("flagman_info", "The version that runs.", [(f'{{version="{VERSION}"}}', 1)]),
            _family("flagman_uptime_seconds", "Since this process began.", [("", _uptime())]),
            _family("flagman_sessions", "Sessions by state.", await _sessions(call)),
            *await _queues(call),
            _family("flagman_timers", "Timers that are set.", [("", await call.core.timers().count())]),
            _family(
                "flagman_followers", "Open streams and waits.", [("", call.deps.services.followers.followers)]
            ),
        ]
    )
    return web.Response(text=text, headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})


def _uptime() -> float:
    return round(time.monotonic() - _STARTED, 3)


async def _sessions(call: Call) -> list[Sample]:
    states = ("running", "paused", "ended")
    return [(f'{{state="{state}"}}', await call.core.log.count(state)) for state in states]


async def _queues(call: Call) -> list[str]:
    depths: list[Sample] = []
    parked: list[Sample] = []
    for queue in call.core.queues():
        label = f'{{queue="{queue.name}"}}'
        depths.append((label, await queue.depth()))
        parked.append((label, len(await queue.parked())))
    return [
        _family("flagman_queue_depth", "Jobs queued or under way.", depths),
        _family("flagman_parked", "Jobs taken out after failing again and again.", parked),
    ]


def _family(name: str, what: str, samples: list[Sample]) -> str:
    lines = [f"# HELP {name} {what}", f"# TYPE {name} gauge"]
    lines += [f"{name}{labels} {value:g}" for labels, value in samples]
    return "\n".join(lines) + "\n"
