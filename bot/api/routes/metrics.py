"""The route of the metrics: gauges of sessions, queues and timers in Prometheus' text format."""

from __future__ import annotations

import time

from aiohttp import web
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from bot.api.routes.personas import VERSION
from bot.api.routing import Call, Returns, Routes

routes = Routes("Operation")
_STARTED = time.monotonic()


@routes(
    "GET",
    "/metrics",
    auth="none",
    returns={200: Returns("In Prometheus' text format.", media=("text/plain",))},
)
async def read_metrics(call: Call) -> web.Response:
    """Counts of sessions, queues and timers."""
    registry = CollectorRegistry()

    def gauge(name: str, what: str, *labels: str) -> Gauge:
        return Gauge(f"flagman_{name}", what, labels, registry=registry)

    gauge("info", "The version that runs.", "version").labels(VERSION).set(1)
    gauge("uptime_seconds", "Since this process began.").set(round(time.monotonic() - _STARTED, 3))
    sessions = gauge("sessions", "Sessions by state.", "state")
    for state in ("running", "paused", "ended"):
        sessions.labels(state).set(await call.core.log.count(state))
    depth = gauge("queue_depth", "Jobs queued or under way.", "queue")
    parked = gauge("parked", "Jobs that cannot be done as yet and are tried again.", "queue")
    for queue in call.core.queues():
        depth.labels(queue.name).set(await queue.depth())
        parked.labels(queue.name).set(len(await queue.troubles()))
    gauge("refusals_unrecorded", "Refused actions that the log of their session had no room for.").set(
        call.core.supervisor.refusals.unrecorded
    )
    gauge("timers", "Timers that are set.").set(await call.core.timers().count())
    gauge("followers", "Open streams and waits.").set(call.deps.services.followers.followers)
    return web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})
