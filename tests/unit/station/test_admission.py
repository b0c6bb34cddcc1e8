"""Who is admitted: to the last watt, and each attempt once."""

from substation.station import Order, Verdict

from .conftest import HOUR_S, LIMIT, Feeder


def test_the_last_watt_is_given_and_not_one_more(feeder: Feeder) -> None:
    assert feeder.charge("a", watts=LIMIT - 1) is Verdict.STARTED
    assert feeder.charge("b", watts=2) is Verdict.NO_ROOM
    assert feeder.charge("c", watts=1) is Verdict.STARTED
    assert feeder.charge("d", watts=1) is Verdict.NO_ROOM
    assert feeder.drawn == LIMIT


def test_each_of_a_batch_is_admitted_for_itself(feeder: Feeder) -> None:
    orders = [Order(name, 1, "car", watts, 10_000) for name, watts in (("a", 60_000), ("b", 60_000), ("c", 40_000))]
    assert feeder.station.charge(orders) == [Verdict.STARTED, Verdict.NO_ROOM, Verdict.STARTED]
    assert feeder.drawn == LIMIT


def test_the_room_of_a_car_that_is_done_is_free_at_that_moment(feeder: Feeder) -> None:
    feeder.charge("a", watts=LIMIT, energy_wh=LIMIT)
    feeder.clock.advance(HOUR_S)
    assert feeder.charge("b", watts=LIMIT) is Verdict.STARTED
    assert feeder.running() == {"b": 1}


def test_the_same_order_again_changes_nothing(feeder: Feeder) -> None:
    assert feeder.charge("a", watts=LIMIT, energy_wh=LIMIT) is Verdict.STARTED
    assert feeder.charge("b") is Verdict.NO_ROOM
    for _ in range(2):
        assert feeder.charge("a", watts=LIMIT, energy_wh=LIMIT) is Verdict.CHARGING
        assert feeder.charge("b") is Verdict.CANCELLED_BEFORE
    assert (feeder.drawn, feeder.station.snapshot().started) == (LIMIT, 1)
    feeder.clock.advance(HOUR_S)
    assert feeder.charge("a", watts=LIMIT, energy_wh=LIMIT) is Verdict.FINISHED
    assert feeder.charge("b") is Verdict.CANCELLED_BEFORE, "a refused attempt never starts later"
    assert feeder.running() == {}


def test_who_was_refused_may_come_again_with_another_attempt(feeder: Feeder) -> None:
    feeder.charge("a", watts=LIMIT)
    assert feeder.charge("b") is Verdict.NO_ROOM
    feeder.station.cancel("a")
    assert feeder.charge("b", attempt=2) is Verdict.STARTED
    assert feeder.charge("b", attempt=1) is Verdict.CANCELLED_BEFORE


def test_a_higher_attempt_replaces_a_lower_one(feeder: Feeder) -> None:
    feeder.charge("a", watts=60_000)
    assert feeder.charge("a", watts=60_000, attempt=2) is Verdict.STARTED
    assert (feeder.running(), feeder.drawn) == ({"a": 2}, 60_000)
    assert feeder.charge("a", watts=60_000, attempt=1) is Verdict.CANCELLED_BEFORE
    assert feeder.unreported() == [("a", 1, "stopped", 0)]
    assert feeder.station.snapshot().peak == 60_000
