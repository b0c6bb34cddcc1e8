"""A session's life in the ledger while its substation and Redis are well."""

import pytest

from grid.ledger import Cancel, Outcome, Release, ReleaseOutcome, Request
from grid.ledger.keys import zone_keys

from .conftest import GIVE_UP_MS, HEARTBEAT_TTL_MS, LOST_MS, RESERVE_TTL_MS, RETENTION_MS, Substation, Zone


def test_a_reservation_becomes_charging_then_finished_and_gives_its_watts_back(zone: Zone, one: Substation) -> None:
    assert zone.reserve("s").substation == "one"
    assert (zone.state("s"), zone.committed("one")) == ("reserved", 11_000)
    one.starts("s")
    one.beat()
    assert (zone.state("s"), zone.committed("one")) == ("charging", 11_000)
    one.ends("s")
    one.beat()
    assert (zone.state("s"), zone.committed("one")) == ("finished", 0)
    record = zone.ledger.session("s")
    assert record is not None
    assert record.delivered_wh == 10_000


def test_a_session_that_ends_before_any_heartbeat_listed_it_is_finished(zone: Zone, one: Substation) -> None:
    zone.reserve("s")
    one.ends("s")
    one.beat()
    assert (zone.state("s"), zone.committed("one")) == ("finished", 0)


def test_an_end_told_twice_is_counted_once(zone: Zone, one: Substation) -> None:
    zone.reserve("s")
    zone.reserve("t")
    for _ in range(2):
        one.ends("s")
        one.beat()
    assert zone.committed("one") == 11_000


def test_a_known_session_gets_its_first_answer_again_and_no_second_watt(zone: Zone, one: Substation) -> None:
    first = zone.reserve("s")
    assert zone.reserve("s") == first
    one.starts("s")
    one.beat()
    assert zone.reserve("s") == first._replace(state="charging")
    assert zone.committed("one") == 11_000
    one.ends("s")
    one.beat()
    assert zone.reserve("s").outcome is Outcome.ENDED


@pytest.mark.parametrize(
    "other",
    [
        Request("s", "car", 22_000, 10_000),
        Request("s", "car", 11_000, 5),
        Request("s", "bus", 11_000, 10_000),
        Request("s", "car", 11_000, 10_000, ready_by=1_900_000_000_000),
        Request("s", "car", 11_000, 10_000, priority="emergency"),
    ],
)
def test_a_known_session_with_other_values_is_a_conflict(zone: Zone, one: Substation, other: Request) -> None:
    zone.reserve("s")
    assert [placement.outcome for placement in zone.ledger.reserve([other])] == [Outcome.CONFLICT]
    assert zone.committed("one") == 11_000


def test_what_nobody_could_ever_carry_is_refused_and_not_recorded(zone: Zone, one: Substation) -> None:
    before = zone.size()
    assert zone.reserve("s", 100_001).outcome is Outcome.TOO_BIG
    assert (zone.state("s"), zone.size()) == ("unknown", before)


def test_a_batch_is_placed_as_far_as_there_is_room_and_the_rest_waits(zone: Zone, one: Substation) -> None:
    placements = zone.ledger.reserve([Request(f"s{i}", "car", 30_000, 1) for i in range(5)])
    assert [p.outcome for p in placements] == [Outcome.PLACED] * 3 + [Outcome.WAITING] * 2
    assert [p.position for p in placements] == [0, 0, 0, 1, 2]


def test_the_same_session_twice_in_a_batch_is_one_session(zone: Zone, one: Substation) -> None:
    first, second = zone.ledger.reserve([Request("s", "car", 30_000, 1)] * 2)
    assert first == second
    assert zone.committed("one") == 30_000


class TestHeartbeats:
    def test_a_snapshot_without_a_charging_session_asks_what_became_of_it(self, zone: Zone, one: Substation) -> None:
        zone.reserve("s")
        one.starts("s")
        one.beat()
        one.runs.clear()
        assert one.beat().cancels == [Cancel("s", 1)]
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
            assert (reply.cancels, reply.grants) == ([], [])

    def test_a_snapshot_without_a_reserved_session_leaves_it(self, zone: Zone, one: Substation) -> None:
        zone.reserve("s")
        one.beat()
        assert (zone.state("s"), zone.committed("one")) == ("reserved", 11_000)

    def test_a_late_one_changes_nothing(self, zone: Zone, one: Substation) -> None:
        zone.reserve("s")
        one.starts("s")
        one.beat(number=10)
        one.runs.clear()
        assert one.beat(number=9).outcome == "late"
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

    def test_a_draining_substation_gets_nothing_new_and_keeps_what_it_has(self, zone: Zone, one: Substation) -> None:
        zone.reserve("s")
        one.beat("draining")
        assert zone.reserve("t").outcome is Outcome.NOWHERE
        assert zone.committed("one") == 11_000
        one.beat()
        assert zone.reserve("t").outcome is Outcome.PLACED


