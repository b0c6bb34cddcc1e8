"""What the line costs does not grow with it."""

import pytest
from redis import Redis

from grid.ledger import Ledger
from grid.ledger.records import Request

from ..conftest import PATIENCE_MS, Clock, Zone


@pytest.mark.parametrize("call", ["joins", "is placed", "is granted", "frees nothing"])
def test_the_work_does_not_grow_with_the_line(redis_server_url: str, call: str) -> None:
    with Redis.from_url(redis_server_url, decode_responses=True) as redis:
        assert commands(redis, 10, call) == commands(redis, 9_999, call) <= 60


def test_a_thousand_do_not_look_for_the_overdue_again_and_again(redis_server_url: str) -> None:
    with Redis.from_url(redis_server_url, decode_responses=True) as redis:
        per_car = [fleet_commands(redis, cars) / cars for cars in (10, 500)]
    assert per_car[1] < 25


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


def calls(redis: Redis) -> int:
    info = redis.info("commandstats")
    return sum(stats["calls"] for name, stats in info.items() if name not in ("cmdstat_info", "cmdstat_evalsha"))
