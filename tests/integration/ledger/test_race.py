"""Eight processes reserve as fast as they can, and get exactly as much as there is room, to the watt."""

import multiprocessing
import random
from collections import Counter

import pytest
from redis import Redis

from grid.ledger import Ledger, connect
from grid.ledger.records import Heartbeat, Outcome, Request

PROCESSES = 8
LIMITS = {"a": 100_000, "b": 150_000, "c": 250_000, "d": 1_000_000, "e": 43_000}
EQUAL = [11_000]
MIXED = [350_000, 150_000, 50_000, 22_000, 11_000, 7_000, 3_000, 1_000]


def greedy(url: str, sizes: list[int], number: int, start: object, results: object) -> None:
    """Take whatever there is, big sizes first at random, until not even the smallest fits."""
    redis = connect(url, timeout_ms=5_000, connections=2)
    ledger = Ledger(redis, "default")
    chance = random.Random(number)
    left = list(sizes)
    granted: list[tuple[str, int]] = []
    start.wait()  # type: ignore[attr-defined]
    while left:
        watts = chance.choice(left)
        (placement,) = ledger.reserve([Request(f"{number}-{len(granted)}-{chance.random()}", "car", watts, 1)])
        if placement.outcome is Outcome.PLACED:
            granted.append((placement.substation, watts))
        else:
            left = [size for size in left if size < watts]
    redis.close()
    results.put(granted)  # type: ignore[attr-defined]


@pytest.mark.parametrize("sizes", [EQUAL, MIXED], ids=["equal sizes", "mixed sizes"])
def test_racing_processes_get_exactly_the_room_there_is(redis: Redis, redis_url: str, sizes: list[int]) -> None:
    ledger = Ledger(redis, "default")
    for name, limit in LIMITS.items():
        ledger.heartbeat(Heartbeat(name, f"http://{name}", 1, 1, limit, limit, 0, limit))
    context = multiprocessing.get_context("spawn")
    start, results = context.Barrier(PROCESSES), context.Queue()
    racers = [context.Process(target=greedy, args=(redis_url, sizes, n, start, results)) for n in range(PROCESSES)]
    for racer in racers:
        racer.start()
    grants = [grant for _ in racers for grant in results.get(timeout=60)]
    for racer in racers:
        racer.join()
    taken: Counter[str] = Counter()
    for name, watts in grants:
        taken[name] += watts
    assert taken == {name: limit // min(sizes) * min(sizes) for name, limit in LIMITS.items()}
    assert {row.substation: row.committed for row in ledger.grid()} == taken
