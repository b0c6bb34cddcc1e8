"""A session's life in the ledger while its substation and Redis are well: from its request until it is forgotten."""

import pytest

from grid.ledger.keys import key, zone_keys
from grid.ledger.records import Outcome, Request

from .conftest import GIVE_UP_MS, HEARTBEAT_TTL_MS, LOST_MS, RETENTION_MS, Substation, Zone


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
    assert zone.reserve("s") == first._replace(state="charging", number=one.number)
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
        zone.ledger.cancel("s0")
        zone.cancel("s1")
        two.restarts()
        two.beat()
        for wait in (HEARTBEAT_TTL_MS, LOST_MS, RETENTION_MS, GIVE_UP_MS, RETENTION_MS):
            zone.clock.advance(wait)
            zone.ledger.sweep()
        assert [name for name in zone_keys("default") if zone.redis.exists(name)] == [key("default", "format")]
