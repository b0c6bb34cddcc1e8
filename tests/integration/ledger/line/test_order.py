"""In which order those who wait get room."""

from redis import Redis

from grid.ledger import Ledger, LedgerConfig
from grid.ledger.records import Outcome, Request

from ..conftest import PATIENCE_MS, PRIORITY_SHIFT_MS, Clock, Substation, Zone
from .conftest import HOUR_MS


def test_those_who_named_no_time_are_served_in_order_of_arrival(zone: Zone, full: Substation) -> None:
    for session in "abc":
        assert zone.reserve(session, 25_000).outcome is Outcome.WAITING
        zone.clock.advance(1)
    full.ends("half")
    assert full.starts_what_it_was_given(full.beat()) == ["a", "b"]
    full.ends("quarter")
    assert full.starts_what_it_was_given(full.beat()) == ["c"]


def test_whoever_can_wait_least_is_first(zone: Zone, full: Substation) -> None:
    now = zone.clock.now
    # 10 kWh at 20 kW take half an hour, at 10 kW an hour.
    zone.reserve("noon", 20_000, ready_by=now + 5 * HOUR_MS)
    zone.reserve("slow, and ready a little later", 10_000, ready_by=now + 5 * HOUR_MS + HOUR_MS // 4)
    zone.reserve("morning", 20_000, ready_by=now + 3 * HOUR_MS)
    assert zone.line() == ["morning", "slow, and ready a little later", "noon"]


def test_where_an_hour_of_charging_passes_in_a_minute_it_takes_a_minute(
    redis: Redis, zone: Zone, full: Substation
) -> None:
    ledger = Ledger(redis, "default", LedgerConfig(time_scale=60), clock=zone.clock)
    in_an_hour = zone.clock.now + HOUR_MS
    ledger.reserve([Request("long", "car", 10_000, 10_000, ready_by=in_an_hour)])  # an hour, so a minute
    ledger.reserve([Request("short", "car", 20_000, 10_000, ready_by=in_an_hour - 30_001)])
    ledger.reserve([Request("shorter", "car", 20_000, 10_000, ready_by=in_an_hour - 29_999)])
    assert zone.line() == ["short", "long", "shorter"]


def test_naming_no_time_means_within_the_patience(zone: Zone, full: Substation) -> None:
    now, takes = zone.clock.now, HOUR_MS // 2
    zone.reserve("none", 20_000)
    zone.reserve("sooner", 20_000, ready_by=now + PATIENCE_MS + takes - 1)
    zone.reserve("later", 20_000, ready_by=now + PATIENCE_MS + takes + 1)
    assert zone.line() == ["sooner", "none", "later"]


def test_a_time_that_cannot_be_met_is_no_way_past_those_who_wait_already(zone: Zone, full: Substation) -> None:
    zone.reserve("urgent", 20_000, ready_by=zone.clock.now + HOUR_MS // 2)
    zone.clock.advance(1)
    zone.reserve("impossible", 20_000, ready_by=zone.clock.now + 1)
    assert zone.line() == ["urgent", "impossible"]


def test_an_emergency_comes_so_much_earlier_and_flexible_ones_so_much_later(zone: Zone, full: Substation) -> None:
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


def test_an_emergency_at_the_beginning_of_time_is_first_and_no_earlier_than_that(redis: Redis) -> None:
    """A virtual clock may begin at 0. The line has no place for what begins before: its text has no sign."""
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


def test_smaller_ones_pass_who_does_not_fit_yet(zone: Zone, full: Substation) -> None:
    for session, watts in (("big", 60_000), ("small", 20_000), ("smaller", 5_000)):
        zone.reserve(session, watts)
        zone.clock.advance(1)
    full.ends("quarter")
    assert full.starts_what_it_was_given(full.beat()) == ["small", "smaller"]
    assert zone.line() == ["big"]


def test_everybody_who_fits_is_served_however_many_sizes_there_are(zone: Zone, full: Substation) -> None:
    watts = [1_000 + 37 * i for i in range(40)]
    for number in watts:
        zone.reserve(f"{number}", number)
    full.ends("half")
    full.ends("quarter")
    given = full.starts_what_it_was_given(full.beat())
    assert given == [str(number) for number in watts if sum(watts[: watts.index(number) + 1]) <= 75_000]


def test_one_that_fits_is_found_behind_a_thousand_that_do_not(zone: Zone, full: Substation) -> None:
    zone.ledger.reserve([Request(f"s{i}", "car", 60_000, 10_000) for i in range(1_000)])
    zone.reserve("small", 25_000)
    full.ends("quarter")
    assert [grant.session for grant in full.beat().grants] == ["small"]


def test_powers_that_share_a_line_are_not_mixed_up_with_what_fits(zone: Zone, full: Substation) -> None:
    zone.reserve("odd", 24_999)  # in the line of 25 kW
    zone.clock.advance(1)
    zone.reserve("bigger", 25_000)
    full.ends("quarter")
    full.limit = 99_999
    assert [grant.session for grant in full.beat().grants] == ["odd"]
