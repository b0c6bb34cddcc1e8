"""Heartbeats and scrapes show what the station does side by side; the newest reading stays."""

from prometheus_client import REGISTRY

from substation.meters import Meters
from substation.station import Order, Station


def test_an_older_reading_does_not_replace_a_newer_one() -> None:
    station = Station(limit=50_000, time_scale=60)
    meters = Meters("default", "raced", capacity=50_000, limit=50_000)
    older = station.snapshot()
    station.charge([Order("default-1", 1, "ev", 30_000, 10_000)])

    meters.show(station.snapshot())
    meters.show(older)

    where = {"zone": "default", "substation": "raced"}
    assert REGISTRY.get_sample_value("grid_substation_drawn_watts", where) == 30_000
    assert REGISTRY.get_sample_value("grid_substation_sessions_started_total", where) == 1
