"""What they are told who wait: their place, how long it may take, or that the line is full."""

from redis import Redis

from grid.ledger import Ledger, LedgerConfig
from grid.ledger.keys import key
from grid.ledger.records import Outcome, Request

from ..conftest import Substation, Zone
from .conftest import HOUR_MS


def test_asked_again_it_has_the_same_place(zone: Zone, full: Substation) -> None:
    first = zone.reserve("s", 25_000)
    zone.reserve("t", 25_000)
    assert zone.reserve("s", 25_000) == first
    assert first.position == 1


def test_the_same_session_twice_in_a_batch_has_one_place(zone: Zone, full: Substation) -> None:
    first, second = zone.ledger.reserve([Request("s", "car", 25_000, 10_000)] * 2)
    assert first == second
    assert first.position == 1


def test_the_line_has_an_end(redis: Redis, zone: Zone, full: Substation) -> None:
    ledger = Ledger(redis, "default", LedgerConfig(longest_line=2), clock=zone.clock)
    placements = ledger.reserve([Request(f"s{i}", "car", 9, 1) for i in range(3)])
    outcomes = [placement.outcome for placement in placements]
    assert outcomes == [Outcome.WAITING, Outcome.WAITING, Outcome.FULL]
    assert zone.state("s2") == "unknown"


def test_without_a_line_a_full_grid_says_so(redis: Redis, zone: Zone, full: Substation) -> None:
    ledger = Ledger(redis, "default", LedgerConfig(longest_line=0), clock=zone.clock)
    assert [p.outcome for p in ledger.reserve([Request("s", "car", 9, 1)])] == [Outcome.FULL]


def test_the_wait_is_estimated_from_how_fast_sessions_end(zone: Zone, full: Substation) -> None:
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


def test_times_when_nobody_waited_do_not_count(zone: Zone, full: Substation) -> None:
    for session in ("quarter", "other quarter"):
        zone.clock.advance(HOUR_MS)
        full.ends(session)
        full.beat()
    assert zone.redis.hgetall(key("default", "pace")) == {}


def test_and_before_any_has_ended_from_those_who_charge(zone: Zone, full: Substation) -> None:
    # 3 cars charge. If each takes as long as this one, an hour, one ends every 15 minutes.
    assert zone.reserve("s", 10_000).expected_wait_ms == HOUR_MS // 4


def test_a_session_that_does_not_wait_has_no_place(zone: Zone, full: Substation) -> None:
    record = zone.ledger.session("half")
    assert record is not None
    assert (record.position, record.expected_wait_ms) == (0, None)
