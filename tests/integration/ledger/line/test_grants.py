"""How a session that has its turn comes to the substation that it is given to."""

import pytest

from ..conftest import Substation, Zone


@pytest.fixture
def giver(zone: Zone, full: Substation) -> Substation:
    """`full` has given the room of a car that ended to s, and not started it; t waits for as much."""
    zone.reserve("s", 25_000)
    zone.reserve("t", 25_000)
    full.ends("quarter")
    full.beat()
    return full


def test_one_is_said_again_until_the_substation_lists_it(zone: Zone, full: Substation) -> None:
    zone.reserve("s", 25_000)
    full.ends("quarter")
    first = full.beat().grants
    assert [(grant.session, grant.attempt, grant.watts) for grant in first] == [("s", 1, 25_000)]
    assert full.beat().grants == first, "the first reply was lost"
    full.starts("s", 25_000)
    assert full.beat().grants == []
    assert zone.state("s") == "charging"


def test_one_that_never_starts_goes_back_to_its_old_place(zone: Zone, giver: Substation) -> None:
    giver.never_starts("s")
    giver.beat("draining")
    assert zone.line() == ["s", "t"]


def test_one_that_the_substation_cannot_start_goes_back_to_its_old_place(zone: Zone, giver: Substation) -> None:
    giver.never_starts("s")
    giver.limit = 75_000
    giver.beat()
    assert zone.line() == ["s", "t"]


def test_one_given_to_a_substation_that_is_then_lost_goes_back_to_its_old_place(zone: Zone, giver: Substation) -> None:
    zone.everybody_is_lost()
    assert zone.line()[-2:] == ["s", "t"]


def test_it_goes_where_a_new_request_would_go(zone: Zone, full: Substation) -> None:
    two = zone.substation("two", 100_000)
    zone.reserve("all of it", 100_000)
    zone.reserve("s", 25_000)
    zone.cancel("all of it")
    full.ends("quarter")
    assert full.beat().grants == [], "two is less loaded"
    assert [grant.session for grant in two.beat().grants] == ["s"]


def test_the_room_of_one_is_given_from_another_ones_heartbeat(zone: Zone, full: Substation) -> None:
    two = zone.substation("two", 50_000)
    zone.reserve("filler", 50_000)
    two.starts("filler", 50_000)
    zone.reserve("s", 25_000)
    zone.cancel("quarter")
    assert two.beat().grants == []
    assert zone.state("s") == "reserved"
    full.runs = [listed for listed in full.runs if listed.session != "quarter"]
    assert [grant.session for grant in full.beat().grants] == ["s"]


def test_one_call_serves_every_power_in_turn(zone: Zone, full: Substation) -> None:
    for name, watts in (("first", 7_400), ("second", 22_000), ("third", 3_000)):
        zone.reserve(name, watts)
        zone.clock.advance(1)
    two = Substation(zone.ledger, "two", 100_000)
    assert [grant.session for grant in two.beat().grants] == ["first", "second", "third"]


def test_it_says_how_long_they_have_waited(zone: Zone, full: Substation) -> None:
    zone.reserve("s", 25_000, priority="flexible")
    zone.clock.advance(2_000)
    full.ends("quarter")
    assert [(grant.waited, grant.priority) for grant in full.beat().grants] == [(2_000, "flexible")]
