"""Waiting for sessions to leave the line: one question for all, and nobody holds more threads than there are."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from queue import Queue
from typing import Any, cast

import pytest

from api.balancer import BalancerClient
from api.watch import Watch, WatchError
from grid.http import Reply

LONG_S = 30.0


@dataclass
class Balancer:
    """Knows who waits; `asked` are the sessions of each question."""

    waiting: set[str] = field(default_factory=set)
    status: int = 200
    asked: list[list[str]] = field(default_factory=list)

    def call(self, method: str, path: str, request_id: str, body: Any = None) -> Reply:
        assert (method, path) == ("POST", "/waiting")
        self.asked.append(body)
        return Reply(self.status, {"waiting": sorted(self.waiting & set(body)), "detail": "no"})


@pytest.fixture
def balancer() -> Balancer:
    return Balancer(waiting={"a", "b"})


class Watched(Watch):
    """Says when somebody has begun to wait, so that no test sleeps."""

    def __init__(self, balancer: Balancer, places: int) -> None:
        super().__init__(cast(BalancerClient, balancer), places)
        self.begun: Queue[str] = Queue()

    def _begin(self, session_id: str) -> Any:
        moved = super()._begin(session_id)
        self.begun.put(session_id)
        return moved


@pytest.fixture
def watch(balancer: Balancer) -> Watched:
    return Watched(balancer, places=3)


@pytest.fixture
def drivers(watch: Watched) -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as pool:
        yield pool
        watch.close()


def wait(watch: Watched, drivers: ThreadPoolExecutor, session: str, timeout_s: float = LONG_S) -> "Future[bool]":
    future = drivers.submit(watch.wait, session, timeout_s)
    assert watch.begun.get(timeout=LONG_S) == session
    return future


def test_a_driver_hears_at_the_next_look_that_his_car_waits_no_more(
    watch: Watched, balancer: Balancer, drivers: ThreadPoolExecutor
) -> None:
    a, b = wait(watch, drivers, "a"), wait(watch, drivers, "b")
    watch.look()
    assert not a.done()
    balancer.waiting = {"b"}
    watch.look()
    assert a.result(LONG_S)
    assert not b.done()
    balancer.waiting = set()
    watch.look()
    assert b.result(LONG_S)


def test_one_question_is_asked_for_all_and_none_for_nobody(
    watch: Watched, balancer: Balancer, drivers: ThreadPoolExecutor
) -> None:
    watch.look()
    futures = [wait(watch, drivers, session) for session in ("a", "b", "a")]
    watch.look()
    balancer.waiting = set()
    watch.look()
    assert all(future.result(LONG_S) for future in futures)
    watch.look()
    assert balancer.asked == [["a", "b"], ["a", "b"]]


def test_after_his_time_he_is_answered_all_the_same(watch: Watched, balancer: Balancer) -> None:
    assert watch.wait("a", timeout_s=0.01)
    watch.look()
    assert balancer.asked == []


def test_one_too_many_is_not_kept_waiting(watch: Watched, balancer: Balancer, drivers: ThreadPoolExecutor) -> None:
    futures = [wait(watch, drivers, "a") for _ in range(3)]
    assert not watch.wait("b", LONG_S)
    balancer.waiting = set()
    watch.look()
    assert all(future.result(LONG_S) for future in futures)
    assert watch.wait("b", timeout_s=0.01), "there is a place again"


def test_a_balancer_in_trouble_wakes_nobody(watch: Watched, balancer: Balancer, drivers: ThreadPoolExecutor) -> None:
    future = wait(watch, drivers, "a")
    balancer.status, balancer.waiting = 503, set()
    with pytest.raises(WatchError, match="503: no"):
        watch.look()
    assert not future.done()


def test_a_process_that_stops_answers_everybody(watch: Watched, drivers: ThreadPoolExecutor) -> None:
    future = wait(watch, drivers, "a")
    watch.close()
    assert future.result(LONG_S)
    assert not watch.wait("b", LONG_S)
