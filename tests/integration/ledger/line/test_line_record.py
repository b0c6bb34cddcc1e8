"""What is seen of the line from outside."""

from grid.ledger.records import LineRecord

from ..conftest import PATIENCE_MS, Substation, Zone


def test_nothing_while_nobody_waits(zone: Zone, full: Substation) -> None:
    assert zone.ledger.line() == LineRecord(overdue_ms=0, smallest_watts=0)


def test_how_late_the_first_is(zone: Zone, full: Substation) -> None:
    zone.reserve("s", 25_000)
    zone.clock.advance(1)
    zone.reserve("behind", 25_000)
    zone.clock.advance(PATIENCE_MS - 1)
    assert zone.ledger.line().overdue_ms == 0
    zone.clock.advance(5)
    assert zone.ledger.line().overdue_ms == 5


def test_an_emergency_is_not_late_because_it_is_first(zone: Zone, full: Substation) -> None:
    zone.reserve("s", 25_000, priority="emergency")
    zone.clock.advance(PATIENCE_MS + 5)
    assert zone.ledger.line().overdue_ms == 5


def test_the_smallest_power_that_is_queued(zone: Zone, full: Substation) -> None:
    zone.reserve("big", 60_000)
    assert zone.ledger.line().smallest_watts == 60_000
    zone.reserve("small", 7_360)
    assert zone.ledger.line().smallest_watts == 7_400, "rounded up to two digits"
