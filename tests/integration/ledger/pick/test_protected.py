"""Charger sizes are protected: the fewest slots break, the biggest first; of equals the least loaded."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from redis import Redis

from grid.ledger import Ledger, LedgerConfig
from grid.ledger.records import Ended, Heartbeat, Outcome, Request

from .conftest import EXAMPLES, SIZES, WINDOW, Row, best, broken, fill, place, rows, slots

SEEN_WHATEVER_THEIR_LIMITS = 8
SEEN_OF_EQUAL_LIMITS = 12
CHARGERS = (350_000, 150_000, 50_000, 22_000)
PROTECTED = st.just(CHARGERS) | st.lists(st.integers(1, 400_000), min_size=1, max_size=8, unique=True).map(
    lambda sizes: tuple(sorted(sizes, reverse=True))
)
LIMIT = 1_000_000
EQUAL = st.integers(0, LIMIT).map(lambda committed: Row(LIMIT, committed))


def is_as_good(one: Row, other: Row) -> bool:
    return (one.room, one.limit) == (other.room, other.limit)


@pytest.mark.parametrize("few", ["of any limits", "of equal limits"])
def test_among_few_every_pick_is_the_brute_force_choice(kind_and_redis: tuple[str, Redis], few: str) -> None:
    kind, redis = kind_and_redis
    row, most = (EQUAL, SEEN_OF_EQUAL_LIMITS) if few == "of equal limits" else (rows(), SEEN_WHATEVER_THEIR_LIMITS)

    @settings(max_examples=EXAMPLES[kind] // 2, deadline=None)
    @given(st.lists(row, min_size=1, max_size=most), st.lists(SIZES, min_size=12, max_size=30), PROTECTED)
    def check(table: list[Row], sizes: list[int], protect: tuple[int, ...]) -> None:
        grid = {f"substation-{i:02}": row for i, row in enumerate(table)}
        ledger = fill(redis, grid, protect)
        placements = ledger.reserve(Request(f"s{i}", "car", watts, 1) for i, watts in enumerate(sizes))
        for watts, placement in zip(sizes, placements, strict=True):
            wanted = best(grid, watts, protect)
            assert placement.substation == wanted or is_as_good(grid[placement.substation], grid[wanted])
            if placement.outcome is Outcome.PLACED:
                grid[placement.substation].committed += watts

    check()


def test_an_avoided_one_is_not_picked_though_it_would_break_the_fewest(redis: Redis) -> None:
    def picked(*avoid: str) -> str:
        grid = {"whole": Row(350_000, 0), "piece": Row(350_000, 338_000), "other": Row(350_000, 300_000)}
        return place(fill(redis, grid, CHARGERS), Request("s", "car", 11_000, 1), avoid).substation

    assert [picked(), picked("piece"), picked("piece", "other")] == ["piece", "other", "whole"]


@given(st.integers(0, 5_000_000), st.integers(0, 5_000_000), PROTECTED)
def test_nobody_breaks_fewer_slots_than_its_own(rest: int, watts: int, protect: tuple[int, ...]) -> None:
    """Why it is enough to look until that few break."""
    assert broken(Row(rest + watts, 0), watts, protect) >= slots(watts, protect)


def test_a_list_of_the_one_size_that_all_have_is_least_loaded(kind_and_redis: tuple[str, Redis]) -> None:
    """However many substations there are: nothing breaks anywhere."""
    kind, redis = kind_and_redis

    @settings(max_examples=EXAMPLES[kind] // 8, deadline=None)
    @given(st.lists(rows(), min_size=1, max_size=WINDOW + 6), SIZES)
    def check(table: list[Row], watts: int) -> None:
        grid = {f"substation-{i:02}": row for i, row in enumerate(table)}
        requests = [Request(f"s{i}", "car", watts, 1) for i in range(30)]
        protecting, least_loaded = (
            [placement.substation for placement in fill(redis, grid, protect).reserve(requests)]
            for protect in ((watts,), ())
        )
        assert protecting == least_loaded

    check()


def test_a_small_car_leaves_the_room_of_a_fast_charger_whole(redis: Redis) -> None:
    """The least loaded has room for two of them, the other for one and 20 kW."""
    ledger = fill(redis, {"least": Row(700_000, 0), "other": Row(700_000, 330_000)}, (350_000,))

    placements = ledger.reserve([Request("small", "car", 11_000, 1)])
    placements += ledger.reserve([Request(f"fast-{i}", "car", 350_000, 1) for i in range(3)])

    assert [placement.substation for placement in placements] == ["other", "least", "other", "least"]


def test_among_many_the_small_pieces_are_found_at_the_fullest(redis: Redis) -> None:
    grid = {f"empty-{i:02}": Row(350_000, 0) for i in range(40)}
    grid["nearly-full"] = Row(350_000, 338_000)
    (placement,) = fill(redis, grid, CHARGERS).reserve([Request("small", "car", 11_000, 1)])
    assert placement.substation == "nearly-full"


def test_whoever_waits_is_given_room_by_the_same_rule(redis: Redis) -> None:
    """20 kW have come free at the fuller one, which no heartbeat has seen yet, when 350 kW do at the other."""
    fill(redis, {"least": Row(350_000, 350_000), "other": Row(400_000, 380_000)})
    ledger = Ledger(redis, "default", LedgerConfig(protect=(350_000,)))
    before = ledger.reserve([Request("last", "car", 20_000, 1), Request("waits", "car", 11_000, 1)])
    assert [placement.outcome for placement in before] == [Outcome.PLACED, Outcome.WAITING]

    ledger.cancel("last", stopped=1)
    ended = Ended("old-least", 1, "finished", 1, 1)
    ledger.heartbeat(Heartbeat("least", "http://x", 1, 2, 350_000, 350_000, 1, 350_000, ended=[ended]))

    record = ledger.session("waits")
    assert record is not None
    assert (record.state, record.substation) == ("reserved", "other")
