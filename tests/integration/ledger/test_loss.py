"""Substations that fall silent, are lost or leave, and what becomes of the cars that charged there."""

from grid.ledger.records import Outcome, Stop

from .conftest import HEARTBEAT_TTL_MS, LOST_MS, RETENTION_MS, Substation, Zone


class TestSilence:
    def test_a_silent_substation_gets_nothing_new_until_it_speaks(self, zone: Zone, one: Substation) -> None:
        zone.clock.advance(HEARTBEAT_TTL_MS)
        assert zone.ledger.sweep().silenced == ["one"]
        assert zone.reserve("s").outcome is Outcome.NOWHERE
        one.beat()
        assert zone.reserve("s").outcome is Outcome.PLACED

    def test_the_others_are_unaffected(self, zone: Zone, one: Substation) -> None:
        zone.clock.advance(HEARTBEAT_TTL_MS)
        zone.substation("two", 100_000)
        zone.ledger.sweep()
        assert zone.reserve("s").substation == "two"

    def test_the_sessions_of_a_lost_one_wait_and_it_is_forgotten_later(self, zone: Zone, one: Substation) -> None:
        for i in range(5):
            zone.reserve(f"s{i}")
            one.starts(f"s{i}")
        one.beat()
        zone.clock.advance(HEARTBEAT_TTL_MS)
        zone.ledger.sweep()
        zone.clock.advance(LOST_MS)
        assert zone.ledger.sweep(limit=2).interrupted == 2, "bounded work per call"
        while zone.ledger.sweep(limit=2).interrupted:
            pass
        assert {zone.state(f"s{i}") for i in range(5)} == {"waiting"}
        assert [(row.state, row.committed) for row in zone.ledger.grid()] == [("lost", 0)]
        zone.clock.advance(RETENTION_MS)
        zone.ledger.sweep()
        assert zone.ledger.grid() == []

    def test_one_that_was_told_to_stop_has_left_and_is_forgotten_later(self, zone: Zone, one: Substation) -> None:
        for i in range(5):
            zone.reserve(f"s{i}")
            one.starts(f"s{i}")
        one.beat()
        one.beat("draining")
        zone.clock.advance(HEARTBEAT_TTL_MS)
        while zone.ledger.sweep(limit=2).interrupted:
            pass
        assert {zone.state(f"s{i}") for i in range(5)} == {"waiting"}
        assert [(row.state, row.committed) for row in zone.ledger.grid()] == [("left", 0)]
        zone.clock.advance(RETENTION_MS)
        zone.ledger.sweep()
        assert zone.ledger.grid() == []

    def test_one_that_left_and_came_back_may_be_lost(self, zone: Zone, one: Substation) -> None:
        def falls_silent() -> list[str]:
            zone.everybody_is_lost()
            return [row.state for row in zone.ledger.grid()]

        one.beat("draining")
        assert falls_silent() == ["left"]
        one.restarts()
        one.beat()
        assert [row.state for row in zone.ledger.grid()] == ["up"]
        assert zone.reserve("s").substation == "one"
        assert falls_silent() == ["lost"]

    def test_an_old_heartbeat_of_a_lost_one_is_still_old(self, zone: Zone, one: Substation) -> None:
        zone.everybody_is_lost()
        assert one.beat().outcome == "superseded"
        assert zone.reserve("s").outcome is Outcome.NOWHERE

    def test_one_that_registers_and_is_never_heard_again_is_forgotten(self, zone: Zone, one: Substation) -> None:
        Substation(zone.ledger, "nobody", 100_000).ask_for_an_epoch()
        zone.clock.advance(RETENTION_MS)
        for _ in range(2):
            zone.ledger.sweep()
        assert set(zone.redis.hkeys("{grid:default}:epochs")) == {"one"}

    def test_a_request_for_an_epoch_that_arrives_late_does_no_harm(self, zone: Zone, one: Substation) -> None:
        zone.reserve("s")
        one.starts("s")
        one.beat()
        Substation(zone.ledger, "one", 100_000).ask_for_an_epoch()
        assert zone.state("s") == "charging"
        assert one.beat().outcome == "ok"

    def test_a_lost_one_that_comes_back_has_its_sessions_again(self, zone: Zone, one: Substation) -> None:
        zone.reserve("s")
        one.starts("s")
        one.beat()
        zone.clock.advance(HEARTBEAT_TTL_MS)
        zone.ledger.sweep()
        zone.clock.advance(LOST_MS)
        zone.ledger.sweep()
        assert one.beat().outcome == "superseded"
        one.epoch = 0
        one.beat()
        assert (zone.state("s"), zone.committed("one")) == ("charging", 11_000)

    def test_what_a_lost_one_finished_unheard_is_finished(self, zone: Zone, one: Substation) -> None:
        zone.reserve("s")
        one.starts("s", delivered_wh=4_000)
        one.beat()
        for passed in (HEARTBEAT_TTL_MS, LOST_MS):
            zone.clock.advance(passed)
            zone.ledger.sweep()
        assert zone.state("s") == "waiting"
        one.ends("s")
        assert one.beat().outcome == "superseded"
        one.epoch = 0
        one.beat()
        assert (zone.state("s"), zone.committed("one")) == ("finished", 0)
        record = zone.ledger.session("s")
        assert record is not None
        assert record.delivered_wh == 10_000

    def test_one_that_comes_back_with_what_is_served_elsewhere_must_cancel_it(
        self, zone: Zone, one: Substation
    ) -> None:
        zone.reserve("s")
        one.starts("s")
        one.beat()
        zone.clock.advance(HEARTBEAT_TTL_MS)
        zone.ledger.sweep()
        zone.clock.advance(LOST_MS)
        zone.ledger.sweep()
        zone.substation("two", 100_000)
        assert zone.reserve("s").substation == "two"
        one.epoch = 0
        assert one.beat().stops == [Stop("s", 1, "superseded")]
        assert (zone.committed("one"), zone.committed("two")) == (11_000, 11_000), "both may draw"
