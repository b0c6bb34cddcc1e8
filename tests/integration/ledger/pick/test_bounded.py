"""However large the grid is: a bounded number of looks, and nothing is refused while there is room."""

import pytest
from redis import Redis

from grid.ledger import Ledger
from grid.ledger.records import Request

from .conftest import WINDOW, Row, fill

PROTECTED = [(), (350_000, 150_000, 50_000, 22_000)]


def crowded(redis: Redis, substations: int, protect: tuple[int, ...]) -> tuple[Ledger, str]:
    """More substations than the window; all nearly full but the one with the highest load of all, which is huge."""
    grid = {f"s{i:05}": Row(100_000, 98_000) for i in range(substations)}
    grid["roomy"] = Row(100_000_000, 99_000_000)
    return fill(redis, grid, protect), "roomy"


@pytest.mark.parametrize("protect", PROTECTED)
@pytest.mark.parametrize("substations", [WINDOW + 1, 300])
def test_beyond_the_window_nothing_is_refused_while_there_is_room(
    redis: Redis, substations: int, protect: tuple[int, ...]
) -> None:
    ledger, roomy = crowded(redis, substations, protect)
    (placement,) = ledger.reserve([Request("s", "car", 11_000, 1)])
    assert placement.substation == roomy


@pytest.mark.parametrize("protect", PROTECTED)
def test_the_number_of_looks_does_not_grow_with_the_grid(redis_server_url: str, protect: tuple[int, ...]) -> None:
    with Redis.from_url(redis_server_url, decode_responses=True) as redis:
        few, many = (_commands_per_pick(redis, substations, protect) for substations in (100, 4_000))
    assert few == many <= 19


def test_no_look_is_wasted_where_nobody_could_break_less(redis_server_url: str) -> None:
    """A car of a protected size takes one slot wherever it goes."""
    with Redis.from_url(redis_server_url, decode_responses=True) as redis:
        grid = {f"s{i}": Row(1_000_000, 0) for i in range(20)}
        costs = [_commands(redis, fill(redis, grid, protect), 350_000) for protect in PROTECTED]
    assert costs[0] == costs[1]


def _commands_per_pick(redis: Redis, substations: int, protect: tuple[int, ...]) -> int:
    """In the worst case: the window has no room."""
    ledger, _ = crowded(redis, substations, protect)
    return _commands(redis, ledger, 11_000)


def _commands(redis: Redis, ledger: Ledger, watts: int) -> int:
    """Those that one reserve runs inside its script."""
    ledger.reserve([Request("first", "car", watts, 1)])  # loads the script
    before = _calls(redis)
    ledger.reserve([Request("s", "car", watts, 1)])
    return _calls(redis) - before


def _calls(redis: Redis) -> int:
    info = redis.info("commandstats")
    return sum(stats["calls"] for name, stats in info.items() if name not in ("cmdstat_info", "cmdstat_evalsha"))
