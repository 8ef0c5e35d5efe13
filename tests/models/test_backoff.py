"""Waiting grows, stays below its ceiling, and obeys the provider up to a minute."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st
from tenacity import AsyncRetrying, Future, RetryCallState

from supervisor.core.errors import GatewayError
from supervisor.models.provider import RetryWait

WAIT = RetryWait(timedelta(seconds=1), timedelta(seconds=20))


def wait_after(failures: int, told: float | None) -> float:
    """Seconds before the next attempt, after that many failures of which the last one named `told`."""
    state = RetryCallState(AsyncRetrying(), None, (), {})
    state.attempt_number = failures
    state.outcome = Future(failures)
    state.outcome.set_exception(GatewayError("unavailable", "Busy.", retryable=True, retry_after=told))
    return WAIT(state)


@given(failures=st.integers(1, 10_000))
def test_grows_up_to_the_longest_delay(failures: int) -> None:
    assert 0 <= wait_after(failures, None) <= min(20, 2 ** min(failures - 1, 10))


@given(failures=st.integers(1, 10), told=st.floats(0, 1e9))
def test_obeys_the_provider_up_to_a_minute(failures: int, told: float) -> None:
    asked = min(told, 60)
    assert asked <= wait_after(failures, told) <= asked + 1


def test_sessions_do_not_come_back_together() -> None:
    assert len({wait_after(4, None) for _ in range(50)}) > 40
