"""Failing fast while Redis is away, and trying now and then."""

from dataclasses import dataclass, field

import pytest

from grid.ledger import Ledger, LedgerUnavailable, connect
from grid.ledger.breaker import FAILURES, RETRY_S, Breaker
from grid.local import free_port


@dataclass
class Clock:
    now: float = 100.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Line:
    """A breaker, and the time it goes by."""

    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        self.breaker = Breaker(self.clock)

    def fail(self, times: int) -> None:
        for _ in range(times):
            self.breaker.failed()


@pytest.fixture
def line() -> Line:
    return Line()


def test_a_few_failures_are_no_reason_to_refuse(line: Line) -> None:
    line.fail(FAILURES - 1)
    assert all(line.breaker.allows() for _ in range(10))


def test_after_more_in_a_row_one_call_at_a_time_may_try(line: Line) -> None:
    line.fail(FAILURES)
    assert not line.breaker.allows()
    line.clock.now += RETRY_S
    assert [line.breaker.allows() for _ in range(3)] == [True, False, False]
    line.clock.now += RETRY_S
    assert line.breaker.allows()


def test_a_try_that_fails_keeps_it_open_and_one_that_succeeds_closes_it(line: Line) -> None:
    line.fail(FAILURES)
    line.clock.now += RETRY_S
    assert line.breaker.allows()
    line.fail(1)
    assert not line.breaker.allows()
    line.breaker.succeeded()
    assert all(line.breaker.allows() for _ in range(10))


def test_failures_count_only_in_a_row(line: Line) -> None:
    for _ in range(10):
        line.fail(FAILURES - 1)
        line.breaker.succeeded()
    assert line.breaker.allows()


def test_a_ledger_without_redis_says_so_at_once_from_then_on() -> None:
    with connect(f"redis://127.0.0.1:{free_port()}/0", timeout_ms=300, connections=1) as redis:
        ledger = Ledger(redis, "default")
        said = []
        for _ in range(FAILURES + 1):
            with pytest.raises(LedgerUnavailable) as refused:
                ledger.ping()
            said.append(str(refused.value))
    assert "has not answered the last calls" in said[-1]
    assert not any("has not answered" in reason for reason in said[:-1])
