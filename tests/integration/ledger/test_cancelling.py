"""Cancelled sessions: they hold their watts until their substation has stopped them."""

from grid.ledger.records import Cancelled, Outcome, Stop

from .conftest import RETENTION_MS, Substation, Zone


class TestCancelling:
    def test_what_its_substation_stopped_is_free_at_once(self, zone: Zone, one: Substation) -> None:
        zone.reserve("s")
        assert zone.ledger.cancel("s") == Cancelled("cancelling", 1, "http://one")
        assert zone.committed("one") == 11_000
        assert zone.ledger.cancel("s", stopped=1).state == "cancelled"
        assert zone.committed("one") == 0

    def test_what_its_substation_could_not_be_told_is_free_when_it_answers(self, zone: Zone, one: Substation) -> None:
        zone.reserve("s")
        one.starts("s")
        one.beat()
        assert zone.ledger.cancel("s").state == "cancelling"
        for _ in range(2):
            assert one.beat().stops == [Stop("s", 1, "cancelled")], "though it is listed"
        assert zone.committed("one") == 11_000
        one.ends("s", "stopped", 3)
        one.beat()
        assert (zone.state("s"), zone.committed("one")) == ("cancelled", 0)

    def test_what_has_not_started_is_not_granted_any_more(self, zone: Zone, one: Substation) -> None:
        zone.reserve("s")
        zone.ledger.cancel("s")
        reply = one.beat()
        assert (reply.grants, reply.stops) == ([], [Stop("s", 1, "cancelled")])
        one.never_starts("s")
        one.beat()
        assert (zone.state("s"), zone.committed("one")) == ("cancelled", 0)

    def test_what_it_got_after_the_last_heartbeat_counts(self, zone: Zone, one: Substation) -> None:
        zone.reserve("s")
        one.starts("s", delivered_wh=1_000)
        one.beat()
        zone.cancel("s")
        one.ends("s", "cancelled", 2_000)
        one.beat()
        record = zone.ledger.session("s")
        assert record is not None
        assert (record.state, record.delivered_wh) == ("cancelled", 2_000)

    def test_that_it_ran_under_another_epoch_does_not_free_it(self, zone: Zone, one: Substation) -> None:
        zone.reserve("s")
        one.starts("s")
        one.beat()
        zone.ledger.cancel("s")
        one.epoch = 0  # it was taken for lost, or another had its name for a while
        assert one.beat().epoch == 2
        one.runs.clear()
        assert one.beat().stops == [Stop("s", 1, "cancelled")]
        assert zone.committed("one") == 11_000, "until it has said what became of it"
        one.ends("s", "stopped", 3)
        one.beat()

    def test_asked_for_again_before_that_it_is_not_started_again(self, zone: Zone, one: Substation) -> None:
        zone.reserve("s")
        zone.ledger.cancel("s")
        again = zone.reserve("s")
        assert (again.outcome, again.state) == (Outcome.ENDED, "cancelling")

    def test_what_finished_meanwhile_stays_finished(self, zone: Zone, one: Substation) -> None:
        zone.reserve("s")
        one.ends("s")
        one.beat()
        assert zone.cancel("s") == "finished"

    def test_of_an_unknown_session_says_so_and_leaves_nothing(self, zone: Zone, one: Substation) -> None:
        before = zone.size()
        assert zone.cancel("nobody") == ""
        assert zone.size() == before

    def test_what_was_abandoned_before_it_came_never_starts(self, zone: Zone, one: Substation) -> None:
        assert zone.ledger.cancel("s", abandoned=True).state == "cancelled"
        late = zone.reserve("s")
        assert (late.outcome, late.state) == (Outcome.ENDED, "cancelled")
        assert zone.committed("one") == 0
        zone.clock.advance(RETENTION_MS)
        assert zone.ledger.sweep().forgotten == 1
