"""Slack's rate limits: so many calls of a method in a minute, one post a second into a channel."""

import math
import time
from dataclasses import dataclass, field

from bot.playground.settings import Settings

# Calls a minute, by Slack's tiers; what is not named is of tier 3.
PER_MINUTE = {
    "auth.test": 600,
    "apps.connections.open": 20,
    "chat.postEphemeral": 100,
    "conversations.list": 20,
    "users.list": 20,
    "files.getUploadURLExternal": 100,
    "files.completeUploadExternal": 100,
    "conversations.members": 100,
    "users.info": 100,
    "views.open": 100,
    "views.push": 100,
    "views.update": 100,
    "views.publish": 100,
}
TIER_3 = 50
POST_BURST = 10


@dataclass
class _Bucket:
    size: float
    per_second: float
    level: float
    since: float = field(default_factory=time.monotonic)

    def take(self) -> float:
        """Seconds to wait; 0 if there was one left."""
        now = time.monotonic()
        self.level = min(self.size, self.level + (now - self.since) * self.per_second)
        self.since = now
        if self.level >= 1:
            self.level -= 1
            return 0.0
        return (1 - self.level) / self.per_second


class RateLimits:
    """A bucket for each method, and for posts one for each channel."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._buckets: dict[str, _Bucket] = {}

    def wait(self, method: str, channel: str) -> int:
        """Whole seconds for Retry-After, or 0 if the call may go on."""
        if not self._settings.rate_limits:
            return 0
        if method == "chat.postMessage":
            return self._take(f"{method}/{channel}", POST_BURST, 1.0)
        minute = PER_MINUTE.get(method, TIER_3)
        return self._take(method, minute, minute / 60)

    def _take(self, key: str, size: float, per_second: float) -> int:
        bucket = self._buckets.setdefault(key, _Bucket(size, per_second, size))
        return math.ceil(bucket.take())