class TestAReservationNobodyConfirms:
    def test_it_keeps_its_watts_until_its_substation_has_cancelled_it(self, zone: Zone, one: Substation) -> None:
        zone.reserve("s")
        zone.clock.advance(RESERVE_TTL_MS - 1)
        assert zone.ledger.sweep().unsettled == 0
        one.beat()
        zone.clock.advance(1)
        assert zone.ledger.sweep().unsettled == 1
        assert (zone.state("s"), zone.committed("one")) == ("unsettled", 11_000)
        assert one.beat().cancels == [Cancel("s", 1)]
        assert one.beat().cancels == [Cancel("s", 1)], "until it is acknowledged"
        assert zone.committed("one") == 11_000
        one.ends("s", "barred", 0)
        assert one.beat().cancels == []
        assert (zone.state("s"), zone.committed("one")) == ("requested", 0)

    def test_if_it_ran_somebody_may_have_been_told_so_and_it_waits(self, zone: Zone, one: Substation) -> None:
        zone.reserve("s")
        zone.clock.advance(RESERVE_TTL_MS)
        zone.ledger.sweep()
        one.ends("s", "stopped", 4_000)
        one.beat("draining")
        assert (zone.state("s"), zone.committed("one")) == ("waiting", 0)
        assert [grant.energy_wh for grant in one.beat().grants] == [6_000]

    def test_if_it_was_asked_for_twice_somebody_may_have_been_told_that_it_charges(
        self, zone: Zone, one: Substation
    ) -> None:
        zone.reserve("s")
        zone.reserve("s")
        zone.ledger.release([Release("s", 1, ReleaseOutcome.REFUSED)])
        assert zone.state("s") == "waiting"

    def test_it_is_charging_after_all_if_a_late_heartbeat_says_so(self, zone: Zone, one: Substation) -> None:
        zone.reserve("s")
        zone.clock.advance(RESERVE_TTL_MS)
        zone.ledger.sweep()
        one.starts("s")
        assert one.beat().cancels == []
        assert (zone.state("s"), zone.committed("one")) == ("charging", 11_000)

    def test_asked_for_again_it_is_placed_under_the_next_attempt(self, zone: Zone, one: Substation) -> None:
        zone.reserve("s")
        zone.ledger.release([Release("s", 1, ReleaseOutcome.REFUSED)])
        again = zone.reserve("s")
        assert (again.outcome, again.attempt) == (Outcome.PLACED, 2)


class TestRelease:
    def test_what_was_refused_is_given_back_once(self, zone: Zone, one: Substation) -> None:
        zone.reserve("s")
        zone.reserve("t")
        for _ in range(2):
            assert zone.ledger.release([Release("s", 1, ReleaseOutcome.REFUSED)]) == ["requested"]
        assert zone.committed("one") == 11_000

    def test_of_another_attempt_changes_nothing(self, zone: Zone, one: Substation) -> None:
        zone.reserve("s")
        zone.ledger.release([Release("s", 1, ReleaseOutcome.REFUSED)])
        zone.reserve("s")
        assert zone.ledger.release([Release("s", 1, ReleaseOutcome.REFUSED)]) == ["reserved"]
        assert zone.committed("one") == 11_000

    def test_of_an_unknown_session_says_so(self, zone: Zone, one: Substation) -> None:
        assert zone.cancel("nobody") == ""

    def test_of_what_a_heartbeat_confirmed_changes_nothing(self, zone: Zone, one: Substation) -> None:
        zone.reserve("s")
        one.starts("s")
        one.beat()
        for outcome in (ReleaseOutcome.REFUSED, ReleaseOutcome.UNKNOWN):
            assert zone.ledger.release([Release("s", 1, outcome)]) == ["charging"]
        assert zone.committed("one") == 11_000

    def test_of_what_may_still_run_keeps_watts_there_and_serves_the_car_elsewhere(
        self, zone: Zone, one: Substation
    ) -> None:
        zone.reserve("s")
        two = zone.substation("two", 100_000)
        assert zone.ledger.release([Release("s", 1, ReleaseOutcome.UNKNOWN)]) == ["requested"]
        second = zone.reserve("s", avoid=["one"])
        assert (second.substation, second.attempt) == ("two", 2)
        assert (zone.committed("one"), zone.committed("two")) == (11_000, 11_000)

        two.starts("s", attempt=2, delivered_wh=10)
        assert two.beat().cancels == []
        one.starts("s", delivered_wh=3_000)  # the first POST did arrive
        assert one.beat().cancels == [Cancel("s", 1)]
        record = zone.ledger.session("s")
        assert record is not None
        assert record.delivered_wh == 10, "what the other attempt got does not count"
        one.ends("s", "stopped", 0)
        one.beat()
        assert (zone.committed("one"), zone.committed("two")) == (0, 11_000)
        assert zone.state("s") == "charging"

    def test_of_what_may_still_run_twice_at_one_substation_counts_both(self, zone: Zone, one: Substation) -> None:
        for attempt in (1, 2):
            assert zone.reserve("s").attempt == attempt
            zone.ledger.release([Release("s", attempt, ReleaseOutcome.UNKNOWN)])
        assert zone.committed("one") == 22_000
        assert sorted(one.beat().cancels) == [Cancel("s", 1), Cancel("s", 2)]
        one.ends("s", "stopped", 0, attempt=1)
        one.ends("s", "barred", 0, attempt=2)
        one.beat()
        assert zone.committed("one") == 0


