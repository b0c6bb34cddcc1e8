"""What the line costs does not grow with it."""

import pytest
from redis import Redis

from grid.ledger import Ledger
from grid.ledger.records import Request

from ..conftest import PATIENCE_MS, PREEMPTION_SLACK_MS, Clock, Zone


@pytest.mark.parametrize("call", ["joins", "is placed", "is granted", "frees nothing", "preempts"])
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
    if call == "preempts":
        clock.advance(PREEMPTION_SLACK_MS + 1)
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
