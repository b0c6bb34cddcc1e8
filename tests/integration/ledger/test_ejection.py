"""A substation that leaves calls unanswered is ejected until its next heartbeat, up to half of a zone."""

import pytest

from grid.ledger.records import Outcome

from .conftest import HEARTBEAT_TTL_MS, Substation, Zone


class TestEjection:
    """A balancer says that a substation leaves its calls unanswered."""

    def others(self, zone: Zone, count: int) -> None:
        for number in range(count):
            zone.substation(f"other-{number}", 10_000)

    def test_it_gets_nothing_new_until_its_next_heartbeat(self, zone: Zone, one: Substation) -> None:
        self.others(zone, 1)
        placement = zone.reserve("s")
        assert zone.ledger.eject(placement)
        assert zone.reserve("t").outcome is Outcome.WAITING
        zone.assert_consistent()
        assert [grant.session for grant in one.beat().grants] == ["s", "t"]

    def test_it_is_void_after_a_newer_heartbeat(self, zone: Zone, one: Substation) -> None:
        self.others(zone, 1)
        placement = zone.reserve("s")
        one.beat()
        assert not zone.ledger.eject(placement)
        assert zone.reserve("t").outcome is Outcome.PLACED

    @pytest.mark.parametrize(("substations", "out"), [(1, 0), (2, 1), (3, 1), (4, 2), (5, 2)])
    def test_never_more_than_half_of_a_zone_is_out(self, zone: Zone, substations: int, out: int) -> None:
        for number in range(substations):
            zone.substation(f"s{number}", 11_000)
        placements = [zone.reserve(f"c{number}") for number in range(substations)]
        assert sum(zone.ledger.eject(placement) for placement in placements) == out
        assert not any(zone.ledger.eject(placement) for placement in placements), "again, neither"

    def test_one_that_falls_silent_is_out_for_that_and_makes_room_for_another(
        self, zone: Zone, one: Substation
    ) -> None:
        two = zone.substation("two", 100_000)
        placements = {placement.substation: placement for placement in (zone.reserve("s"), zone.reserve("t"))}
        assert zone.ledger.eject(placements["one"])
        zone.clock.advance(HEARTBEAT_TTL_MS)
        zone.substation("three", 100_000)
        two.beat()
        zone.ledger.sweep()
        assert zone.ledger.eject(placements["two"]._replace(number=two.number))

    def test_of_an_unknown_substation_is_void(self, zone: Zone, one: Substation) -> None:
        assert not zone.ledger.eject(zone.reserve("s")._replace(substation="none"))
