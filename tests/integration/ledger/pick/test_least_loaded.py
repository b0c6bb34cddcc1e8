"""Nothing is protected: each request gets the substation that a search would choose, and never one above its limit."""

from itertools import count

from hypothesis import given, settings
from hypothesis import strategies as st
from redis import Redis

from grid.ledger.records import Outcome, Request

from .conftest import EXAMPLES, SIZES, WINDOW, Row, best, fill, place, rows


def test_every_pick_is_the_brute_force_choice(kind_and_redis: tuple[str, Redis]) -> None:
    kind, redis = kind_and_redis
    picks = count()

    @settings(max_examples=EXAMPLES[kind], deadline=None)
    @given(st.lists(rows(), min_size=1, max_size=WINDOW), st.lists(SIZES, min_size=12, max_size=60))
    def check(table: list[Row], sizes: list[int]) -> None:
        grid = {f"substation-{i}": row for i, row in enumerate(table)}
        ledger = fill(redis, grid)
        placements = ledger.reserve(Request(f"s{i}", "car", watts, 1) for i, watts in enumerate(sizes))
        for watts, placement in zip(sizes, placements, strict=True):
            next(picks)
            assert placement.substation == best(grid, watts)
            if placement.outcome is Outcome.PLACED:
                grid[placement.substation].committed += watts
                assert grid[placement.substation].load <= 1
        assert {row.substation: row.committed for row in ledger.grid()} == {
            name: row.committed for name, row in grid.items()
        }

    check()
    assert next(picks) > 12 * EXAMPLES[kind] - 1


def test_avoided_substations_are_not_picked_and_the_rest_is_still_the_brute_force_choice(
    kind_and_redis: tuple[str, Redis],
) -> None:
    kind, redis = kind_and_redis

    @settings(max_examples=EXAMPLES[kind] // 2, deadline=None)
    @given(st.lists(rows(), min_size=1, max_size=12), SIZES, st.sets(st.integers(0, 11), max_size=3))
    def check(table: list[Row], watts: int, avoided: set[int]) -> None:
        grid = {f"substation-{i}": row for i, row in enumerate(table)}
        avoid = {f"substation-{i}" for i in avoided}
        placement = place(fill(redis, grid), Request("s", "car", watts, 1), avoid)
        assert placement.substation == best({n: row for n, row in grid.items() if n not in avoid}, watts)

    check()
