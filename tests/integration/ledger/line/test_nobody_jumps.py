"""Whoever is new gets no room that those who wait have a use for."""

from grid.ledger.records import Outcome, Request

from ..conftest import Substation, Zone


def test_a_new_request_does_not_get_the_room_of_those_who_wait(zone: Zone, full: Substation) -> None:
    zone.reserve("first", 25_000)
    zone.cancel("quarter")  # room that no heartbeat has seen
    assert zone.reserve("second", 25_000).outcome is Outcome.WAITING
    assert zone.state("first") == "reserved"


def test_but_it_gets_what_is_of_no_use_to_them(zone: Zone, full: Substation) -> None:
    zone.reserve("first", 50_000)
    zone.cancel("quarter")
    assert zone.reserve("second", 20_000).outcome is Outcome.PLACED
    assert zone.state("first") == "waiting"


def test_nor_of_one_behind_another_of_about_its_power(zone: Zone, full: Substation) -> None:
    zone.reserve("just too big", 24_900)
    zone.clock.advance(1)
    zone.reserve("would fit", 24_500)
    full.ends("quarter")
    full.limit = 99_500
    assert full.beat().grants == []
    assert zone.reserve("new", 24_500).outcome is Outcome.WAITING
    assert zone.reserve("small", 20_000).outcome is Outcome.PLACED


def test_more_than_one_call_can_give_is_left_to_the_line(zone: Zone, full: Substation) -> None:
    zone.ledger.reserve([Request(f"s{i}", "car", 1_000, 10_000) for i in range(150)])
    two = Substation(zone.ledger, "two", 1_000_000)
    two.ask_for_an_epoch()
    two.beat()
    assert zone.ledger.states()["waiting"] == 50
    assert zone.reserve("new", 1_000).outcome is Outcome.PLACED, "after those who waited"
    assert zone.ledger.states().get("waiting", 0) == 0


def test_whoever_comes_while_they_are_still_being_served_waits(zone: Zone, full: Substation) -> None:
    zone.ledger.reserve([Request(f"s{i}", "car", 1_000, 10_000) for i in range(250)])
    two = Substation(zone.ledger, "two", 1_000_000)
    two.ask_for_an_epoch()
    two.beat()
    assert zone.reserve("new", 1_000).outcome is Outcome.WAITING
    assert two.beat().grants
    assert zone.line() == []
