"""What programs do is the same on a primary that Sentinels name and on a cluster, with any number of partitions.

The stories are those that are told of one server; here each store is another kind of it.
"""

from __future__ import annotations

import pytest

from tests.api.conftest import build, house, slack
from tests.api.test_sessions_by_http import test_a_list_is_paged_and_filtered_and_skips_none
from tests.api.test_webhooks_wake_sessions import test_one_that_comes_early_is_kept_until_somebody_waits
from tests.audit.test_calls_allowed_in_advance import test_in_a_session_calls_that_match_run_without_asking
from tests.mcp.test_secrets_by_name import test_they_are_encrypted_and_survive_a_rotation_of_the_key

pytestmark = pytest.mark.usefixtures("partitions")
__all__ = [
    "build",
    "house",
    "slack",
    "test_a_list_is_paged_and_filtered_and_skips_none",
    "test_in_a_session_calls_that_match_run_without_asking",
    "test_one_that_comes_early_is_kept_until_somebody_waits",
    "test_they_are_encrypted_and_survive_a_rotation_of_the_key",
]
