"""Slack's rate limits: so many calls of a method a minute in a workspace, one post a second into a channel.

The tiers are those of the page of each method below https://docs.slack.dev/reference/methods, their sizes and
what is special about posts those of https://docs.slack.dev/apis/web-api/rate-limits. Slack calls the sizes a least
and tolerates bursts, without a number; here a minute's calls may come at once, and then no more in those 60 seconds.
"""

import math
import time
from collections import deque

from bot.playground.settings import Settings

WINDOW_SECONDS = 60.0
TIER_2, TIER_3, TIER_4 = 20, 50, 100
# "Hundreds of times a minute" in the words of their pages.
SPECIAL = 600

PER_MINUTE = {
    "api.test": TIER_4,
    "apps.connections.open": TIER_3,
    "assistant.threads.setStatus": SPECIAL,
    "auth.test": SPECIAL,
    "bots.info": TIER_3,
    "chat.delete": TIER_3,
    "chat.getPermalink": SPECIAL,
    "chat.meMessage": TIER_3,
    "chat.postEphemeral": TIER_4,
    "chat.update": TIER_3,
    "conversations.history": TIER_3,
    "conversations.info": TIER_3,
    "conversations.join": TIER_3,
    "conversations.list": TIER_2,
    "conversations.members": TIER_4,
    "conversations.open": TIER_3,
    "conversations.replies": TIER_3,
    "files.completeUploadExternal": TIER_4,
    "files.delete": TIER_3,
    "files.getUploadURLExternal": TIER_4,
    "files.info": TIER_4,
    "reactions.add": TIER_3,
    "reactions.remove": TIER_2,
    "team.info": TIER_3,
    "usergroups.list": TIER_2,
    "usergroups.users.list": TIER_2,
    "users.conversations": TIER_3,
    "users.info": TIER_4,
    "users.list": TIER_2,
    "users.lookupByEmail": TIER_3,
    "views.open": TIER_4,
    "views.publish": TIER_4,
    "views.push": TIER_4,
    "views.update": TIER_4,
}
POST = "chat.postMessage"
# One a second into a channel, a short burst tolerated, and "several hundred" a minute into all of them.
POSTS_A_SECOND, POST_BURST, POSTS_A_MINUTE = 1.0, 10, 300


class _Window:
    """At most so many calls in any 60 seconds."""

    def __init__(self) -> None:
        self._calls: deque[float] = deque()

    def wait(self, most: int, now: float) -> float:
        """Seconds until there is room; 0 if there is."""
        while self._calls and self._calls[0] <= now - WINDOW_SECONDS:
            self._calls.popleft()
        return 0.0 if len(self._calls) < most else self._calls[len(self._calls) - most] + WINDOW_SECONDS - now

    def take(self, now: float) -> None:
        """Count a call."""
        self._calls.append(now)


class _Bucket:
    """So many at once, refilled at a steady rate."""

    def __init__(self, size: float, now: float) -> None:
        self._level, self._since = size, now

    def wait(self, size: float, per_second: float, now: float) -> float:
        """Seconds until there is one; 0 if there is."""
        self._level = min(size, self._level + (now - self._since) * per_second)
        self._since = now
        return max(0.0, (1 - self._level) / per_second)

    def take(self) -> None:
        """Use one."""
        self._level -= 1


class RateLimits:
    """A window for each method, and for posts a bucket for each channel; a call that is refused is not counted."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._windows: dict[str, _Window] = {}
        self._buckets: dict[str, _Bucket] = {}

    def wait(self, method: str, channel: str) -> int:
        """Whole seconds for Retry-After, or 0 if the call may go on."""
        if not self._settings.rate_limits:
            return 0
        now, scale = time.monotonic(), self._settings.rate_scale
        window = self._windows.setdefault(method, _Window())
        waits = [window.wait(self._most(method), now)]
        bucket = None
        if method == POST:
            size = max(1.0, POST_BURST * scale)
            bucket = self._buckets.setdefault(channel, _Bucket(size, now))
            waits.append(bucket.wait(size, POSTS_A_SECOND * scale, now))
        if max(waits) > 0:
            return math.ceil(max(waits))
        window.take(now)
        if bucket:
            bucket.take()
        return 0

    def _most(self, method: str) -> int:
        given = self._settings.calls_per_minute.get(method)
        if given is not None:
            return given
        tier = POSTS_A_MINUTE if method == POST else PER_MINUTE[method]
        return max(1, round(tier * self._settings.rate_scale))
