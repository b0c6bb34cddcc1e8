"""Time above the limit is counted, to the moment."""

from .conftest import HOUR_S, Feeder


def test_overload_is_the_time_above_the_limit(feeder: Feeder) -> None:
    for name in ("a", "b", "c"):
        feeder.charge(name, watts=30_000, energy_wh=300_000)
    assert feeder.station.snapshot().overload_s == 0
    feeder.station.limit = 50_000
    feeder.station.cancel("a")
    feeder.clock.advance(7)
    assert feeder.station.snapshot().overload_s == 7
    feeder.clock.advance(3)
    feeder.station.cancel("b")
    feeder.clock.advance(100)
    assert feeder.station.snapshot().overload_s == 10


def test_overload_ends_when_the_car_is_done_however_late_that_is_seen(feeder: Feeder) -> None:
    feeder.charge("a", watts=60_000, energy_wh=60_000)
    feeder.charge("b", watts=39_000, energy_wh=390_000)
    feeder.charge("c", watts=1, energy_wh=1)
    feeder.station.limit = 50_000
    feeder.station.cancel("c")
    seen = []
    for _ in range(4):
        feeder.clock.advance(HOUR_S / 2)
        seen.append(feeder.station.snapshot().overload_s)
    assert seen == [HOUR_S / 2, HOUR_S, HOUR_S, HOUR_S]
