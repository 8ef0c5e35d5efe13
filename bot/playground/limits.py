"""Slack's rate limits: calls per minute of each method, and posts per second into each channel.

The tier of each method is that of its page below https://docs.slack.dev/reference/methods; the sizes of the
tiers and the limits for posts are those of https://docs.slack.dev/apis/web-api/rate-limits. Slack calls the
sizes minimums and tolerates bursts of unstated size; here a whole minute's calls may come at once, then none
until 60 seconds have passed.
"""

import math
import time
from collections import deque

from bot.playground.settings import Settings

WINDOW_SECONDS = 60.0
TIER_2, TIER_3, TIER_4 = 20, 50, 100
# Slack documents these as "hundreds of times a minute".
SPECIAL = 600

PER_MINUTE = {
    "agents.sessions.setStatus": TIER_3,
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
# Slack documents one post a second per channel with bursts, and "several hundred" a minute in all.
POSTS_A_SECOND, POST_BURST, POSTS_A_MINUTE = 1.0, 10, 300


class _Window:
    """Sliding window that counts the calls of the last 60 seconds."""

    def __init__(self) -> None:
        self._calls: deque[float] = deque()

    def wait(self, most: int, now: float) -> float:
        """Return the seconds until fewer than `most` calls are in the window; 0 if that is so now."""
        while self._calls and self._calls[0] <= now - WINDOW_SECONDS:
            self._calls.popleft()
        return 0.0 if len(self._calls) < most else self._calls[len(self._calls) - most] + WINDOW_SECONDS - now

    def take(self, now: float) -> None:
        """Count a call at time `now`."""
        self._calls.append(now)


class _Bucket:
    """Token bucket that is refilled at a steady rate."""

    def __init__(self, size: float, now: float) -> None:
        self._level, self._since = size, now

    def wait(self, size: float, per_second: float, now: float) -> float:
        """Return the seconds until a token is available; 0 if one is available now."""
        self._level = min(size, self._level + (now - self._since) * per_second)
        self._since = now
        return max(0.0, (1 - self._level) / per_second)

    def take(self) -> None:
        """Take one token."""
        self._level -= 1


class RateLimits:
    """A window for each method and a bucket for the posts of each channel; rejected calls are not counted."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._windows: dict[str, _Window] = {}
        self._buckets: dict[str, _Bucket] = {}

    def wait(self, method: str, channel: str) -> int:
        """Count the call and return 0, or return the whole seconds for `Retry-After` without counting it."""
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
