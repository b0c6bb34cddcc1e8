"""One substation of three hangs under load: what drivers see of it, and what becomes of their cars."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from .conftest import LONG, Faulty, run_faulty_grid
from .watch import Watch

CAR_KW = 11
PER_SECOND = 15
SECONDS = 8
HANGS_AFTER_S = 1.0
P99_S = 0.6
CHARGES_WITHIN_S = 6.0


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Faulty]:
    """Three substations with room for all of the cars, each."""
    room_kw = CAR_KW * PER_SECOND * SECONDS
    with run_faulty_grid(tmp_path_factory.mktemp("logs"), [room_kw] * 3, PROTECT_KW=str(CAR_KW)) as grid:
        yield grid


@dataclass(frozen=True)
class Answer:
    session: str
    at: float
    took_s: float


def test_while_one_of_three_hangs_drivers_are_answered_in_time_and_every_car_charges(grid: Faulty) -> None:
    hung, *others = grid.local.substations
    watch = Watch(others, [], sample_s=0.1)
    watch.start()
    started = time.monotonic()

    def ask(number: int) -> Answer:
        due = started + number / PER_SECOND
        time.sleep(max(0.0, due - time.monotonic()))
        body = grid.ask(LONG).json()
        assert body["status"] == 201, body
        return Answer(body["session_id"], time.monotonic(), time.monotonic() - due)

    try:
        with ThreadPoolExecutor(64) as drivers:
            asking = [drivers.submit(ask, number) for number in range(PER_SECOND * SECONDS)]
            time.sleep(HANGS_AFTER_S)
            charging_there = set(grid.charging(hung))
            grid.local.hang(hung)
            hung_at = time.monotonic()
            answers = [future.result() for future in asking]
        deadline = time.monotonic() + CHARGES_WITHIN_S
        while time.monotonic() < deadline and _waiting(watch, answers, charging_there):
            time.sleep(0.1)
    finally:
        watch.stop()
    after = [answer for answer in answers if answer.at > hung_at and answer.session not in charging_there]
    times = sorted(answer.took_s for answer in after)
    starts = sorted(watch.runs.of(a.session)[0].started - a.at for a in after if watch.runs.of(a.session))
    print(
        f"\n{len(after)} answers after it hung: median {times[len(times) // 2]:.2f} s, 99 % {_p99(times):.2f} s,"
        f" {sum(t > 0.5 for t in times)} took more than 0.5 s; they charge {starts[-1]:.1f} s after the answer at most"
    )
    assert _waiting(watch, after, charging_there) == []
    assert starts[-1] < CHARGES_WITHIN_S
    assert _p99(times) <= P99_S


def _waiting(watch: Watch, answers: list[Answer], charging_there: set[str]) -> list[str]:
    """Those that charge nowhere yet, as far as can be seen."""
    return [a.session for a in answers if a.session not in charging_there and not watch.runs.of(a.session)]


def _p99(times: list[float]) -> float:
    return times[min(len(times) - 1, int(len(times) * 0.99))]
