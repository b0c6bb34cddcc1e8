"""Cars get their energy to the watt-hour, and end at that moment."""

import pytest

from .conftest import HOUR_S, Feeder


@pytest.mark.parametrize(
    ("watts", "energy_wh", "seconds"), [(10_000, 10_000, HOUR_S), (11_000, 10_000, 3_272.7272), (1, 1, HOUR_S)]
)
def test_a_car_gets_its_energy_and_ends_at_that_moment(watts: int, energy_wh: int, seconds: float) -> None:
    feeder = Feeder()
    feeder.charge("a", watts, energy_wh)
    feeder.clock.advance(seconds - 0.01)
    feeder.station.finish_due()
    assert feeder.running() == {"a": 1}
    feeder.clock.advance(0.02)
    feeder.station.finish_due()
    assert feeder.unreported() == [("a", 1, "finished", energy_wh)]
    assert feeder.drawn == 0


def test_delivered_grows_with_time_and_never_beyond_the_energy(feeder: Feeder) -> None:
    feeder.charge("a")
    delivered = []
    for _ in range(4):
        snapshot = feeder.station.snapshot()
        delivered += [charging.delivered_wh(snapshot.now) for charging in snapshot.charging]
        feeder.clock.advance(HOUR_S / 4)
    assert delivered == [0, 2_500, 5_000, 7_500]
    assert feeder.unreported() == [("a", 1, "finished", 10_000)]


def test_an_end_found_late_is_dated_when_it_was(feeder: Feeder) -> None:
    feeder.charge("a")
    feeder.clock.advance(3 * HOUR_S)
    feeder.station.finish_due()
    (end,) = feeder.ends
    assert (end.at, end.delivered_wh) == (1_000.0 + HOUR_S, 10_000)


def test_at_a_time_scale_of_60_an_hour_takes_a_minute() -> None:
    feeder = Feeder(time_scale=60)
    feeder.charge("a")
    feeder.clock.advance(59.9)
    assert feeder.running() == {"a": 1}
    feeder.clock.advance(0.1)
    assert feeder.running() == {}


def test_a_snapshot_never_shows_a_car_that_is_done(feeder: Feeder) -> None:
    feeder.charge("a")
    feeder.charge("b", energy_wh=20_000)
    feeder.clock.advance(HOUR_S)
    snapshot = feeder.station.snapshot()
    assert [charging.order.session for charging in snapshot.charging] == ["b"]
    assert [end.session for end in snapshot.unreported] == ["a"]
    assert snapshot.drawn == sum(charging.order.watts for charging in snapshot.charging)
    assert (snapshot.started, snapshot.peak) == (2, 20_000)
    assert feeder.changes == 1, "the ledger should hear of it"
