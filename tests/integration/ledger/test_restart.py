"""Substations that restart, and the sessions that a restart or a loss interrupts."""

import pytest

from grid.ledger.records import Outcome, Request

from .conftest import Substation, Zone


class TestRestart:
    def test_a_new_epoch_ends_what_the_old_one_carried_and_it_is_given_to_it_again(
        self, zone: Zone, one: Substation
    ) -> None:
        zone.reserve("s")
        one.starts("s", delivered_wh=4_000)
        one.beat()
        zone.reserve("t")  # reserved for the old epoch, never started
        one.restarts()
        reply = one.beat()
        assert reply.epoch == 2
        assert [(grant.session, grant.attempt, grant.energy_wh) for grant in reply.grants] == [
            ("t", 2, 10_000),
            ("s", 2, 6_000),
        ], "in order of their latest starts, and that of s is later by the time that it charged"
        assert zone.committed("one") == 22_000

    def test_what_was_delivered_before_and_after_adds_up(self, zone: Zone, one: Substation) -> None:
        zone.reserve("s")
        one.starts("s", delivered_wh=4_000)
        one.beat()
        one.restarts()
        one.beat()
        record = zone.ledger.session("s")
        assert record is not None
        assert (record.state, record.delivered_wh) == ("reserved", 4_000)
        one.starts("s", attempt=2, delivered_wh=1_000)
        one.beat()
        record = zone.ledger.session("s")
        assert record is not None
        assert (record.state, record.delivered_wh) == ("charging", 5_000)

    def test_also_when_it_is_interrupted_again(self, zone: Zone, one: Substation) -> None:
        zone.reserve("s")
        for attempt, delivered_wh in ((1, 4_000), (2, 3_000)):
            one.starts("s", attempt=attempt, delivered_wh=delivered_wh)
            one.beat()
            one.restarts()
            grants = one.beat().grants
        assert [(grant.attempt, grant.energy_wh) for grant in grants] == [(3, 3_000)]

    def test_what_had_all_its_energy_when_it_was_interrupted_is_finished(self, zone: Zone, one: Substation) -> None:
        zone.reserve("s")
        one.starts("s", delivered_wh=10_000)
        one.beat()
        one.restarts()
        one.beat()
        assert (zone.state("s"), zone.committed("one")) == ("finished", 0)

    def test_a_reservation_of_the_new_epoch_is_left_alone(self, zone: Zone, one: Substation) -> None:
        one.restarts()
        one.beat()
        zone.reserve("s")
        one.beat()
        assert zone.state("s") == "reserved"


class TestInterrupted:
    """A session that a restart or loss of its substation has interrupted is queued for the energy that it misses."""

    @pytest.fixture
    def interrupted(self, zone: Zone, one: Substation) -> Request:
        """Queued: its substation came back with a limit that is too low for it."""
        request = Request("s", "car", 11_000, 10_000, ready_by=zone.clock.now + 7_200_000)
        zone.ledger.reserve([request])
        one.starts("s", delivered_wh=4_000)
        one.beat()
        one.restarts()
        one.limit = 10_000
        one.beat()
        assert zone.state("s") == "waiting"
        return request

    def test_it_is_ahead_of_those_who_could_wait_longer(
        self, zone: Zone, one: Substation, interrupted: Request
    ) -> None:
        two = Substation(zone.ledger, "two", 100_000)
        two.starts("all of it", 100_000)
        two.beat()
        charged_ms = 1 + 4_000 * 3_600_000 // 11_000  # its latest start is as much later
        zone.reserve("later", ready_by=zone.clock.now + 7_200_001 + charged_ms)
        zone.reserve("sooner", ready_by=zone.clock.now + 7_199_999 + charged_ms)
        assert zone.line() == ["sooner", "s", "later"]
        two.ends("all of it")
        assert two.starts_what_it_was_given(two.beat()) == ["sooner", "s", "later"]

    def test_it_says_why_and_how_often(self, zone: Zone, interrupted: Request) -> None:
        record = zone.ledger.session("s")
        assert record is not None
        assert (record.interruptions, record.interrupted_by) == (1, "substation_lost")

    def test_it_is_given_the_energy_it_misses(self, zone: Zone, one: Substation, interrupted: Request) -> None:
        one.limit = 11_000
        (grant,) = one.beat().grants
        assert (grant.session, grant.attempt, grant.energy_wh) == ("s", 2, 6_000)

    def test_asked_for_again_it_is_known_and_waits(self, zone: Zone, interrupted: Request) -> None:
        (placement,) = zone.ledger.reserve([interrupted])
        assert (placement.outcome, placement.position) == (Outcome.WAITING, 1)

    def test_an_expired_one_that_still_runs_goes_on(self, zone: Zone, one: Substation, interrupted: Request) -> None:
        zone.clock.now += 7_200_000
        assert zone.ledger.sweep().expired == 1
        one.starts("s")
        assert one.beat().stops == []
        assert zone.state("s") == "charging"

    def test_its_owner_can_cancel_it(self, zone: Zone, interrupted: Request) -> None:
        assert zone.cancel("s") == "cancelled"
        assert zone.line() == []

    def test_one_that_was_reserved_for_an_epoch_that_is_over_waits_too(self, zone: Zone, one: Substation) -> None:
        refused = zone.reserve("s")
        one.restarts()
        one.limit = 1_000
        one.beat()
        assert zone.state("s") == "waiting"
        assert zone.move(refused).outcome is Outcome.WAITING

    @pytest.mark.parametrize("fate", ["restarts", "is lost"])
    def test_what_its_owner_was_cancelling_is_cancelled_and_does_not_wait(
        self, zone: Zone, one: Substation, fate: str
    ) -> None:
        zone.reserve("s")
        zone.ledger.cancel("s")
        if fate == "restarts":
            one.restarts()
            one.beat()
        else:
            zone.everybody_is_lost()
        assert (zone.state("s"), zone.committed("one")) == ("cancelled", 0)
        assert zone.line() == []
