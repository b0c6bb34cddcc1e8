"""A session's life in the ledger, and every way it can go wrong. Times: reservation 4 s, silence 2.5 s, lost +1.3 s."""

import pytest

from grid.ledger import Cancel, Outcome, Release, ReleaseOutcome, Request
from grid.ledger.keys import zone_keys

from .conftest import Substation, Zone

RESERVE_TTL_MS, HEARTBEAT_TTL_MS, LOST_MS = 4_000, 2_500, 1_300
RESUME_RETRY_MS, PATIENCE_MS, RETENTION_MS = 1_000, 43_200_000, 900_000


@pytest.fixture
def one(zone: Zone) -> Substation:
    return zone.substation("one", 100_000)


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


def test_a_full_grid_records_nothing(zone: Zone, one: Substation) -> None:
    before = zone.size()
    assert zone.reserve("s", 100_001).outcome is Outcome.FULL
    assert (zone.state("s"), zone.size()) == ("unknown", before)


def test_a_batch_is_placed_as_far_as_there_is_room(zone: Zone, one: Substation) -> None:
    placements = zone.ledger.reserve([Request(f"s{i}", "car", 30_000, 1) for i in range(5)])
    assert [p.outcome for p in placements] == [Outcome.PLACED] * 3 + [Outcome.FULL] * 2


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
        zone.ledger.release([Release("s", 1, ReleaseOutcome.CANCELLED)])
        assert one.beat(number=10).outcome == "ok"
        assert (zone.state("s"), zone.committed("one")) == ("cancelled", 0)

    def test_one_of_an_older_epoch_changes_nothing(self, zone: Zone, one: Substation) -> None:
        zone.reserve("s")
        one.starts("s")
        one.beat()
        one.restarts()
        assert one.beat().epoch == 2
        ghost = Substation(zone.ledger, "one", 100_000, epoch=1, number=99)
        ghost.starts("s")
        reply = ghost.beat()
        assert (reply.outcome, reply.epoch) == ("superseded", 2)
        assert zone.state("s") == "interrupted"

    def test_a_lower_limit_is_obeyed_at_once(self, zone: Zone, one: Substation) -> None:
        zone.reserve("s", 50_000)
        one.limit = 60_000
        one.beat()
        assert zone.reserve("t", 11_000).outcome is Outcome.FULL

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

    def test_if_it_ran_somebody_may_have_been_told_so_and_it_is_interrupted(self, zone: Zone, one: Substation) -> None:
        zone.reserve("s")
        zone.clock.advance(RESERVE_TTL_MS)
        zone.ledger.sweep()
        one.ends("s", "stopped", 4_000)
        one.beat()
        assert (zone.state("s"), zone.committed("one")) == ("interrupted", 0)
        assert zone.reserve("s").energy_wh == 6_000

    def test_if_it_was_asked_for_twice_somebody_may_have_been_told_that_it_charges(
        self, zone: Zone, one: Substation
    ) -> None:
        zone.reserve("s")
        zone.reserve("s")
        zone.ledger.release([Release("s", 1, ReleaseOutcome.REFUSED)])
        assert zone.state("s") == "interrupted"

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
        assert zone.ledger.release([Release("nobody", 1, ReleaseOutcome.CANCELLED)]) == [""]

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

        one.starts("s")  # the first POST did arrive
        two.starts("s", attempt=2)
        assert one.beat().cancels == [Cancel("s", 1)]
        assert two.beat().cancels == []
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
        assert zone.ledger.release([Release("s", 1, ReleaseOutcome.CANCELLED)]) == ["cancelled"]
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

    def test_asked_for_again_before_that_it_is_not_started_again(self, zone: Zone, one: Substation) -> None:
        zone.reserve("s")
        zone.ledger.release([Release("s", 1, ReleaseOutcome.CANCELLING)])
        again = zone.reserve("s")
        assert (again.outcome, again.state) == (Outcome.ENDED, "unsettled")

    def test_what_finished_meanwhile_stays_finished(self, zone: Zone, one: Substation) -> None:
        zone.reserve("s")
        one.ends("s")
        one.beat()
        assert zone.ledger.release([Release("s", 1, ReleaseOutcome.CANCELLED)]) == ["finished"]


