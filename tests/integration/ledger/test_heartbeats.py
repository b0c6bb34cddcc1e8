"""What a heartbeat of a substation that is well changes in the ledger: late, repeated and partial ones too."""

from grid.ledger.records import Outcome, Stop

from .conftest import Substation, Zone


class TestHeartbeats:
    def test_a_snapshot_without_a_charging_session_asks_what_became_of_it(self, zone: Zone, one: Substation) -> None:
        zone.reserve("s")
        one.starts("s")
        one.beat()
        one.runs.clear()
        assert one.beat().stops == [Stop("s", 1, "superseded")]
        assert (zone.state("s"), zone.committed("one")) == ("charging", 11_000), "until it has answered"
        one.ends("s")
        one.beat()
        assert (zone.state("s"), zone.committed("one")) == ("finished", 0)

    def test_what_is_listed_twice_counts_once(self, zone: Zone, one: Substation) -> None:
        one.starts("s")
        one.starts("s")
        one.beat()
        assert zone.committed("one") == 11_000

    def test_of_what_charges_as_it_should_nothing_is_asked(self, zone: Zone, one: Substation) -> None:
        zone.reserve("s")
        one.starts("s")
        for _ in range(3):
            reply = one.beat()
            assert (reply.stops, reply.grants) == ([], [])

    def test_a_snapshot_without_a_reserved_session_leaves_it(self, zone: Zone, one: Substation) -> None:
        zone.reserve("s")
        one.beat()
        assert (zone.state("s"), zone.committed("one")) == ("reserved", 11_000)

    def test_a_late_one_changes_nothing(self, zone: Zone, one: Substation) -> None:
        zone.reserve("s")
        one.starts("s")
        one.beat(number=10)
        one.runs.clear()
        assert one.beat(number=9).outcome == "superseded"
        assert zone.state("s") == "charging"

    def test_a_repeated_one_changes_nothing(self, zone: Zone, one: Substation) -> None:
        zone.reserve("s")
        one.starts("s")
        one.beat(number=10)
        zone.cancel("s")
        assert one.beat(number=10).outcome == "ok"
        assert (zone.state("s"), zone.committed("one")) == ("cancelled", 0)

    def test_one_of_an_older_epoch_changes_nothing(self, zone: Zone, one: Substation) -> None:
        zone.reserve("s")
        one.starts("s")
        one.beat()
        one.restarts()
        one.limit = 1_000  # no room for it
        assert one.beat().epoch == 2
        ghost = Substation(zone.ledger, "one", 100_000, epoch=1, number=99)
        ghost.starts("s")
        reply = ghost.beat()
        assert (reply.outcome, reply.epoch) == ("superseded", 2)
        assert zone.state("s") == "waiting"

    def test_a_lower_limit_is_obeyed_at_once(self, zone: Zone, one: Substation) -> None:
        zone.reserve("s", 50_000)
        one.limit = 60_000
        one.beat()
        assert zone.reserve("t", 11_000).outcome is Outcome.WAITING

    def test_a_draining_substation_keeps_its_charging_sessions_and_gets_no_new_ones(
        self, zone: Zone, one: Substation
    ) -> None:
        zone.reserve("s")
        one.starts("s")
        one.beat("draining")
        assert zone.reserve("t").outcome is Outcome.NOWHERE
        assert zone.committed("one") == 11_000
        one.beat()
        assert zone.reserve("t").outcome is Outcome.PLACED
