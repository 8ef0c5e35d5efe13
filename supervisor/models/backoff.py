"""How long to wait before asking a provider again."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import timedelta

LONGEST_RETRY_AFTER = timedelta(seconds=60)


@dataclass(frozen=True)
class Backoff:
    """Exponential growth from `first_delay` up to `max_delay`, with full jitter."""

    first_delay: timedelta
    max_delay: timedelta

    def wait(self, failures: int, retry_after: float | None) -> float:
        """Seconds to wait after the given number of failures (1 or more).

        A provider's own `retry_after` (seconds) is obeyed up to a minute; a little jitter on top keeps
        sessions that were refused together from coming back together.
        """
        first = self.first_delay.total_seconds()
        if retry_after is not None:
            return min(retry_after, LONGEST_RETRY_AFTER.total_seconds()) + _jitter(first)
        # The exponent is capped, as 2**1024 no longer fits a float.
        return _jitter(min(self.max_delay.total_seconds(), first * 2.0 ** min(failures - 1, 60)))


def _jitter(ceiling: float) -> float:
    return random.uniform(0, ceiling)  # noqa: S311 - spreads load, guards nothing