class TestRestart:
    def test_a_new_epoch_interrupts_what_the_old_one_carried(self, zone: Zone, one: Substation) -> None:
        zone.reserve("s")
        one.starts("s", delivered_wh=4_000)
        one.beat()
        zone.reserve("t")  # reserved for the old epoch, never started
        one.restarts()
        assert one.beat().epoch == 2
        assert (zone.state("s"), zone.state("t"), zone.committed("one")) == ("interrupted", "interrupted", 0)

    def test_an_interrupted_session_is_placed_again_with_the_energy_still_missing(
        self, zone: Zone, one: Substation
    ) -> None:
        zone.reserve("s")
        one.starts("s", delivered_wh=4_000)
        one.beat()
        one.restarts()
        one.beat()
        again = zone.reserve("s")
        assert (again.attempt, again.epoch, again.energy_wh) == (2, 2, 6_000)
        one.starts("s", attempt=2, delivered_wh=1_000)
        one.beat()
        record = zone.ledger.session("s")
        assert record is not None
        assert record.delivered_wh == 5_000

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
    """What its substation's restart or loss has interrupted is handed to the next balancer that sweeps."""

    @pytest.fixture
    def interrupted(self, zone: Zone, one: Substation) -> Request:
        request = Request("s", "car", 11_000, 10_000, ready_by=zone.clock.now + 3_600_000, priority="emergency")
        zone.ledger.reserve([request])
        one.starts("s", delivered_wh=4_000)
        one.beat()
        one.restarts()
        one.beat()
        assert zone.state("s") == "interrupted"
        return request

    def test_the_next_sweep_hands_it_out_as_it_was_asked_for(self, zone: Zone, interrupted: Request) -> None:
        assert zone.ledger.sweep().resumed == [interrupted]
        (placement,) = zone.ledger.reserve([interrupted])
        assert (placement.outcome, placement.energy_wh) == (Outcome.PLACED, 6_000)
        zone.clock.advance(RESUME_RETRY_MS)
        assert zone.ledger.sweep().resumed == []

    def test_it_is_handed_out_again_until_it_has_a_place(self, zone: Zone, interrupted: Request) -> None:
        assert len(zone.ledger.sweep().resumed) == 1
        assert zone.ledger.sweep().resumed == [], "one balancer at a time tries"
        zone.clock.advance(RESUME_RETRY_MS)
        assert len(zone.ledger.sweep().resumed) == 1

    def test_a_try_that_fails_leaves_it_interrupted(self, zone: Zone, interrupted: Request) -> None:
        for attempt, outcome in ((2, ReleaseOutcome.REFUSED), (3, ReleaseOutcome.UNKNOWN)):
            zone.ledger.sweep()
            zone.ledger.reserve([interrupted])
            assert zone.ledger.release([Release("s", attempt, outcome)]) == ["interrupted"]

    def test_also_one_that_nobody_was_told_of_stays_interrupted_once_it_was_handed_out(
        self, zone: Zone, one: Substation
    ) -> None:
        zone.reserve("s")
        one.restarts()
        one.beat()
        assert len(zone.ledger.sweep().resumed) == 1
        zone.reserve("s")
        assert zone.ledger.release([Release("s", 2, ReleaseOutcome.REFUSED)]) == ["interrupted"]

    def test_asked_for_again_it_stays_a_promise_to_whoever_asked_first(self, zone: Zone, one: Substation) -> None:
        zone.reserve("s")
        one.restarts()
        one.beat()
        assert zone.reserve("s").attempt == 2
        assert zone.ledger.release([Release("s", 2, ReleaseOutcome.REFUSED)]) == ["interrupted"]

    def test_asked_for_again_without_room_it_is_known_and_not_refused(self, zone: Zone, interrupted: Request) -> None:
        zone.reserve("other", 100_000)
        (placement,) = zone.ledger.reserve([interrupted])
        assert (placement.outcome, placement.state) == (Outcome.INTERRUPTED, "interrupted")

    def test_an_expired_one_that_still_runs_goes_on(self, zone: Zone, one: Substation, interrupted: Request) -> None:
        zone.clock.now += 7_200_000
        zone.ledger.sweep()
        zone.clock.advance(RESUME_RETRY_MS)
        assert zone.ledger.sweep().expired == 1
        one.starts("s")
        assert one.beat().cancels == []
        assert zone.state("s") == "charging"

    def test_after_its_ready_by_time_it_is_expired(self, zone: Zone, interrupted: Request) -> None:
        assert interrupted.ready_by is not None
        zone.clock.now = interrupted.ready_by
        assert len(zone.ledger.sweep().resumed) == 1, "it has a try all the same"
        zone.clock.advance(RESUME_RETRY_MS)
        swept = zone.ledger.sweep()
        assert (swept.expired, swept.resumed, zone.state("s")) == (1, [], "expired")
        assert [placement.outcome for placement in zone.ledger.reserve([interrupted])] == [Outcome.ENDED]

    def test_without_one_it_is_tried_for_a_long_time(self, zone: Zone, one: Substation) -> None:
        zone.reserve("s")
        one.restarts()
        one.beat()
        zone.clock.advance(PATIENCE_MS - 1)
        assert len(zone.ledger.sweep().resumed) == 1
        zone.clock.advance(RESUME_RETRY_MS)
        assert zone.ledger.sweep().expired == 1

    def test_its_owner_can_cancel_it(self, zone: Zone, interrupted: Request) -> None:
        assert zone.ledger.release([Release("s", 1, ReleaseOutcome.CANCELLED)]) == ["cancelled"]
        assert zone.ledger.sweep().resumed == []

    @pytest.mark.parametrize("outcome", [ReleaseOutcome.REFUSED, ReleaseOutcome.UNKNOWN])
    def test_what_its_only_caller_gave_up_is_not_placed_behind_its_back(
        self, zone: Zone, one: Substation, outcome: ReleaseOutcome
    ) -> None:
        zone.reserve("s")  # for an epoch that is over when the POST comes
        one.restarts()
        one.beat()
        assert zone.state("s") == "interrupted"
        assert zone.ledger.release([Release("s", 1, outcome)]) == ["requested"]
        assert zone.ledger.sweep().resumed == []

    @pytest.mark.parametrize("fate", ["restarts", "is lost"])
    def test_what_its_owner_was_cancelling_is_cancelled_and_not_resumed(
        self, zone: Zone, one: Substation, fate: str
    ) -> None:
        zone.reserve("s")
        zone.ledger.release([Release("s", 1, ReleaseOutcome.CANCELLING)])
        if fate == "restarts":
            one.restarts()
            one.beat()
        else:
            for wait in (HEARTBEAT_TTL_MS, LOST_MS):
                zone.clock.advance(wait)
                zone.ledger.sweep()
        assert (zone.state("s"), zone.committed("one")) == ("cancelled", 0)
        assert zone.ledger.sweep().resumed == []


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

    def test_a_lost_one_has_its_sessions_interrupted_and_is_forgotten_later(self, zone: Zone, one: Substation) -> None:
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
        assert {zone.state(f"s{i}") for i in range(5)} == {"interrupted"}
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
        zone.ledger.sweep()
        assert [row.state for row in zone.ledger.grid()] == ["silent"]
        zone.clock.advance(LOST_MS)
        while zone.ledger.sweep(limit=2).interrupted:
            pass
        assert {zone.state(f"s{i}") for i in range(5)} == {"interrupted"}
        assert [(row.state, row.committed) for row in zone.ledger.grid()] == [("left", 0)]
        zone.clock.advance(RETENTION_MS)
        zone.ledger.sweep()
        assert zone.ledger.grid() == []

    def test_one_that_left_and_came_back_may_be_lost(self, zone: Zone, one: Substation) -> None:
        def falls_silent() -> list[str]:
            for wait in (HEARTBEAT_TTL_MS, LOST_MS):
                zone.clock.advance(wait)
                zone.ledger.sweep()
            return [row.state for row in zone.ledger.grid()]

        one.beat("draining")
        assert falls_silent() == ["left"]
        one.restarts()
        one.beat()
        assert [row.state for row in zone.ledger.grid()] == ["up"]
        assert zone.reserve("s").substation == "one"
        assert falls_silent() == ["lost"]

    def test_an_old_heartbeat_of_a_lost_one_is_still_old(self, zone: Zone, one: Substation) -> None:
        for wait in (HEARTBEAT_TTL_MS, LOST_MS):
            zone.clock.advance(wait)
            zone.ledger.sweep()
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
        assert zone.state("s") == "interrupted"
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
        assert one.beat().cancels == [Cancel("s", 1)]
        assert (zone.committed("one"), zone.committed("two")) == (11_000, 11_000), "both may draw"


