"""Whoever asks while a call is under way goes with the others in the next one, and gets an answer of its own."""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, TypeVar

import pytest

from api import grouping
from api.grouping import MOST_CARS, MOST_REQUESTS, Grouping, Order
from grid.http import Reply
from grid.problems import Problem

SOON_S = 3.0
"""Maximum time for any answer: a request without one fails its test."""

T = TypeVar("T")


def in_thread(call: Callable[..., T], *args: Any) -> "Future[T]":
    """Calls in a thread that neither a fixture nor the end of the process joins: it may never return."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(call(*args))
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future


def order(name: str) -> Order:
    return {"session_id": name}


class Balancers:
    """They answer each order with its name, when they are told to: `hold` makes calls wait until `go_on`."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, list[str]]] = []
        self.error: BaseException | None = None
        self.refuses = ""
        self.fails = ""
        self.forgets = 0
        self._goes_on = threading.Event()
        self._goes_on.set()
        self.called = threading.Semaphore(0)

    def route(self, request_ids: str, orders: Sequence[Order]) -> Reply:
        names = [each["session_id"] for each in orders]
        self.calls.append((request_ids, names))
        self.called.release()
        assert self._goes_on.wait(SOON_S)
        if self.error:
            raise self.error
        if names == [self.fails]:
            raise Problem("balancer-unavailable", "gone")
        if self.refuses in names:
            return Reply(422, {"refused": self.refuses})
        return Reply(207, names[self.forgets :])

    def hold(self) -> None:
        self._goes_on.clear()

    def go_on(self) -> None:
        self._goes_on.set()


@pytest.fixture
def balancers() -> Balancers:
    return Balancers()


@pytest.fixture
def grouped(balancers: Balancers, monkeypatch: pytest.MonkeyPatch) -> Grouping:
    monkeypatch.setattr(grouping, "PATIENCE_S", 2 * SOON_S)
    return Grouping(balancers.route)


Ask = Callable[..., "Future[Reply]"]


@pytest.fixture
def ask(balancers: Balancers, grouped: Grouping) -> Ask:
    """Ask in a thread of its own. Returns when the request is under way, or in the queue."""

    def ask(name: str, cars: int = 1) -> "Future[Reply]":
        before = len(grouped._queue), len(balancers.calls)
        future = in_thread(grouped, f"id-{name}", [order(name if cars == 1 else f"{name}{i}") for i in range(cars)])
        deadline = time.monotonic() + SOON_S
        while (len(grouped._queue), len(balancers.calls)) == before and not future.done():
            assert time.monotonic() < deadline, f"{name} is neither under way nor in the queue"
        return future

    return ask


def bodies(future: "Future[Reply]") -> Any:
    return future.result(SOON_S).body


def ask_alone(grouped: Grouping, name: str) -> Any:
    return bodies(in_thread(grouped, f"id-{name}", [order(name)]))


def test_who_comes_alone_goes_at_once(balancers: Balancers, grouped: Grouping) -> None:
    assert [ask_alone(grouped, name) for name in "ab"] == [["a"], ["b"]]
    assert balancers.calls == [("id-a", ["a"]), ("id-b", ["b"])]


def test_those_who_come_meanwhile_go_together_and_each_has_its_own_answer(balancers: Balancers, ask: Ask) -> None:
    balancers.hold()
    first = ask("a")
    others = [ask("b"), ask("fleet", cars=2), ask("c")]
    balancers.go_on()
    assert [bodies(each) for each in [first, *others]] == [["a"], ["b"], ["fleet0", "fleet1"], ["c"]]
    assert balancers.calls == [("id-a", ["a"]), ("id-b,id-fleet,id-c", ["b", "fleet0", "fleet1", "c"])]


def test_a_group_has_an_end(balancers: Balancers, ask: Ask) -> None:
    balancers.hold()
    asked = [ask(f"{number}") for number in range(1 + MOST_REQUESTS + 3)]
    balancers.go_on()
    assert [bodies(each) for each in asked] == [[f"{number}"] for number in range(len(asked))]
    assert [len(names) for _, names in balancers.calls] == [1, MOST_REQUESTS, 3]


