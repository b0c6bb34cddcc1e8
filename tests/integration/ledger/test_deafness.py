"""A substation whose heartbeats arrive and that no reply reaches is `deaf` until one does."""

from grid.ledger.records import Outcome

from .conftest import HEARTBEAT_TTL_MS, Substation, Zone


class TestDeafness:
    """Its heartbeats arrive, and no reply to them reaches it."""

    def until_deaf(self, zone: Zone, substation: Substation) -> None:
        substation.hears = False
        for _ in range(4):
            zone.clock.advance(HEARTBEAT_TTL_MS - 1)
            substation.beat()
            zone.ledger.sweep()

    def test_it_gets_nothing_new_until_it_hears_again(self, zone: Zone, one: Substation) -> None:
        self.until_deaf(zone, one)
        assert [row.state for row in zone.ledger.grid()] == ["deaf"]
        assert zone.reserve("s").outcome is Outcome.NOWHERE
        one.hears = True
        one.beat()
        one.beat()
        assert [row.state for row in zone.ledger.grid()] == ["up"]
        assert zone.reserve("s").outcome is Outcome.PLACED

    def test_what_it_lists_stays_and_what_it_was_only_given_moves(self, zone: Zone, one: Substation) -> None:
        zone.reserve("listed")
        one.starts("listed")
        zone.reserve("given")
        zone.substation("two", 10_000)
        self.until_deaf(zone, one)
        assert (zone.state("listed"), zone.state("given")) == ("charging", "waiting")
        three = zone.substation("three", 100_000)
        assert [grant.session for grant in three.beat().grants] == ["given"]

    def test_a_single_lost_reply_makes_none_deaf(self, zone: Zone, one: Substation) -> None:
        for hears in (True, False, True, False, True):
            one.hears = hears
            zone.clock.advance(HEARTBEAT_TTL_MS - 1)
            one.beat()
            zone.ledger.sweep()
            assert [row.state for row in zone.ledger.grid()] == ["up"]

    def test_nor_does_a_redis_that_was_away(self, zone: Zone, one: Substation) -> None:
        one.hears = False
        one.beat()
        one.hears = True
        zone.clock.advance(10 * HEARTBEAT_TTL_MS)
        one.beat()
        assert [row.state for row in zone.ledger.grid()] == ["up"]

    def test_a_new_process_hears_from_its_first_heartbeat(self, zone: Zone, one: Substation) -> None:
        self.until_deaf(zone, one)
        one.hears = True
        one.restarts()
        one.beat()
        assert [row.state for row in zone.ledger.grid()] == ["up"]

    def test_a_new_process_counts_its_heartbeats_anew(self, zone: Zone, one: Substation) -> None:
        for _ in range(10):
            one.beat()
        one.restarts()
        for _ in range(5):
            one.beat()
            zone.clock.advance(HEARTBEAT_TTL_MS - 1)
        assert [row.state for row in zone.ledger.grid()] == ["up"]