class TestCancelling:
    def test_what_its_substation_stopped_is_free_at_once(self, zone: Zone, one: Substation) -> None:
        zone.reserve("s")
        assert zone.cancel("s") == "cancelled"
        assert zone.committed("one") == 0

    def test_what_its_substation_could_not_be_told_is_free_when_it_acknowledges(
        self, zone: Zone, one: Substation
    ) -> None:
        zone.reserve("s")
        one.starts("s")
        one.beat()
        assert zone.ledger.release([Release("s", 1, ReleaseOutcome.CANCELLING)]) == ["unsettled"]
        assert one.beat().cancels == [Cancel("s", 1)], "though it is listed"
        assert zone.committed("one") == 11_000
        one.ends("s", "stopped", 3)
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
        zone.ledger.release([Release("s", 1, ReleaseOutcome.CANCELLING)])
        one.epoch = 0  # it was taken for lost, or another had its name for a while
        assert one.beat().epoch == 2
        one.runs.clear()
        assert one.beat().cancels == [Cancel("s", 1)]
        assert zone.committed("one") == 11_000, "until it has said what became of it"
        one.ends("s", "stopped", 3)
        one.beat()

    def test_asked_for_again_before_that_it_is_not_started_again(self, zone: Zone, one: Substation) -> None:
        zone.reserve("s")
        zone.ledger.release([Release("s", 1, ReleaseOutcome.CANCELLING)])
        again = zone.reserve("s")
        assert (again.outcome, again.state) == (Outcome.ENDED, "unsettled")

    def test_what_finished_meanwhile_stays_finished(self, zone: Zone, one: Substation) -> None:
        zone.reserve("s")
        one.ends("s")
        one.beat()
        assert zone.cancel("s") == "finished"


class TestForgetting:
    def test_an_ended_session_is_known_for_a_while_and_then_not(self, zone: Zone, one: Substation) -> None:
        zone.reserve("s")
        one.ends("s")
        one.beat()
        zone.clock.advance(RETENTION_MS - 1)
        zone.ledger.sweep()
        assert zone.state("s") == "finished"
        zone.clock.advance(1)
        assert zone.ledger.sweep().forgotten == 1
        assert zone.state("s") == "unknown"

    def test_when_all_is_over_no_key_is_left(self, zone: Zone, one: Substation) -> None:
        two = zone.substation("two", 100_000)
        for i in range(12):
            placement = zone.reserve(f"s{i}")
            {"one": one, "two": two}[placement.substation].starts(f"s{i}")
        one.beat()
        two.beat()
        zone.ledger.release([Release("s0", 1, ReleaseOutcome.UNKNOWN), Release("s1", 1, ReleaseOutcome.CANCELLED)])
        two.restarts()
        two.beat()
        for wait in (HEARTBEAT_TTL_MS, LOST_MS, RETENTION_MS, GIVE_UP_MS, RETENTION_MS):
            zone.clock.advance(wait)
            zone.ledger.sweep()
        assert [name for name in zone_keys("default") if zone.redis.exists(name)] == []
