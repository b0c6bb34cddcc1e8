"""Who waits when nobody has room, in which order they get it, and that nobody is overtaken without end."""

import pytest
from redis import Redis

from grid.ledger import Cancel, Ledger, LineRecord, Outcome, Release, ReleaseOutcome, Request
from grid.ledger.keys import key
from grid.ledger.ledger import WINDOW

from .conftest import (
    GIVE_UP_MS,
    HEARTBEAT_TTL_MS,
    LOST_MS,
    PATIENCE_MS,
    PRIORITY_SHIFT_MS,
    RESERVE_TTL_MS,
    Clock,
    Substation,
    Zone,
)

HOUR_MS = 3_600_000


@pytest.fixture
def full(zone: Zone, one: Substation) -> Substation:
    """One substation of 100 kW, which a car of 50 kW and two of 25 kW fill."""
    for session, watts in (("half", 50_000), ("quarter", 25_000), ("other quarter", 25_000)):
        zone.reserve(session, watts)
        one.starts(session, watts)
    assert one.beat().grants == []
    return one


class TestOrder:
    def test_those_who_named_no_time_are_served_in_order_of_arrival(self, zone: Zone, full: Substation) -> None:
        for session in "abc":
            assert zone.reserve(session, 25_000).outcome is Outcome.WAITING
            zone.clock.advance(1)
        full.ends("half")
        assert full.starts_what_it_was_given(full.beat()) == ["a", "b"]
        full.ends("quarter")
        assert full.starts_what_it_was_given(full.beat()) == ["c"]

    def test_whoever_can_wait_least_is_first(self, zone: Zone, full: Substation) -> None:
        now = zone.clock.now
        # 10 kWh at 20 kW take half an hour, at 10 kW an hour.
        zone.reserve("noon", 20_000, ready_by=now + 5 * HOUR_MS)
        zone.reserve("slow, and ready a little later", 10_000, ready_by=now + 5 * HOUR_MS + HOUR_MS // 4)
        zone.reserve("morning", 20_000, ready_by=now + 3 * HOUR_MS)
        assert zone.line() == ["morning", "slow, and ready a little later", "noon"]

    def test_where_an_hour_of_charging_passes_in_a_minute_it_takes_a_minute(
        self, redis: Redis, zone: Zone, full: Substation
    ) -> None:
        ledger = Ledger(redis, "default", clock=zone.clock, time_scale=60)
        in_an_hour = zone.clock.now + HOUR_MS
        ledger.reserve([Request("long", "car", 10_000, 10_000, ready_by=in_an_hour)])  # an hour, so a minute
        ledger.reserve([Request("short", "car", 20_000, 10_000, ready_by=in_an_hour - 30_001)])
        ledger.reserve([Request("shorter", "car", 20_000, 10_000, ready_by=in_an_hour - 29_999)])
        assert zone.line() == ["short", "long", "shorter"]

    def test_naming_no_time_means_within_the_patience(self, zone: Zone, full: Substation) -> None:
        now, takes = zone.clock.now, HOUR_MS // 2
        zone.reserve("none", 20_000)
        zone.reserve("sooner", 20_000, ready_by=now + PATIENCE_MS + takes - 1)
        zone.reserve("later", 20_000, ready_by=now + PATIENCE_MS + takes + 1)
        assert zone.line() == ["sooner", "none", "later"]

    def test_a_time_that_cannot_be_met_is_no_way_past_those_who_wait_already(
        self, zone: Zone, full: Substation
    ) -> None:
        zone.reserve("urgent", 20_000, ready_by=zone.clock.now + HOUR_MS // 2)
        zone.clock.advance(1)
        zone.reserve("impossible", 20_000, ready_by=zone.clock.now + 1)
        assert zone.line() == ["urgent", "impossible"]

    def test_an_emergency_comes_so_much_earlier_and_flexible_ones_so_much_later(
        self, zone: Zone, full: Substation
    ) -> None:
        zone.reserve("normal")
        zone.reserve("flexible", priority="flexible")
        zone.clock.advance(PRIORITY_SHIFT_MS - 1)
        zone.reserve("emergency", priority="emergency")
        zone.reserve("as early as the flexible one", priority="normal")
        zone.clock.advance(2)
        zone.reserve("emergency, too late", priority="emergency")
        assert zone.line() == [
            "emergency",
            "normal",
            "emergency, too late",
            "as early as the flexible one",
            "flexible",
        ]

    def test_an_emergency_at_the_beginning_of_time_is_first_and_no_earlier_than_that(self, redis: Redis) -> None:
        """A replay's clock may begin at 0. The line has no place for what begins before: its text has no sign."""
        clock = Clock(now=0)
        zone = Zone(redis, Ledger(redis, "default", clock=clock), clock)
        one = zone.substation("one", 100_000)
        zone.reserve("all of it", 100_000)
        for session, priority in (("normal", "normal"), ("emergency", "emergency")):
            zone.reserve(session, 25_000, priority=priority)
        assert zone.records()["emergency"]["latest"] == 0
        one.starts("all of it", 100_000)
        one.ends("all of it")
        assert one.starts_what_it_was_given(one.beat()) == ["emergency", "normal"]
        zone.assert_consistent()

    def test_smaller_ones_pass_who_does_not_fit_yet(self, zone: Zone, full: Substation) -> None:
        for session, watts in (("big", 60_000), ("small", 20_000), ("smaller", 5_000)):
            zone.reserve(session, watts)
            zone.clock.advance(1)
        full.ends("quarter")
        assert full.starts_what_it_was_given(full.beat()) == ["small", "smaller"]
        assert zone.line() == ["big"]

    def test_everybody_who_fits_is_served_however_many_sizes_there_are(self, zone: Zone, full: Substation) -> None:
        watts = [1_000 + 37 * i for i in range(40)]
        for number in watts:
            zone.reserve(f"{number}", number)
        full.ends("half")
        full.ends("quarter")
        given = full.starts_what_it_was_given(full.beat())
        assert given == [str(number) for number in watts if sum(watts[: watts.index(number) + 1]) <= 75_000]

    def test_one_that_fits_is_found_behind_a_thousand_that_do_not(self, zone: Zone, full: Substation) -> None:
        zone.ledger.reserve([Request(f"s{i}", "car", 60_000, 10_000) for i in range(1_000)])
        zone.reserve("small", 25_000)
        full.ends("quarter")
        assert [grant.session for grant in full.beat().grants] == ["small"]

    def test_powers_that_share_a_line_are_not_mixed_up_with_what_fits(self, zone: Zone, full: Substation) -> None:
        zone.reserve("odd", 24_999)  # in the line of 25 kW
        zone.clock.advance(1)
        zone.reserve("bigger", 25_000)
        full.ends("quarter")
        full.limit = 99_999
        assert [grant.session for grant in full.beat().grants] == ["odd"]


@pytest.mark.parametrize("call", ["joins", "is placed", "is granted", "frees nothing"])
def test_the_work_does_not_grow_with_the_line(redis_server_url: str, call: str) -> None:
    with Redis.from_url(redis_server_url, decode_responses=True) as redis:
        assert commands(redis, 10, call) == commands(redis, 9_999, call) <= 60


def commands(redis: Redis, waiting: int, call: str) -> int:
    """How many a script runs while so many wait, in three lines, one of them overdue."""
    redis.flushall()
    clock = Clock()
    zone = Zone(redis, Ledger(redis, "default", clock=clock), clock)
    one = zone.substation("one", 100_000)
    one.starts("rest", 94_000)
    one.starts("sliver", 5_000)
    one.beat()
    sizes = (99_000, 50_000, 5_000)
    zone.ledger.reserve([Request(f"s{i}", "car", sizes[i % 3], 10_000) for i in range(waiting)])
    clock.advance(PATIENCE_MS)
    if call == "is granted":
        one.ends("sliver")
    before = calls(redis)
    if call in ("joins", "is placed"):
        zone.reserve("new", 22_000 if call == "joins" else 1_000)
    else:
        one.beat()
    return calls(redis) - before


def calls(redis: Redis) -> int:
    info = redis.info("commandstats")
    return sum(stats["calls"] for name, stats in info.items() if name not in ("cmdstat_info", "cmdstat_evalsha"))


class TestNobodyJumps:
    def test_a_new_request_does_not_get_the_room_of_those_who_wait(self, zone: Zone, full: Substation) -> None:
        zone.reserve("first", 25_000)
        zone.ledger.release([Release("quarter", 1, ReleaseOutcome.CANCELLED)])  # room that no heartbeat has seen
        assert zone.reserve("second", 25_000).outcome is Outcome.WAITING
        assert zone.state("first") == "reserved"

    def test_but_it_gets_what_is_of_no_use_to_them(self, zone: Zone, full: Substation) -> None:
        zone.reserve("first", 50_000)
        zone.ledger.release([Release("quarter", 1, ReleaseOutcome.CANCELLED)])
        assert zone.reserve("second", 20_000).outcome is Outcome.PLACED
        assert zone.state("first") == "waiting"

    def test_nor_of_one_behind_another_of_about_its_power(self, zone: Zone, full: Substation) -> None:
        zone.reserve("just too big", 24_900)
        zone.clock.advance(1)
        zone.reserve("would fit", 24_500)
        full.ends("quarter")
        full.limit = 99_500
        assert full.beat().grants == []
        assert zone.reserve("new", 24_500).outcome is Outcome.WAITING
        assert zone.reserve("small", 20_000).outcome is Outcome.PLACED

    def test_an_emergency_that_is_new_may_pass_one_that_is_overdue(self, zone: Zone, full: Substation) -> None:
        zone.reserve("big", 60_000)
        zone.clock.advance(PATIENCE_MS)
        zone.ledger.release([Release("quarter", 1, ReleaseOutcome.CANCELLED)])
        assert zone.reserve("ambulance", 20_000, priority="emergency").outcome is Outcome.PLACED
        assert [row.keeps for row in zone.ledger.grid()] == [None]

    def test_nor_a_smaller_one_of_the_same_fleet_once_that_one_is_overdue(self, zone: Zone, full: Substation) -> None:
        zone.ledger.release([Release("quarter", 1, ReleaseOutcome.CANCELLED)])
        late = Request("late already", "car", 60_000, 10_000, ready_by=zone.clock.now + 1)
        placements = zone.ledger.reserve([late, Request("small", "car", 20_000, 10_000)])
        assert [placement.outcome for placement in placements] == [Outcome.WAITING, Outcome.WAITING]

    def test_more_than_one_call_can_give_is_left_to_the_line(self, zone: Zone, full: Substation) -> None:
        zone.ledger.reserve([Request(f"s{i}", "car", 1_000, 10_000) for i in range(150)])
        two = Substation(zone.ledger, "two", 1_000_000)
        two.ask_for_an_epoch()
        two.beat()
        assert zone.ledger.states()["waiting"] == 50
        assert zone.reserve("new", 1_000).outcome is Outcome.PLACED, "after those who waited"
        assert zone.ledger.states().get("waiting", 0) == 0

    def test_whoever_comes_while_they_are_still_being_served_waits(self, zone: Zone, full: Substation) -> None:
        zone.ledger.reserve([Request(f"s{i}", "car", 1_000, 10_000) for i in range(250)])
        two = Substation(zone.ledger, "two", 1_000_000)
        two.ask_for_an_epoch()
        two.beat()
        assert zone.reserve("new", 1_000).outcome is Outcome.WAITING
        assert two.beat().grants
        assert zone.line() == []


class TestGrants:
    def test_one_is_said_again_until_the_substation_lists_it(self, zone: Zone, full: Substation) -> None:
        zone.reserve("s", 25_000)
        full.ends("quarter")
        first = full.beat().grants
        assert [(grant.session, grant.attempt, grant.watts) for grant in first] == [("s", 1, 25_000)]
        assert full.beat().grants == first, "the first reply was lost"
        full.starts("s", 25_000)
        assert full.beat().grants == []
        assert zone.state("s") == "charging"

    def test_one_that_never_starts_goes_back_to_its_old_place(self, zone: Zone, full: Substation) -> None:
        zone.reserve("s", 25_000)
        zone.reserve("t", 25_000)
        full.ends("quarter")
        full.beat()
        zone.clock.advance(RESERVE_TTL_MS)
        assert zone.ledger.sweep().unsettled == 1
        assert full.beat().cancels == [Cancel("s", 1)]
        full.ends("s", "barred", 0)
        full.beat("draining")
        assert zone.line() == ["s", "t"]

    def test_one_that_the_substation_cannot_start_goes_back_to_its_old_place(
        self, zone: Zone, full: Substation
    ) -> None:
        zone.reserve("s", 25_000)
        zone.reserve("t", 25_000)
        full.ends("quarter")
        full.beat()
        full.ends("s", "barred", 0)
        full.limit = 75_000
        full.beat()
        assert zone.line() == ["s", "t"]

    def test_one_given_to_a_substation_that_is_then_lost_goes_back_to_its_old_place(
        self, zone: Zone, full: Substation
    ) -> None:
        zone.reserve("s", 25_000)
        zone.reserve("t", 25_000)
        full.ends("quarter")
        full.beat()
        for wait in (HEARTBEAT_TTL_MS, LOST_MS):
            zone.clock.advance(wait)
            zone.ledger.sweep()
        assert zone.line()[-2:] == ["s", "t"]

    def test_it_goes_where_a_new_request_would_go(self, zone: Zone, full: Substation) -> None:
        two = zone.substation("two", 100_000)
        zone.reserve("all of it", 100_000)
        zone.reserve("s", 25_000)
        zone.ledger.release([Release("all of it", 1, ReleaseOutcome.CANCELLED)])
        full.ends("quarter")
        assert full.beat().grants == [], "two is less loaded"
        assert [grant.session for grant in two.beat().grants] == ["s"]

    def test_the_room_of_one_is_given_from_another_ones_heartbeat(self, zone: Zone, full: Substation) -> None:
        two = zone.substation("two", 50_000)
        zone.reserve("filler", 50_000)
        zone.reserve("s", 25_000)
        zone.ledger.release([Release("quarter", 1, ReleaseOutcome.CANCELLED)])
        assert two.beat().grants == []
        assert zone.state("s") == "reserved"
        full.runs = [listed for listed in full.runs if listed.session != "quarter"]
        assert [grant.session for grant in full.beat().grants] == ["s"]

    def test_it_says_how_long_they_have_waited(self, zone: Zone, full: Substation) -> None:
        zone.reserve("s", 25_000, priority="flexible")
        zone.clock.advance(2_000)
        full.ends("quarter")
        assert [(grant.waited, grant.priority) for grant in full.beat().grants] == [(2_000, "flexible")]


class TestRoomIsKept:
    """For who is overdue, and too big for what comes free at a time."""

    def test_nobody_smaller_passes_one_that_is_overdue(self, zone: Zone, full: Substation) -> None:
        zone.reserve("big", 60_000)
        zone.clock.advance(PATIENCE_MS)
        zone.reserve("small", 20_000)
        full.ends("quarter")
        assert full.beat().grants == []
        assert [row.keeps for row in zone.ledger.grid()] == ["big"]
        assert zone.reserve("new", 1_000).outcome is Outcome.WAITING
        full.ends("half")
        assert full.starts_what_it_was_given(full.beat()) == ["big", "new"], "and small does not fit"
        full.ends("other quarter")
        assert full.starts_what_it_was_given(full.beat()) == ["small"]

    def test_before_that_it_is_passed(self, zone: Zone, full: Substation) -> None:
        zone.reserve("big", 60_000)
        zone.clock.advance(PATIENCE_MS - 1)
        zone.reserve("small", 20_000)
        full.ends("quarter")
        assert [grant.session for grant in full.beat().grants] == ["small"]
        assert [row.keeps for row in zone.ledger.grid()] == [None]

    def test_nor_does_a_new_request(self, zone: Zone, full: Substation) -> None:
        zone.reserve("big", 60_000)
        zone.clock.advance(PATIENCE_MS)
        zone.ledger.release([Release("quarter", 1, ReleaseOutcome.CANCELLED)])
        assert zone.reserve("new", 5_000).outcome is Outcome.WAITING
        assert [row.keeps for row in zone.ledger.grid()] == ["big"]

    def test_where_it_could_ever_fit_and_the_most_room_is(self, zone: Zone, full: Substation) -> None:
        zone.substation("too small", 59_000)
        three = zone.substation("three", 100_000)
        zone.reserve("a", 59_000)
        zone.reserve("b", 55_000)
        three.beat()
        zone.reserve("big", 60_000)
        zone.clock.advance(PATIENCE_MS)
        zone.reserve("new", 40_000)
        keeps = {row.substation: row.keeps for row in zone.ledger.grid()}
        assert keeps == {"one": None, "three": "big", "too small": None}

    def test_for_the_first_in_order_whatever_its_power(self, zone: Zone, full: Substation) -> None:
        zone.reserve("first", 90_000)
        zone.clock.advance(1)
        zone.reserve("second", 60_000)
        zone.clock.advance(PATIENCE_MS)
        zone.ledger.release([Release("quarter", 1, ReleaseOutcome.CANCELLED)])
        zone.reserve("new", 5_000)
        assert [row.keeps for row in zone.ledger.grid()] == ["first"]

    def test_not_by_one_that_is_gone_however_many_are(self, zone: Zone, full: Substation) -> None:
        for number in range(WINDOW + 1):
            zone.substation(f"gone-{number}", 90_000)
        zone.clock.advance(HEARTBEAT_TTL_MS)
        full.beat()
        zone.ledger.sweep()
        zone.reserve("big", 60_000)
        zone.clock.advance(PATIENCE_MS)
        zone.ledger.release([Release("quarter", 1, ReleaseOutcome.CANCELLED)])
        zone.reserve("new", 5_000)
        assert {row.substation for row in zone.ledger.grid() if row.keeps} == {"one"}

    def test_if_another_has_room_first_it_goes_there(self, zone: Zone, full: Substation) -> None:
        zone.reserve("big", 60_000)
        zone.clock.advance(PATIENCE_MS)
        zone.ledger.release([Release("quarter", 1, ReleaseOutcome.CANCELLED)])
        zone.reserve("new", 5_000)
        two = Substation(zone.ledger, "two", 100_000)
        assert sorted(two.starts_what_it_was_given(two.beat())) == ["big", "new"]
        assert [row.keeps for row in zone.ledger.grid()] == [None, None]
        assert zone.reserve("newer", 25_000).outcome is Outcome.PLACED

    def test_also_if_nobody_else_waits(self, zone: Zone, full: Substation) -> None:
        zone.reserve("big", 60_000)
        zone.clock.advance(PATIENCE_MS)
        zone.ledger.release([Release("quarter", 1, ReleaseOutcome.CANCELLED)])
        zone.reserve("new", 5_000)
        zone.ledger.release([Release("new", 0, ReleaseOutcome.CANCELLED)])
        two = Substation(zone.ledger, "two", 100_000)
        assert two.starts_what_it_was_given(two.beat()) == ["big"]

    @pytest.mark.parametrize("end", ["cancelled", "expired"])
    def test_it_is_free_again_when_it_does_not_wait_any_more(self, zone: Zone, full: Substation, end: str) -> None:
        zone.reserve("big", 60_000, ready_by=zone.clock.now + HOUR_MS)
        zone.clock.advance(HOUR_MS - 1)
        full.beat()
        zone.ledger.release([Release("quarter", 1, ReleaseOutcome.CANCELLED)])
        assert zone.reserve("new", 5_000).outcome is Outcome.WAITING
        if end == "cancelled":
            zone.ledger.release([Release("big", 0, ReleaseOutcome.CANCELLED)])
        else:
            zone.clock.advance(1)
            zone.ledger.sweep()
        assert zone.state("big") == end
        assert zone.reserve("newer", 20_000).outcome is Outcome.PLACED
        assert zone.state("new") == "reserved"

    @pytest.mark.parametrize("fate", ["silent", "draining", "other limit"])
    def test_another_keeps_it_when_the_one_that_did_goes_away(self, zone: Zone, full: Substation, fate: str) -> None:
        zone.reserve("big", 60_000)
        zone.clock.advance(PATIENCE_MS)
        zone.ledger.release([Release("quarter", 1, ReleaseOutcome.CANCELLED)])
        zone.reserve("new", 5_000)
        assert [row.keeps for row in zone.ledger.grid()] == ["big"]
        if fate == "silent":
            zone.clock.advance(HEARTBEAT_TTL_MS)
            zone.ledger.sweep()
        elif fate == "draining":
            full.beat("draining")
        else:
            full.limit = 59_000
            full.beat()
        assert [row.keeps for row in zone.ledger.grid()] == [None]
        assert "big" in zone.line()

    def test_a_substation_that_keeps_room_for_one_keeps_it_for_nobody_else(self, zone: Zone, full: Substation) -> None:
        """Not even after all that ran there was cancelled, and its own heartbeat has not come."""
        zone.reserve("big", 60_000)
        zone.reserve("bigger", 70_000)
        zone.clock.advance(PATIENCE_MS)
        zone.ledger.release([Release("quarter", 1, ReleaseOutcome.CANCELLED)])
        zone.reserve("new", 5_000)
        assert [row.keeps for row in zone.ledger.grid()] == ["big"]
        for session in ("half", "other quarter"):
            zone.ledger.release([Release(session, 1, ReleaseOutcome.CANCELLED)])
        for number in range(20):
            zone.substation(f"small-{number}", 5_000)  # more of them may keep room now
        zone.reserve("newer", 1_000)
        assert "kept" not in zone.records()["bigger"]

    def test_an_eighth_of_the_substations_keep_room_at_a_time_and_the_next_in_order_is_next(
        self, zone: Zone, full: Substation
    ) -> None:
        others = [Substation(zone.ledger, f"s{number}", 100_000) for number in range(8)]
        for other in others:
            other.starts(f"all of {other.name}", 90_000)
            other.beat()
        for session in ("first", "second", "third"):
            zone.reserve(session, 60_000)
            zone.clock.advance(1)
        zone.clock.advance(PATIENCE_MS)
        for expected in (["first"], ["first", "second"], ["first", "second"]):
            zone.reserve(f"new at {zone.clock.now}", 5_000)
            zone.clock.advance(1)
            assert sorted(row.keeps for row in zone.ledger.grid() if row.keeps) == expected
        zone.ledger.release([Release("first", 0, ReleaseOutcome.CANCELLED)])
        zone.reserve("newer", 5_000)
        assert sorted(row.keeps for row in zone.ledger.grid() if row.keeps) == ["second", "third"]

    @pytest.mark.parametrize("ahead", [0, 60])
    def test_a_350_kw_request_among_a_stream_of_7_kw_ones_starts_within_the_bound(self, zone: Zone, ahead: int) -> None:
        """When its latest start has passed and those before it have had their turn: the longest charge, and a beat."""
        patience, beat, lasts = 60_000, 1_000, 90_000
        zone.ledger = Ledger(zone.redis, "default", clock=zone.clock, patience_ms=patience)
        hub = zone.substation("hub", 400_000)
        ends_at = {f"s{i}": zone.clock.now + i * lasts // 57 for i in range(57)}
        for session in ends_at:
            hub.starts(session, 7_000)
        hub.beat()
        before = {f"before {number}" for number in range(ahead)}
        zone.ledger.reserve([Request(session, "car", 7_000, 10_000) for session in sorted(before)])
        zone.clock.advance(beat)
        zone.reserve("truck", 350_000)
        its_turn = latest_start = zone.clock.now + patience
        while "truck" not in ends_at:
            assert zone.clock.now <= its_turn + lasts + beat
            zone.clock.advance(beat)
            zone.reserve(f"at {zone.clock.now}", 7_000)
            for session in [session for session, at in ends_at.items() if at <= zone.clock.now]:
                hub.ends(session)
                del ends_at[session]
            for session in hub.starts_what_it_was_given(hub.beat()):
                ends_at[session] = zone.clock.now + lasts
            if before & set(zone.line()):
                its_turn = max(its_turn, zone.clock.now + beat)
        assert zone.clock.now > latest_start, "until then smaller ones pass"


class TestEnds:
    def test_after_its_ready_by_time_it_has_expired_and_says_so(self, zone: Zone, full: Substation) -> None:
        zone.reserve("s", 25_000, ready_by=zone.clock.now + HOUR_MS)
        zone.clock.advance(HOUR_MS - 1)
        assert zone.ledger.sweep().expired == 0
        zone.clock.advance(1)
        assert zone.ledger.sweep().expired == 1
        assert (zone.state("s"), zone.line()) == ("expired", [])
        again = zone.reserve("s", 25_000, ready_by=zone.clock.now)
        assert (again.outcome, again.state) == (Outcome.ENDED, "expired")

    def test_nobody_is_given_room_too_late_for_a_sweep_to_have_noticed(self, zone: Zone, full: Substation) -> None:
        zone.reserve("late", 25_000, ready_by=zone.clock.now + HOUR_MS)
        zone.reserve("in time", 25_000, ready_by=zone.clock.now + 2 * HOUR_MS)
        zone.clock.advance(HOUR_MS)
        full.ends("quarter")
        assert [grant.session for grant in full.beat().grants] == ["in time"]
        assert zone.state("late") == "expired"

    def test_what_charged_and_waits_again_has_some_time_in_any_case(self, zone: Zone, full: Substation) -> None:
        zone.reserve("s", 25_000, ready_by=zone.clock.now + HOUR_MS)
        full.ends("quarter")
        full.starts_what_it_was_given(full.beat())
        full.beat()
        zone.clock.advance(GIVE_UP_MS)
        for wait in (HEARTBEAT_TTL_MS, LOST_MS):
            zone.clock.advance(wait)
            zone.ledger.sweep()
        assert (zone.state("s"), zone.state("half")) == ("waiting", "waiting")
        zone.clock.advance(PATIENCE_MS)
        zone.ledger.sweep()
        assert (zone.state("s"), zone.state("half")) == ("expired", "waiting")
        zone.clock.advance(GIVE_UP_MS - PATIENCE_MS)
        zone.ledger.sweep()
        assert zone.state("half") == "expired"

    def test_without_one_it_waits_for_a_long_time(self, zone: Zone, full: Substation) -> None:
        zone.reserve("s", 25_000)
        zone.clock.advance(GIVE_UP_MS - 1)
        assert zone.ledger.sweep().expired == 0
        zone.clock.advance(1)
        assert zone.ledger.sweep().expired == 1

    def test_its_owner_can_cancel_it(self, zone: Zone, full: Substation) -> None:
        zone.reserve("s", 25_000)
        assert zone.ledger.release([Release("s", 0, ReleaseOutcome.CANCELLED)]) == ["cancelled"]
        full.ends("quarter")
        assert full.beat().grants == []

    def test_a_cancel_that_comes_just_after_it_was_given_away_changes_nothing(
        self, zone: Zone, full: Substation
    ) -> None:
        zone.reserve("s", 25_000)
        full.ends("quarter")
        full.beat()
        assert zone.ledger.release([Release("s", 0, ReleaseOutcome.CANCELLED)]) == ["reserved"]

    def test_given_away_and_then_cancelled_it_is_not_started_again(self, zone: Zone, full: Substation) -> None:
        zone.reserve("s", 25_000)
        full.ends("quarter")
        full.beat()
        zone.ledger.release([Release("s", 1, ReleaseOutcome.CANCELLING)])
        reply = full.beat()
        assert (reply.grants, reply.cancels) == ([], [Cancel("s", 1)])


class TestFleets:
    def test_they_keep_their_order_and_are_told_the_places_that_they_have(self, zone: Zone, full: Substation) -> None:
        names = [f"{name}" for name in "zyxwvu"]
        placements = zone.ledger.reserve([Request(name, "car", 25_000, 10_000) for name in names])
        assert [placement.position for placement in placements] == [1, 2, 3, 4, 5, 6]
        assert zone.line() == names

    def test_also_if_the_last_one_is_the_first_in_line(self, zone: Zone, full: Substation) -> None:
        fleet = [Request("a", "car", 25_000, 10_000), Request("b", "car", 25_000, 10_000, priority="emergency")]
        assert [placement.position for placement in zone.ledger.reserve(fleet)] == [2, 1]

    def test_a_thousand_do_not_look_for_the_overdue_again_and_again(self, redis_server_url: str) -> None:
        with Redis.from_url(redis_server_url, decode_responses=True) as redis:
            per_car = [fleet_commands(redis, cars) / cars for cars in (10, 500)]
        assert per_car[1] < 25


def fleet_commands(redis: Redis, cars: int) -> int:
    """Of a fleet that finds room while a hundred different powers are overdue, and nobody may keep more room."""
    redis.flushall()
    clock = Clock()
    zone = Zone(redis, Ledger(redis, "default", clock=clock), clock)
    one = zone.substation("one", 1_000_000)
    zone.substation("two", 1_000_000)
    one.starts("rest", 900_000)
    one.beat()
    zone.ledger.reserve([Request("all of two", "car", 900_000, 10_000)])
    zone.ledger.reserve([Request(f"s{kw}", "car", kw * 1_000, 10_000) for kw in range(200, 300)])
    clock.advance(PATIENCE_MS)
    before = calls(redis)
    zone.ledger.reserve([Request(f"new-{number}", "car", 100, 10_000) for number in range(cars)])
    return calls(redis) - before


class TestAnswers:
    def test_asked_again_it_has_the_same_place(self, zone: Zone, full: Substation) -> None:
        first = zone.reserve("s", 25_000)
        zone.reserve("t", 25_000)
        assert zone.reserve("s", 25_000) == first
        assert first.position == 1

    def test_the_same_session_twice_in_a_batch_has_one_place(self, zone: Zone, full: Substation) -> None:
        first, second = zone.ledger.reserve([Request("s", "car", 25_000, 10_000)] * 2)
        assert first == second
        assert first.position == 1

    def test_the_line_has_an_end(self, redis: Redis, zone: Zone, full: Substation) -> None:
        ledger = Ledger(redis, "default", clock=zone.clock, longest_line=2)
        placements = ledger.reserve([Request(f"s{i}", "car", 9, 1) for i in range(3)])
        outcomes = [placement.outcome for placement in placements]
        assert outcomes == [Outcome.WAITING, Outcome.WAITING, Outcome.FULL]
        assert zone.state("s2") == "unknown"

    def test_without_a_line_a_full_grid_says_so(self, redis: Redis, zone: Zone, full: Substation) -> None:
        ledger = Ledger(redis, "default", clock=zone.clock, longest_line=0)
        assert [p.outcome for p in ledger.reserve([Request("s", "car", 9, 1)])] == [Outcome.FULL]

    def test_the_wait_is_estimated_from_how_fast_sessions_end(self, zone: Zone, full: Substation) -> None:
        zone.reserve("s0", 75_000)
        for session in ("quarter", "other quarter"):
            zone.clock.advance(5_000)
            full.ends(session)
            full.beat()
        assert [zone.reserve(f"s{number}", 25_000).position for number in range(1, 3)] == [0, 0]
        assert zone.reserve("s3", 25_000).expected_wait_ms == 2 * 5_000
        record = zone.ledger.session("s0")
        assert record is not None
        assert (record.position, record.expected_wait_ms) == (1, 3 * 5_000), "three times the power of those that ended"

    def test_times_when_nobody_waited_do_not_count(self, zone: Zone, full: Substation) -> None:
        for session in ("quarter", "other quarter"):
            zone.clock.advance(HOUR_MS)
            full.ends(session)
            full.beat()
        assert zone.redis.hgetall(key("default", "pace")) == {}

    def test_and_before_any_has_ended_from_those_who_charge(self, zone: Zone, full: Substation) -> None:
        # 3 cars charge. If each takes as long as this one, an hour, one ends every 15 minutes.
        assert zone.reserve("s", 10_000).expected_wait_ms == HOUR_MS // 4

    def test_a_session_that_does_not_wait_has_no_place(self, zone: Zone, full: Substation) -> None:
        record = zone.ledger.session("half")
        assert record is not None
        assert (record.position, record.expected_wait_ms) == (0, None)


class TestWhatIsSeenOfIt:
    def test_nothing_while_nobody_waits(self, zone: Zone, full: Substation) -> None:
        assert zone.ledger.line() == LineRecord(overdue_ms=0, smallest_watts=0)

    def test_how_late_the_first_is(self, zone: Zone, full: Substation) -> None:
        zone.reserve("s", 25_000)
        zone.clock.advance(1)
        zone.reserve("behind", 25_000)
        zone.clock.advance(PATIENCE_MS - 1)
        assert zone.ledger.line().overdue_ms == 0
        zone.clock.advance(5)
        assert zone.ledger.line().overdue_ms == 5

    def test_an_emergency_is_not_late_because_it_is_first(self, zone: Zone, full: Substation) -> None:
        zone.reserve("s", 25_000, priority="emergency")
        zone.clock.advance(PATIENCE_MS + 5)
        assert zone.ledger.line().overdue_ms == 5

    def test_how_little_would_serve_somebody_room_kept_or_not(self, zone: Zone, full: Substation) -> None:
        zone.reserve("big", 60_000)
        zone.clock.advance(PATIENCE_MS)
        zone.ledger.release([Release("quarter", 1, ReleaseOutcome.CANCELLED)])
        assert zone.ledger.line().smallest_watts == 60_000
        assert zone.reserve("overtakes", 20_000).outcome is Outcome.WAITING
        zone.ledger.release([Release("overtakes", 0, ReleaseOutcome.CANCELLED)])
        assert zone.ledger.line().smallest_watts == 60_000, "for which room is kept now"
        zone.reserve("small", 7_360)
        assert zone.ledger.line().smallest_watts == 7_400, "rounded up to two digits"
