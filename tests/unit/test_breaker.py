"""Failing fast while Redis is away."""

import pytest

from grid.ledger import Ledger, LedgerUnavailable, connect
from grid.ledger.breaker import FAILURES, Breaker
from grid.local import free_port


@pytest.fixture
def breaker() -> Breaker:
    return Breaker()


def fail(breaker: Breaker, times: int) -> None:
    for _ in range(times):
        breaker.failed(TimeoutError("no answer"))


def test_a_few_failures_are_no_reason_to_refuse(breaker: Breaker) -> None:
    fail(breaker, FAILURES - 1)
    assert not breaker.is_open


def test_more_in_a_row_open_it_until_a_call_succeeds(breaker: Breaker) -> None:
    fail(breaker, FAILURES)
    assert breaker.is_open
    fail(breaker, 1)
    assert breaker.is_open
    breaker.succeeded()
    assert not breaker.is_open


def test_failures_count_only_in_a_row(breaker: Breaker) -> None:
    for _ in range(10):
        fail(breaker, FAILURES - 1)
        breaker.succeeded()
    assert not breaker.is_open


def test_a_ledger_without_redis_says_so_at_once_from_then_on_but_still_sweeps() -> None:
    with connect(f"redis://127.0.0.1:{free_port()}/0", timeout_ms=300, connections=1) as redis:
        ledger = Ledger(redis, "default")
        said = []
        for _ in range(FAILURES + 1):
            with pytest.raises(LedgerUnavailable) as refused:
                ledger.session("default-1")
            said.append(str(refused.value))
        assert "has not answered the last calls" in said[-1]
        assert not any("has not answered" in reason for reason in said[:-1])
        with pytest.raises(LedgerUnavailable) as refused:
            ledger.sweep()
        assert "has not answered" not in str(refused.value), "it tried"
