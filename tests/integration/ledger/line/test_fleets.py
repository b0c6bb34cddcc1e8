"""The cars of one request, in line."""

from grid.ledger.records import Request

from ..conftest import Substation, Zone


def test_they_keep_their_order_and_are_told_the_places_that_they_have(zone: Zone, full: Substation) -> None:
    names = [f"{name}" for name in "zyxwvu"]
    placements = zone.ledger.reserve([Request(name, "car", 25_000, 10_000) for name in names])
    assert [placement.position for placement in placements] == [1, 2, 3, 4, 5, 6]
    assert zone.line() == names


def test_also_if_the_last_one_is_the_first_in_line(zone: Zone, full: Substation) -> None:
    fleet = [Request("a", "car", 25_000, 10_000), Request("b", "car", 25_000, 10_000, priority="emergency")]
    assert [placement.position for placement in zone.ledger.reserve(fleet)] == [2, 1]
