"""How waiting ends without room: too late, or cancelled."""

from grid.ledger.records import Outcome, Stop

from ..conftest import GIVE_UP_MS, PATIENCE_MS, Substation, Zone
from .conftest import HOUR_MS


def test_after_its_ready_by_time_it_has_expired_and_says_so(zone: Zone, full: Substation) -> None:
    zone.reserve("s", 25_000, ready_by=zone.clock.now + HOUR_MS)
    zone.clock.advance(HOUR_MS - 1)
    assert zone.ledger.sweep().expired == 0
    zone.clock.advance(1)
    assert zone.ledger.sweep().expired == 1
    assert (zone.state("s"), zone.line()) == ("expired", [])
    again = zone.reserve("s", 25_000, ready_by=zone.clock.now)
    assert (again.outcome, again.state) == (Outcome.ENDED, "expired")


def test_nobody_is_given_room_too_late_for_a_sweep_to_have_noticed(zone: Zone, full: Substation) -> None:
    zone.reserve("late", 25_000, ready_by=zone.clock.now + HOUR_MS)
    zone.reserve("in time", 25_000, ready_by=zone.clock.now + 2 * HOUR_MS)
    zone.clock.advance(HOUR_MS)
    full.ends("quarter")
    assert [grant.session for grant in full.beat().grants] == ["in time"]
    assert zone.state("late") == "expired"


def test_what_charged_and_waits_again_has_some_time_in_any_case(zone: Zone, full: Substation) -> None:
    zone.reserve("s", 25_000, ready_by=zone.clock.now + HOUR_MS)
    full.ends("quarter")
    full.starts_what_it_was_given(full.beat())
    full.beat()
    zone.clock.advance(GIVE_UP_MS)
    zone.everybody_is_lost()
    assert (zone.state("s"), zone.state("half")) == ("waiting", "waiting")
    zone.clock.advance(PATIENCE_MS)
    zone.ledger.sweep()
    assert (zone.state("s"), zone.state("half")) == ("expired", "waiting")
    zone.clock.advance(GIVE_UP_MS - PATIENCE_MS)
    zone.ledger.sweep()
    assert zone.state("half") == "expired"


def test_without_one_it_waits_for_a_long_time(zone: Zone, full: Substation) -> None:
    zone.reserve("s", 25_000)
    zone.clock.advance(GIVE_UP_MS - 1)
    assert zone.ledger.sweep().expired == 0
    zone.clock.advance(1)
    assert zone.ledger.sweep().expired == 1


def test_its_owner_can_cancel_it(zone: Zone, full: Substation) -> None:
    zone.reserve("s", 25_000)
    assert zone.cancel("s") == "cancelled"
    full.ends("quarter")
    assert full.beat().grants == []


def test_given_away_and_then_cancelled_it_is_not_started_again(zone: Zone, full: Substation) -> None:
    zone.reserve("s", 25_000)
    full.ends("quarter")
    full.beat()
    assert zone.ledger.cancel("s").state == "cancelling"
    reply = full.beat()
    assert (reply.grants, reply.stops) == ([], [Stop("s", 1, "cancelled")])