def test_a_large_fleet_goes_alone_and_at_once(balancers: Balancers, ask: Ask) -> None:
    balancers.hold()
    asked = [ask("a"), ask("b"), ask("fleet", cars=MOST_CARS), ask("c")]
    assert [len(names) for _, names in balancers.calls] == [1, MOST_CARS]
    balancers.go_on()
    assert [len(bodies(each)) for each in asked] == [1, 1, MOST_CARS, 1]
    assert [len(names) for _, names in balancers.calls] == [1, MOST_CARS, 2]


def test_fleets_share_a_call_as_far_as_it_goes(balancers: Balancers, ask: Ask) -> None:
    balancers.hold()
    half = MOST_CARS // 2
    asked = [ask("a"), ask("b", cars=half), ask("c", cars=half), ask("d")]
    balancers.go_on()
    assert [len(bodies(each)) for each in asked] == [1, half, half, 1]
    assert [len(names) for _, names in balancers.calls] == [1, 2 * half, 1]


def test_an_error_is_everybodys_in_the_call_and_nobody_elses(balancers: Balancers, ask: Ask) -> None:
    balancers.hold()
    balancers.error = Problem("balancer-unavailable", "no balancer answered in time")
    asked = [ask(name) for name in "abc"]
    balancers.go_on()
    for each in asked:
        with pytest.raises(Problem, match="no balancer answered"):
            each.result(SOON_S)
    balancers.error = None
    assert bodies(ask("d")) == ["d"]


def test_who_is_refused_for_all_is_refused_alone(balancers: Balancers, ask: Ask) -> None:
    balancers.hold()
    balancers.refuses = "b"
    asked = [ask(name) for name in "abc"]
    balancers.go_on()
    assert [bodies(each) for each in asked] == [["a"], {"refused": "b"}, ["c"]]
    assert [ids for ids, _ in balancers.calls] == ["id-a", "id-b,id-c", "id-b", "id-c"]


def test_of_those_who_are_refused_for_all_an_error_of_one_is_its_own(balancers: Balancers, ask: Ask) -> None:
    balancers.hold()
    balancers.refuses, balancers.fails = "c", "d"
    asked = [ask(name) for name in "abcd"]
    balancers.go_on()
    assert [bodies(each) for each in asked[:3]] == [["a"], ["b"], {"refused": "c"}]
    with pytest.raises(Problem, match="gone"):
        asked[3].result(SOON_S)


def test_an_answer_that_is_too_short_is_nobodys(balancers: Balancers, ask: Ask) -> None:
    balancers.forgets = 1
    with pytest.raises(ValueError, match="shorter"):
        ask("a").result(SOON_S)
    balancers.forgets = 0
    assert bodies(ask("b")) == ["b"]


def test_who_is_interrupted_holds_up_nobody(balancers: Balancers, grouped: Grouping) -> None:
    balancers.error = SystemExit()
    with pytest.raises(SystemExit):
        ask_alone(grouped, "a")
    balancers.error = None
    assert ask_alone(grouped, "b") == ["b"]
    assert grouped._under_way == 0


def test_nobody_waits_for_a_balancer_that_hangs(
    balancers: Balancers, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    balancers.hold()
    hangs = ask("a")
    monkeypatch.setattr(grouping, "PATIENCE_S", 0.001)
    impatient = ask("b")
    for _ in (hangs, impatient):
        assert balancers.called.acquire(timeout=SOON_S), "though nobody has been answered"
    balancers.go_on()
    assert (bodies(hangs), bodies(impatient)) == (["a"], ["b"])


def test_under_load_everybody_gets_their_own_answer(balancers: Balancers, grouped: Grouping) -> None:
    def drive(driver: int) -> bool:
        asked = [f"{driver}-{number}" for number in range(100)]
        return all(grouped("id", [order(name)]).body == [name] for name in asked)

    drivers = [in_thread(drive, driver) for driver in range(16)]
    assert all(each.result(SOON_S) for each in drivers)
    assert sum(len(names) for _, names in balancers.calls) == 1_600
    assert grouped._under_way == 0
