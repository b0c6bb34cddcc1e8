"""Room is kept for who is overdue, and too big for what comes free at a time."""

import pytest

from grid.ledger import Ledger, LedgerConfig, Outcome, Request
from grid.ledger.ledger import WINDOW

from ..conftest import HEARTBEAT_TTL_MS, PATIENCE_MS, Substation, Zone
from .conftest import HOUR_MS


def test_nobody_smaller_passes_one_that_is_overdue(zone: Zone, full: Substation) -> None:
    zone.reserve("big", 60_000)
    zone.clock.advance(PATIENCE_MS)
    zone.reserve("small", 20_000)
    full.ends("quarter")
    assert full.beat().grants == []
    assert zone.keeps() == {"one": "big"}
    assert zone.reserve("new", 1_000).outcome is Outcome.WAITING
    full.ends("half")
    assert full.starts_what_it_was_given(full.beat()) == ["big", "new"], "and small does not fit"
    full.ends("other quarter")
    assert full.starts_what_it_was_given(full.beat()) == ["small"]


def test_before_that_it_is_passed(zone: Zone, full: Substation) -> None:
    zone.reserve("big", 60_000)
    zone.clock.advance(PATIENCE_MS - 1)
    zone.reserve("small", 20_000)
    full.ends("quarter")
    assert [grant.session for grant in full.beat().grants] == ["small"]
    assert zone.keeps() == {"one": None}


def test_nor_does_a_new_request(zone: Zone, overdue: str) -> None:
    assert zone.reserve("new", 5_000).outcome is Outcome.WAITING
    assert zone.keeps() == {"one": overdue}


def test_where_it_could_ever_fit_and_the_most_room_is(zone: Zone, full: Substation) -> None:
    zone.substation("too small", 59_000)
    three = zone.substation("three", 100_000)
    zone.reserve("a", 59_000)
    zone.reserve("b", 55_000)
    three.beat()
    zone.reserve("big", 60_000)
    zone.clock.advance(PATIENCE_MS)
    zone.reserve("new", 40_000)
    assert zone.keeps() == {"one": None, "three": "big", "too small": None}


def test_for_the_first_in_order_whatever_its_power(zone: Zone, full: Substation) -> None:
    zone.reserve("first", 90_000)
    zone.clock.advance(1)
    zone.reserve("second", 60_000)
    zone.clock.advance(PATIENCE_MS)
    zone.cancel("quarter")
    zone.reserve("new", 5_000)
    assert zone.keeps() == {"one": "first"}


def test_not_by_one_that_is_gone_however_many_are(zone: Zone, full: Substation) -> None:
    for number in range(WINDOW + 1):
        zone.substation(f"gone-{number}", 90_000)
    zone.clock.advance(HEARTBEAT_TTL_MS)
    full.beat()
    zone.ledger.sweep()
    zone.reserve("big", 60_000)
    zone.clock.advance(PATIENCE_MS)
    zone.cancel("quarter")
    zone.reserve("new", 5_000)
    assert {row.substation for row in zone.ledger.grid() if row.keeps} == {"one"}


def test_if_another_has_room_first_it_goes_there(zone: Zone, overdue: str) -> None:
    zone.reserve("new", 5_000)
    two = Substation(zone.ledger, "two", 100_000)
    assert sorted(two.starts_what_it_was_given(two.beat())) == [overdue, "new"]
    assert zone.keeps() == {"one": None, "two": None}
    assert zone.reserve("newer", 25_000).outcome is Outcome.PLACED


def test_also_if_nobody_else_waits(zone: Zone, overdue: str) -> None:
    zone.reserve("new", 5_000)
    zone.cancel("new")
    two = Substation(zone.ledger, "two", 100_000)
    assert two.starts_what_it_was_given(two.beat()) == [overdue]


@pytest.mark.parametrize("end", ["cancelled", "expired"])
def test_it_is_free_again_when_it_does_not_wait_any_more(zone: Zone, full: Substation, end: str) -> None:
    zone.reserve("big", 60_000, ready_by=zone.clock.now + HOUR_MS)
    zone.clock.advance(HOUR_MS - 1)
    full.beat()
    zone.cancel("quarter")
    assert zone.reserve("new", 5_000).outcome is Outcome.WAITING
    if end == "cancelled":
        zone.cancel("big")
    else:
        zone.clock.advance(1)
        zone.ledger.sweep()
    assert zone.state("big") == end
    assert zone.reserve("newer", 20_000).outcome is Outcome.PLACED
    assert zone.state("new") == "reserved"


@pytest.mark.parametrize("fate", ["silent", "draining", "other limit"])
def test_another_keeps_it_when_the_one_that_did_goes_away(
    zone: Zone, full: Substation, overdue: str, fate: str
) -> None:
    zone.reserve("new", 5_000)
    assert zone.keeps() == {"one": overdue}
    if fate == "silent":
        zone.clock.advance(HEARTBEAT_TTL_MS)
        zone.ledger.sweep()
    elif fate == "draining":
        full.beat("draining")
    else:
        full.limit = 59_000
        full.beat()
    assert zone.keeps() == {"one": None}
    assert overdue in zone.line()


def test_a_substation_that_keeps_room_for_one_keeps_it_for_nobody_else(zone: Zone, full: Substation) -> None:
    """Not even after all that ran there was cancelled, and its own heartbeat has not come."""
    zone.reserve("big", 60_000)
    zone.reserve("bigger", 70_000)
    zone.clock.advance(PATIENCE_MS)
    zone.cancel("quarter")
    zone.reserve("new", 5_000)
    assert zone.keeps() == {"one": "big"}
    for session in ("half", "other quarter"):
        zone.cancel(session)
    for number in range(20):
        zone.substation(f"small-{number}", 5_000)  # more of them may keep room now
    zone.reserve("newer", 1_000)
    assert "kept" not in zone.records()["bigger"]


def test_an_eighth_of_the_substations_keep_room_at_a_time_and_the_next_in_order_is_next(
    zone: Zone, full: Substation
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
    zone.cancel("first")
    zone.reserve("newer", 5_000)
    assert sorted(row.keeps for row in zone.ledger.grid() if row.keeps) == ["second", "third"]


@pytest.mark.parametrize("ahead", [0, 60])
def test_a_350_kw_request_among_a_stream_of_7_kw_ones_starts_within_the_bound(zone: Zone, ahead: int) -> None:
    """When its latest start has passed and those before it have had their turn: the longest charge, and a beat."""
    patience, beat, lasts = 60_000, 1_000, 90_000
    zone.ledger = Ledger(zone.redis, "default", LedgerConfig(patience=patience), clock=zone.clock)
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
