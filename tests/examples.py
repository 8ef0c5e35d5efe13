"""How many examples Hypothesis draws: few in the suite, many where a search is asked for."""

from __future__ import annotations

from hypothesis import settings

# Under `--hypothesis-profile=search`.
SEARCH_TIMES = 10


def examples(count: int) -> int:
    """So many in the suite, chosen by what each of them costs; the search draws ten times as many, by chance."""
    return count * SEARCH_TIMES if settings.get_current_profile_name() == "search" else count
