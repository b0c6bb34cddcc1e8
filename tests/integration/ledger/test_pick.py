"""Which substation a request gets: always the one a brute-force search would choose, never one above its limit."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

import pytest
from fakeredis import FakeRedis
from hypothesis import given, settings
from hypothesis import strategies as st
from redis import Redis

from grid.ledger import Heartbeat, Ledger, Listed, Outcome, Request
from grid.ledger.ledger import WINDOW

SIZES = st.integers(3_000, 350_000)
EXAMPLES = {"redis-server": 400, "fakeredis": 80}


@dataclass
class Row:
    limit: int
    committed: int

    @property
    def load(self) -> float:
        return self.committed / self.limit


@st.composite
def rows(draw: st.DrawFn) -> Row:
    limit = draw(st.sampled_from([50_000, 100_000, 400_000, 2_500_000]) | st.integers(3_000, 5_000_000))
    return Row(limit, draw(st.sampled_from([0, limit // 2, limit]) | st.integers(0, limit)))


@pytest.fixture(scope="module", params=["redis-server", "fakeredis"])
def kind_and_redis(request: pytest.FixtureRequest) -> Iterator[tuple[str, Redis]]:
    if request.param == "fakeredis":
        yield "fakeredis", FakeRedis(decode_responses=True)
        return
    with Redis.from_url(request.getfixturevalue("redis_server_url"), decode_responses=True) as redis:
        yield "redis-server", redis


def fill(redis: Redis, grid: dict[str, Row]) -> Ledger:
    """A ledger in which each substation carries what its row says, and nobody waits."""
    redis.flushall()
    ledger = Ledger(redis, "default", longest_line=0)
    for name, row in grid.items():
        runs = [Listed(f"old-{name}", 1, row.committed, 1, 0, "car")] if row.committed else []
        ledger.heartbeat(Heartbeat(name, "http://x", 1, 1, row.limit, row.limit, sessions=runs))
    return ledger


def oracle(grid: dict[str, Row], watts: int) -> str:
    """The least loaded of those with room, by looking at all; the first by name among equals."""
    fitting = [name for name, row in grid.items() if row.limit - row.committed >= watts]
    return min(fitting, key=lambda name: (grid[name].load, name), default="")


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
            assert placement.substation == oracle(grid, watts)
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
        (placement,) = fill(redis, grid).reserve([Request("s", "car", watts, 1)], avoid)
        assert placement.substation == oracle({n: row for n, row in grid.items() if n not in avoid}, watts)

    check()


def crowded(redis: Redis, substations: int) -> tuple[Ledger, str]:
    """More substations than the window; all nearly full but the one with the highest load of all, which is huge."""
    grid = {f"s{i:05}": Row(100_000, 98_000) for i in range(substations)}
    grid["roomy"] = Row(100_000_000, 99_000_000)
    return fill(redis, grid), "roomy"


@pytest.mark.parametrize("substations", [WINDOW + 1, 1_000])
def test_beyond_the_window_nothing_is_refused_while_there_is_room(redis: Redis, substations: int) -> None:
    ledger, roomy = crowded(redis, substations)
    (placement,) = ledger.reserve([Request("s", "car", 11_000, 1)])
    assert placement.substation == roomy


def test_the_number_of_looks_does_not_grow_with_the_grid(redis_server_url: str) -> None:
    with Redis.from_url(redis_server_url, decode_responses=True) as redis:
        assert _commands_per_pick(redis, 100) == _commands_per_pick(redis, 4_000) <= 18


def _commands_per_pick(redis: Redis, substations: int) -> int:
    """Commands that one reserve runs inside its script, in the worst case: the window has no room."""
    ledger, _ = crowded(redis, substations)
    ledger.reserve([Request("first", "car", 11_000, 1)])  # loads the script
    before = _calls(redis)
    ledger.reserve([Request("s", "car", 11_000, 1)])
    return _calls(redis) - before


def _calls(redis: Redis) -> int:
    info = redis.info("commandstats")
    return sum(stats["calls"] for name, stats in info.items() if name not in ("cmdstat_info", "cmdstat_evalsha"))
