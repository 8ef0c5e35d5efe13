"""What people do in Slack is the same on a primary that Sentinels name and on a cluster, with any number of partitions.

The stories are those that are told of one server; here each store is another kind of it.
"""

from __future__ import annotations

import pytest

from tests.e2e.conftest import flagman, slack
from tests.e2e.test_the_whole_loop import test_a_launched_session_waits_for_approval_and_then_runs
from tests.e2e.test_waiting_in_slack import (
    clock,
    test_a_schedule_is_made_listed_run_paused_and_deleted,
    test_a_timed_resume_goes_on_by_itself,
)

pytestmark = pytest.mark.usefixtures("partitions")
__all__ = [
    "clock",
    "flagman",
    "slack",
    "test_a_launched_session_waits_for_approval_and_then_runs",
    "test_a_schedule_is_made_listed_run_paused_and_deleted",
    "test_a_timed_resume_goes_on_by_itself",
]
