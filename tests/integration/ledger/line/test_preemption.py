"""A queued session takes the place of charging ones that have much more time."""

import pytest
from redis import Redis

from grid.ledger import Ledger, LedgerConfig
from grid.ledger.records import Outcome, Stop

from ..conftest import HEARTBEAT_TTL_MS, MIN_RUN_MS, PATIENCE_MS, PREEMPTION_SLACK_MS, Clock, Substation, Zone
from .conftest import HOUR_MS


def charge(zone: Zone, one: Substation, session: str, watts: int, slack_ms: int, priority: str = "normal") -> None:
    """It charges from now on, and could have begun `slack_ms` later. 10 kWh take a while: its ready-by time says so."""
    takes_ms = -(-10_000 * HOUR_MS // watts)
    zone.reserve(session, watts, ready_by=zone.clock.now + takes_ms + slack_ms, priority=priority)
    one.starts(session, watts)
    one.beat()


def preempted(one: Substation) -> list[str]:
    """What the next heartbeat's reply stops for the queue."""
    return [stop.session for stop in one.beat().stops if stop.why == "preempted"]


def stop(one: Substation, session: str, delivered_wh: int, attempt: int = 1) -> None:
    one.ends(session, "stopped", delivered_wh, attempt)


@pytest.fixture
def patient(zone: Zone, one: Substation) -> Substation:
    """All 100 kW charge a session that could have begun ten hours later; it has run for long enough to be stopped."""
    charge(zone, one, "patient", 100_000, 10 * HOUR_MS)
    zone.clock.advance(MIN_RUN_MS)
    return one


class TestWhatIsStopped:
    def test_a_charging_session_with_an_hour_more_makes_room(self, zone: Zone, patient: Substation) -> None:
        assert zone.reserve("urgent", 60_000).outcome is Outcome.WAITING
        assert patient.beat().stops == [Stop("patient", 1, "preempted")]
        assert zone.state("patient") == "charging", "until it is stopped"
        assert zone.committed("one") == 100_000
        stop(patient, "patient", 2_500)
        reply = patient.beat()
        assert [grant.session for grant in reply.grants] == ["urgent"]
        record = zone.ledger.session("patient")
        assert record is not None
        assert (record.state, record.delivered_wh, record.position) == ("waiting", 2_500, 1)
        assert (record.interruptions, record.interrupted_by) == (1, "preempted")

    @pytest.mark.parametrize(("more_ms", "stops"), [(1, ["rival"]), (0, [])])
    def test_one_with_less_than_that_more_does_not(
        self, zone: Zone, one: Substation, more_ms: int, stops: list[str]
    ) -> None:
        charge(zone, one, "rival", 100_000, PATIENCE_MS + PREEMPTION_SLACK_MS - MIN_RUN_MS + more_ms)
        zone.clock.advance(MIN_RUN_MS)
        zone.reserve("urgent", 60_000)
        zone.clock.advance(MIN_RUN_MS)
        assert preempted(one) == stops

    def test_the_most_slack_goes_first_and_what_is_not_needed_is_spared(self, zone: Zone, one: Substation) -> None:
        for session, watts, hours in (("a", 30_000, 9), ("b", 20_000, 8), ("c", 50_000, 7)):
            charge(zone, one, session, watts, hours * HOUR_MS)
        zone.clock.advance(MIN_RUN_MS)
        zone.reserve("urgent", 70_000)
        assert sorted(preempted(one)) == ["a", "c"], "a and b are not enough, and a and c are"

    def test_nothing_is_stopped_if_all_that_could_be_are_not_enough(self, zone: Zone, one: Substation) -> None:
        charge(zone, one, "patient", 50_000, 10 * HOUR_MS)
        charge(zone, one, "rival", 50_000, 0)
        zone.clock.advance(MIN_RUN_MS)
        zone.reserve("urgent", 60_000)
        assert preempted(one) == []

    def test_it_takes_only_what_the_room_left_is_short_of(self, zone: Zone, one: Substation) -> None:
        charge(zone, one, "patient", 30_000, 10 * HOUR_MS)
        charge(zone, one, "more patient", 30_000, 11 * HOUR_MS)
        zone.clock.advance(MIN_RUN_MS)
        zone.reserve("urgent", 70_000)  # 40 kW are free
        assert preempted(one) == ["more patient"]

    def test_no_more_is_stopped_while_a_stop_is_under_way_that_makes_enough_room(
        self, zone: Zone, one: Substation
    ) -> None:
        for session in ("a", "b"):
            charge(zone, one, session, 50_000, 10 * HOUR_MS)
        zone.clock.advance(MIN_RUN_MS)
        zone.reserve("urgent", 50_000)
        first = preempted(one)
        assert len(first) == 1
        assert preempted(one) == first

    def test_a_stop_is_ordered_again_until_it_is_reported(self, zone: Zone, patient: Substation) -> None:
        zone.reserve("urgent", 60_000)
        assert preempted(patient) == ["patient"]
        zone.reserve("urgent, too", 30_000)
        assert patient.beat().stops == [Stop("patient", 1, "preempted")], "said again, as it is still listed"

    def test_one_that_finishes_before_it_is_stopped_was_not_interrupted(self, zone: Zone, patient: Substation) -> None:
        zone.reserve("urgent", 60_000)
        assert preempted(patient) == ["patient"]
        patient.ends("patient")
        patient.beat()
        record = zone.ledger.session("patient")
        assert record is not None
        assert (record.state, record.interruptions) == ("finished", 0)

    def test_one_that_its_owner_cancels_meanwhile_is_cancelled(self, zone: Zone, patient: Substation) -> None:
        zone.reserve("urgent", 60_000)
        patient.beat()
        zone.ledger.cancel("patient")
        assert patient.beat().stops == [Stop("patient", 1, "cancelled")]
        stop(patient, "patient", 2_500)
        patient.beat()
        assert zone.state("patient") == "cancelled"


class TestWhoIsSpared:
    def test_for_its_first_quarter_of_an_hour(self, zone: Zone, one: Substation) -> None:
        charge(zone, one, "patient", 100_000, 10 * HOUR_MS)
        zone.reserve("urgent", 60_000)
        zone.clock.advance(MIN_RUN_MS - 1)
        assert preempted(one) == []
        zone.clock.advance(1)
        assert preempted(one) == ["patient"]

    @pytest.mark.parametrize(("late_ms", "stops"), [(0, []), (1, ["patient"])])
    def test_but_not_from_one_that_is_overdue_by_more_than_the_hour(
        self, zone: Zone, one: Substation, late_ms: int, stops: list[str]
    ) -> None:
        charge(zone, one, "rival", 30_000, 0)
        zone.reserve("urgent", 80_000)
        zone.clock.advance(PATIENCE_MS + PREEMPTION_SLACK_MS)
        charge(zone, one, "patient", 70_000, 10 * HOUR_MS)
        one.ends("rival")
        zone.clock.advance(late_ms)
        assert preempted(one) == stops

    @pytest.mark.parametrize(("priority", "stops"), [("normal", []), ("emergency", ["ambulance"])])
    def test_an_emergency_from_all_but_emergencies(
        self, zone: Zone, one: Substation, priority: str, stops: list[str]
    ) -> None:
        charge(zone, one, "ambulance", 100_000, 10 * HOUR_MS, "emergency")
        zone.reserve("urgent", 60_000, priority=priority)
        zone.clock.advance(9 * HOUR_MS)
        assert preempted(one) == stops

    def test_who_was_interrupted_before(self, zone: Zone, one: Substation) -> None:
        """It counts with an hour less, wherever it charges next."""
        charge(zone, one, "s", 100_000, 2 * HOUR_MS)
        zone.clock.advance(MIN_RUN_MS)
        zone.reserve("urgent", 60_000)
        assert preempted(one) == ["s"]
        stop(one, "s", 2_500)
        one.starts_what_it_was_given(one.beat())
        two = zone.substation("two", 100_000)
        assert two.starts_what_it_was_given(two.beat()) == ["s"]
        two.beat()
        charged_ms = 90_000  # 2.5 kWh at 100 kW
        its_slack = 2 * HOUR_MS - (MIN_RUN_MS - charged_ms)
        assert zone.records()["s"]["slack"] == its_slack - PREEMPTION_SLACK_MS


class TestForWhom:
    def test_the_most_urgent_that_the_limit_can_carry(self, zone: Zone, patient: Substation) -> None:
        zone.substation("two", 400_000).starts("all of it", 400_000)
        two = Substation(zone.ledger, "two", 400_000)
        two.starts("all of it", 400_000)
        two.beat()
        assert zone.reserve("too big here", 350_000).outcome is Outcome.WAITING
        zone.clock.advance(1)
        zone.reserve("urgent", 60_000)
        assert preempted(patient) == ["patient"]
        assert "promised" not in zone.records()["too big here"]
        assert zone.records()["urgent"]["promised"]["substation"] == "one"

    def test_the_next_one_if_there_is_not_enough_to_stop_for_the_most_urgent(self, zone: Zone, one: Substation) -> None:
        charge(zone, one, "patient", 40_000, 10 * HOUR_MS)
        charge(zone, one, "rival", 60_000, 0)
        zone.clock.advance(MIN_RUN_MS)
        zone.reserve("too big", 90_000)
        zone.clock.advance(1)
        zone.reserve("fits", 40_000)
        assert preempted(one) == ["patient"]
        assert zone.records()["fits"]["promised"]["substation"] == "one"

    def test_one_that_the_limit_cannot_carry_hides_none_of_about_its_power(self, zone: Zone, one: Substation) -> None:
        one.limit = 100_400
        one.beat()
        charge(zone, one, "patient", 100_400, 10 * HOUR_MS)
        two = zone.substation("two", 101_000)
        charge(zone, two, "rival", 101_000, 0)
        zone.clock.advance(MIN_RUN_MS)
        for number in range(7):
            zone.reserve(f"too big {number}", 100_500)
            zone.clock.advance(1)
        zone.reserve("fits", 100_300)
        assert preempted(one) == ["patient"]
        assert "promised" in zone.records()["fits"]

    def test_none_whose_time_is_up(self, zone: Zone, patient: Substation) -> None:
        zone.reserve("too late", 60_000, ready_by=zone.clock.now + 1)
        zone.clock.advance(1)
        assert preempted(patient) == []

    def test_what_comes_free_goes_by_the_order_of_the_queue(self, zone: Zone, patient: Substation) -> None:
        zone.reserve("urgent", 60_000)
        assert preempted(patient) == ["patient"]
        zone.reserve("ambulance", 50_000, priority="emergency")
        stop(patient, "patient", 2_500)
        assert patient.starts_what_it_was_given(patient.beat()) == ["ambulance"]
        assert zone.line() == ["urgent", "patient"]

    def test_a_new_request_passes_none_of_them(self, zone: Zone, patient: Substation) -> None:
        zone.reserve("urgent", 60_000)
        assert preempted(patient) == ["patient"]
        zone.cancel("patient")
        assert zone.reserve("new", 50_000).outcome is Outcome.WAITING
        assert zone.state("urgent") == "reserved"

    def test_substations_stop_sessions_for_one_at_one_place_only(self, zone: Zone) -> None:
        """Until the next heartbeat of that one, or until it is silent."""
        several = [zone.substation(f"s{number}", 100_000) for number in range(5)]
        for number, each in enumerate(several):
            charge(zone, each, f"patient {number}", 100_000, 10 * HOUR_MS)
        zone.clock.advance(MIN_RUN_MS)
        for each in several:
            each.beat()
        zone.reserve("urgent", 60_000)
        first, *others = several
        assert preempted(first) == ["patient 0"]
        assert [preempted(each) for each in others] == [[]] * 4
        zone.clock.advance(HEARTBEAT_TTL_MS - 1)
        assert preempted(others[0]) == []
        zone.clock.advance(1)
        assert preempted(others[0]) == ["patient 1"]

    def test_another_may_once_the_room_went_to_one_before_it(self, zone: Zone) -> None:
        first, second = (zone.substation(name, 100_000) for name in ("first", "second"))
        for each in (first, second):
            charge(zone, each, f"patient {each.name}", 100_000, 10 * HOUR_MS)
        zone.clock.advance(MIN_RUN_MS)
        zone.reserve("urgent", 60_000)
        assert preempted(first) == ["patient first"]
        assert preempted(second) == []
        zone.reserve("ambulance", 100_000, priority="emergency")
        stop(first, "patient first", 2_500)
        zone.clock.advance(1)
        assert first.starts_what_it_was_given(first.beat()) == ["ambulance"]
        assert preempted(second) == ["patient second"]


def test_of_2500_substations_one_stops_sessions_for_an_urgent_one(redis_server_url: str) -> None:
    with Redis.from_url(redis_server_url, decode_responses=True) as redis:
        redis.flushall()
        clock = Clock()
        zone = Zone(redis, Ledger(redis, "default", LedgerConfig(heartbeat_ttl=HOUR_MS), clock=clock), clock)
        substations = [Substation(zone.ledger, f"s{number}", 100_000) for number in range(2_500)]
        for each in substations:
            each.starts(f"at {each.name}", 100_000)
            each.beat()
        zone.reserve("urgent", 60_000)
        clock.advance(PATIENCE_MS + PREEMPTION_SLACK_MS + 1)
        stops = [stop for each in substations for stop in each.beat().stops]
        assert stops == [Stop("at s0", 1, "preempted")]


class TestTheLatestStart:
    def test_of_an_adopted_session_is_now_whatever_it_has_got(self, zone: Zone, one: Substation) -> None:
        """A wiped Redis knows of no time: such a session is neither ahead of others nor behind them for what it has."""
        zone.redis.flushall()
        one.starts("s", 100_000, delivered_wh=5_000)
        one.epoch = 1
        one.beat()
        assert zone.records()["s"]["slack"] == 0
        one.restarts()
        one.limit = 50_000
        one.beat()
        assert zone.redis.zscore("{grid:default}:waiting", "s") == zone.clock.now

    def test_moves_later_while_a_session_charges(self, zone: Zone, patient: Substation) -> None:
        """25 kWh of 100 kW are a quarter of an hour: its slack is the same as when it began."""
        before = zone.records()["patient"]["latest"]
        zone.reserve("urgent", 60_000)
        patient.beat()
        stop(patient, "patient", 2_500)
        patient.beat()
        assert zone.redis.zscore("{grid:default}:waiting", "patient") == before + 90_000

    def test_is_not_computed_again_from_the_ready_by_time(self, zone: Zone, patient: Substation) -> None:
        zone.reserve("urgent", 60_000)
        patient.beat()
        stop(patient, "patient", 2_500)
        patient.starts_what_it_was_given(patient.beat())
        two = zone.substation("two", 100_000)
        latest = zone.records()["patient"]["latest"]
        two.starts_what_it_was_given(two.beat())
        two.beat()
        stop(two, "patient", 1_000, attempt=2)
        two.beat()
        assert zone.records()["patient"]["latest"] == latest + 36_000, "by another kWh at 100 kW"

    def test_stops_do_not_count_in_the_pace_of_ends(self, zone: Zone, patient: Substation) -> None:
        zone.reserve("urgent", 60_000)
        zone.reserve("behind", 60_000)
        patient.beat()
        stop(patient, "patient", 2_500)
        patient.beat()
        assert zone.redis.hget("{grid:default}:pace", "ms") is None


def test_a_slack_can_be_chosen(zone: Zone, one: Substation) -> None:
    zone.ledger = one.ledger = Ledger(
        zone.redis, "default", LedgerConfig(preemption_slack=10 * HOUR_MS), clock=zone.clock
    )
    charge(zone, one, "patient", 100_000, 10 * HOUR_MS)
    zone.clock.advance(MIN_RUN_MS)
    zone.reserve("urgent", 60_000)
    assert preempted(one) == []
    zone.clock.advance(PATIENCE_MS + 1)
    assert preempted(one) == ["patient"]