class TestAWipedRedis:
    def test_nothing_is_routable_until_a_heartbeat_arrives(self, zone: Zone, one: Substation) -> None:
        zone.redis.flushall()
        assert zone.reserve("s").outcome is Outcome.NOWHERE

    def test_heartbeats_bring_back_what_is_charging(self, zone: Zone, one: Substation) -> None:
        zone.reserve("s", 60_000)
        one.starts("s", 60_000)
        one.beat()
        zone.redis.flushall()
        one.beat()
        assert (zone.state("s"), zone.committed("one")) == ("charging", 60_000)
        assert zone.reserve("t", 60_000).outcome is Outcome.FULL
        assert one.epoch == 1
        other = zone.ledger.reserve([Request("s", "car", 50_000, 99)])
        assert [placement.outcome for placement in other] == [Outcome.CONFLICT]
        again = zone.ledger.reserve([Request("s", "car", 60_000, 99, ready_by=1_900_000_000_000)])
        assert [placement.outcome for placement in again] == [Outcome.PLACED], "its key still means this session"

    def test_what_was_given_away_in_the_gap_shows_as_more_than_the_limit(self, zone: Zone, one: Substation) -> None:
        zone.reserve("s", 60_000)
        one.starts("s", 60_000)
        zone.redis.flushall()
        one.runs.clear()
        one.beat()
        zone.reserve("t", 60_000)
        one.starts("s", 60_000)
        one.beat()
        assert zone.committed("one") == 120_000, "the substation refuses t; until then both count"
        assert zone.reserve("u", 1_000).outcome is Outcome.FULL

    def test_of_two_attempts_the_later_one_is_the_session(self, zone: Zone, one: Substation) -> None:
        two = zone.substation("two", 100_000)
        one.starts("s", attempt=1)
        two.starts("s", attempt=2)
        zone.redis.flushall()
        one.beat()
        two.beat()
        record = zone.ledger.session("s")
        assert record is not None
        assert (record.substation, record.attempt) == ("two", 2)
        assert one.beat().cancels == [Cancel("s", 1)]


