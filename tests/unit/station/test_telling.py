"""What a feeder tells: ends until they are taken in, and changes."""

import threading
from concurrent.futures import ThreadPoolExecutor

from substation.station import Order, Station

from .conftest import HOUR_S, LIMIT, Feeder


def test_an_end_is_told_until_it_was_taken_in(feeder: Feeder) -> None:
    for name in ("a", "b"):
        feeder.charge(name)
    feeder.station.cancel("a")
    told = feeder.station.snapshot().unreported
    feeder.station.cancel("b")
    feeder.station.reported(told)
    assert feeder.unreported() == [("b", 1, "cancelled", 0)]
    feeder.station.reported(told)
    assert feeder.unreported() == [("b", 1, "cancelled", 0)]


def test_every_end_and_every_refusal_is_a_change_but_a_start_is_none(feeder: Feeder) -> None:
    feeder.charge("a", watts=LIMIT, energy_wh=LIMIT)
    feeder.station.finish_due()
    assert (feeder.changes, feeder.ends) == (0, [])
    feeder.charge("b")
    assert feeder.changes == 1
    feeder.clock.advance(HOUR_S)
    feeder.station.finish_due()
    assert feeder.changes == 2
    feeder.station.cancel("never came", attempt=1)
    assert feeder.changes == 3
    feeder.station.cancel("never came", attempt=1)
    assert feeder.changes == 3, "that is no news"
    assert [(end.session, end.how) for end in feeder.ends] == [("a", "finished")]


def test_a_change_is_told_outside_the_lock(feeder: Feeder) -> None:
    seen = []

    def looks_from_another_thread() -> None:
        with ThreadPoolExecutor(1) as pool:
            seen.append(pool.submit(feeder.station.snapshot).result(timeout=5).drawn)

    feeder.station.on_change = looks_from_another_thread
    feeder.charge("a")
    feeder.station.cancel("a")
    assert seen == [0]


def test_waiting_for_an_end_is_over_when_a_car_starts_that_is_done_sooner() -> None:
    station = Station(LIMIT, 1.0)
    waited = threading.Event()

    def wait() -> None:
        station.wait_for_end(timeout_s=60)
        waited.set()

    threading.Thread(target=wait, daemon=True).start()
    number = 0
    while not waited.wait(0.01):
        number += 1
        station.charge([Order(f"s{number}", 1, "car", number, 1)])
        assert number < 1_000


def test_there_is_nothing_to_wait_for_when_an_end_is_due(feeder: Feeder) -> None:
    feeder.charge("a")
    feeder.clock.advance(HOUR_S)
    feeder.station.wait_for_end(timeout_s=60)
