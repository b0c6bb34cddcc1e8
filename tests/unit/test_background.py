"""Work beside the requests: every so often, at once when woken, and it goes on when it fails."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from queue import Queue
from typing import Protocol

import pytest
from flask import Flask

from grid.background import Background, start_all, stop_all

NEVER_MS = 3_600_000
SOON_S = 5.0


@dataclass
class Rounds:
    """Work of which the test sees every round, and whose rounds it can make fail."""

    done: Queue[int] = field(default_factory=Queue)
    fails: Callable[[int], bool] = lambda number: False
    number: int = 0
    said: list[str] = field(default_factory=list)

    def work(self) -> None:
        self.number += 1
        self.done.put(self.number)
        if self.fails(self.number):
            raise RuntimeError(f"round {self.number}")

    def last_words(self) -> None:
        self.said.append(f"after round {self.number}")

    def next(self) -> int:
        return self.done.get(timeout=SOON_S)


@pytest.fixture
def rounds() -> Rounds:
    return Rounds()


@pytest.fixture
def background(rounds: Rounds) -> Iterator["Start"]:
    """Started, and stopped when the test is done."""
    made: list[Background] = []

    def start(interval_ms: int, rest_ms: int = 0) -> Background:
        made.append(Background("worker", rounds.work, interval_ms, rounds.last_words, rest_ms=rest_ms))
        made[-1].start()
        return made[-1]

    yield start
    for one in made:
        one.stop()


class Start(Protocol):
    def __call__(self, interval_ms: int, rest_ms: int = 0) -> Background: ...


def test_the_first_round_is_at_once_and_the_next_after_the_interval(rounds: Rounds, background: Start) -> None:
    background(1)
    assert [rounds.next() for _ in range(5)] == [1, 2, 3, 4, 5]


def test_it_can_be_woken(rounds: Rounds, background: Start) -> None:
    worker = background(NEVER_MS)
    for number in range(1, 5):
        assert rounds.next() == number
        worker.wake()


def test_woken_while_it_rests_it_does_one_round_more_when_it_has_rested(rounds: Rounds, background: Start) -> None:
    worker = background(NEVER_MS, rest_ms=50)
    rounds.next()
    began = time.monotonic()
    while rounds.done.empty():
        worker.wake()
    assert rounds.next() == 2
    assert time.monotonic() - began >= 0.04, "the first round was over a little earlier"


def test_stopped_while_it_rests_it_ends_at_once(rounds: Rounds, background: Start) -> None:
    worker = background(1, rest_ms=NEVER_MS)
    rounds.next()
    worker.stop(timeout_s=SOON_S)
    assert "worker" not in [thread.name for thread in threading.enumerate()]
    assert rounds.number == 1


def test_a_round_that_failed_is_repeated_sooner(rounds: Rounds, background: Start) -> None:
    rounds.fails = lambda number: number < 4
    background(NEVER_MS)
    assert [rounds.next() for _ in range(4)] == [1, 2, 3, 4]


def test_woken_during_a_round_it_does_another(background: Start, rounds: Rounds) -> None:
    woken = threading.Event()
    rounds.fails = lambda number: number == 1 and not woken.wait(SOON_S)
    worker = background(NEVER_MS)
    assert rounds.next() == 1
    worker.wake()
    woken.set()
    assert rounds.next() == 2


def test_failing_work_goes_on_and_is_logged_once_until_it_works(
    rounds: Rounds, background: Start, caplog: pytest.LogCaptureFixture
) -> None:
    rounds.fails = lambda number: number in (2, 3, 4, 7)
    worker = background(1)
    while rounds.next() < 9:
        pass
    worker.stop()
    assert [record.getMessage() for record in caplog.records if record.name == "grid.background"] == [
        "worker: round 2; trying again until it works",
        "worker works again",
        "worker: round 7; trying again until it works",
        "worker works again",
    ]


def test_stopped_it_finishes_its_round_says_its_last_words_and_ends(rounds: Rounds, background: Start) -> None:
    in_the_middle, go_on = threading.Event(), threading.Event()

    def slow(number: int) -> bool:
        in_the_middle.set()
        assert go_on.wait(SOON_S)
        rounds.said.append("finished")
        return False

    rounds.fails = slow
    worker = background(NEVER_MS)
    assert in_the_middle.wait(SOON_S)
    stopping = threading.Thread(target=worker.stop)
    stopping.start()
    go_on.set()
    stopping.join(SOON_S)
    assert not stopping.is_alive()
    assert rounds.said == ["finished", "after round 1"]
    worker.wake()
    assert rounds.number == 1


def test_stopped_while_it_waits_it_ends_at_once(rounds: Rounds, background: Start) -> None:
    worker = background(NEVER_MS)
    rounds.next()
    worker.stop(timeout_s=SOON_S)
    assert "worker" not in [thread.name for thread in threading.enumerate()]
    assert rounds.said == ["after round 1"]


def test_a_round_that_hangs_does_not_keep_the_process_from_stopping(rounds: Rounds, background: Start) -> None:
    released = threading.Event()
    rounds.fails = lambda number: not released.wait(SOON_S)
    worker = background(NEVER_MS)
    rounds.next()
    worker.stop(timeout_s=0.01)
    assert rounds.said == ["after round 1"]
    released.set()


def test_an_apps_work_starts_and_stops_with_it(rounds: Rounds) -> None:
    app = Flask(__name__)
    start_all(app)
    stop_all(app)
    app.extensions["background"] = [Background("worker", rounds.work, NEVER_MS, rounds.last_words)]
    start_all(app)
    assert rounds.next() == 1
    stop_all(app)
    assert rounds.said == ["after round 1"]