class TestARedisThatWasRolledBack:
    """It believes what was true some time ago."""

    @pytest.mark.parametrize(("how", "state"), [("finished", "finished"), ("cancelled", "cancelled")])
    def test_what_has_ended_since_ends_again_as_it_did(self, zone: Zone, one: Substation, how: str, state: str) -> None:
        zone.reserve("s")
        one.starts("s")
        one.beat()
        one.runs.clear()  # its end was told, and that was forgotten
        assert one.beat().cancels == [Cancel("s", 1)]
        one.ends("s", how)
        one.beat()
        assert (zone.state("s"), zone.committed("one")) == (state, 0)

    def test_what_has_moved_since_stays_where_it_runs(self, zone: Zone, one: Substation) -> None:
        zone.reserve("s")
        one.starts("s")
        one.beat()
        two = zone.substation("two", 100_000)
        two.starts("s", attempt=2)
        one.runs.clear()
        assert one.beat().cancels == [Cancel("s", 1)]
        one.ends("s", "stopped", 0)
        one.beat()
        assert zone.state("s") == "interrupted"
        assert two.beat().cancels == []
        record = zone.ledger.session("s")
        assert record is not None
        assert (record.state, record.substation) == ("charging", "two")
        assert (zone.committed("one"), zone.committed("two")) == (0, 11_000)

    def test_what_runs_though_it_was_finished_is_adopted(self, zone: Zone, one: Substation) -> None:
        zone.reserve("s")
        one.ends("s")
        one.beat()
        one.starts("s", attempt=2)
        assert one.beat().cancels == []
        assert zone.state("s") == "charging"

    def test_what_was_adopted_and_is_then_known_to_nobody_is_served_again(self, zone: Zone, one: Substation) -> None:
        one.starts("s")
        one.beat()
        one.runs.clear()
        assert one.beat().cancels == [Cancel("s", 1)]
        one.ends("s", "barred", 0)
        one.beat()
        assert zone.state("s") == "interrupted"

    @pytest.mark.parametrize("refused", ["before", "after"])
    def test_what_runs_elsewhere_than_it_was_just_placed_is_a_promise(
        self, zone: Zone, one: Substation, refused: str
    ) -> None:
        zone.substation("two", 200_000)
        zone.reserve("t", 30_000)  # at one: two has less load from now on
        assert zone.reserve("s").substation == "two"
        if refused == "before":
            zone.ledger.release([Release("s", 1, ReleaseOutcome.REFUSED)])
            assert zone.reserve("s").attempt == 2
            zone.ledger.release([Release("s", 2, ReleaseOutcome.REFUSED)])
        one.starts("s")
        assert one.beat().cancels == [Cancel("s", 1)]
        zone.ledger.release([Release("s", 1, ReleaseOutcome.REFUSED)])
        assert zone.state("s") == "interrupted"

    def test_what_its_owner_cancelled_meanwhile_is_stopped(self, zone: Zone, one: Substation) -> None:
        zone.reserve("s")
        zone.ledger.release([Release("s", 1, ReleaseOutcome.CANCELLED)])
        one.starts("s", attempt=2)
        assert one.beat().cancels == [Cancel("s", 2)]


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
        for wait in (HEARTBEAT_TTL_MS, LOST_MS, RETENTION_MS, PATIENCE_MS, RETENTION_MS):
            zone.clock.advance(wait)
            zone.ledger.sweep()
        assert [name for name in zone_keys("default") if zone.redis.exists(name)] == []
