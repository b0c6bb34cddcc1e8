"""What one reserve costs, at 10, 1,000 and 100,000 substations, and what a line does, on a real redis-server.

Server time is Redis' own account of the script (INFO commandstats), client time is the wall clock around the
call. Each figure is the median of the rounds, with the range in brackets. `python -m loadtest.bench.ledger_cost`
"""

import os
import platform
import shutil
import sys
import time
from itertools import count

from redis import Redis
from rich.console import Console
from rich.progress import track

from grid.ledger import Heartbeat, Ledger, Request
from loadtest.bench import line_cost
from loadtest.bench.line_cost import ROUNDS, spread
from loadtest.own_redis import own_redis

SUBSTATIONS = (10, 1_000, 100_000)
BATCHES = (1, 100)
CALLS_PER_ROUND = {1: 300, 100: 10}
LIMIT = 500_000_000  # room for every request of the run: what is measured is placing, not refusing
SIZES = (3_700, 7_400, 11_000, 22_000, 50_000, 150_000)

ids = count()


def main() -> None:
    """Print the table."""
    if shutil.which("redis-server") is None:
        sys.exit("This measures a real Redis: apt install redis-server")
    console = Console()
    with own_redis() as (redis, kind):
        _describe(kind, console)
        for substations in SUBSTATIONS:
            _measure(redis, substations, console)
        line_cost.measure(redis, console)


def _describe(kind: str, console: Console) -> None:
    console.print(f"{kind} (AOF on), Python {platform.python_version()}, {os.cpu_count()} cores")
    console.print(f"{ROUNDS} rounds; µs per request: median (min to max)\n")
    console.print(f"{'substations':>11} {'batch':>6}   {'server µs':<26} client µs")


def _measure(redis: Redis, substations: int, console: Console) -> None:
    redis.flushall()
    ledger = Ledger(redis, "default", heartbeat_ttl_ms=3_600_000)
    names = track(range(substations), "heartbeats", console=console, transient=True, disable=substations < 10_000)
    for number in names:
        ledger.heartbeat(Heartbeat(f"substation-{number}", "http://x", 1, 1, LIMIT, LIMIT))
    for batch in BATCHES:
        _round(redis, ledger, batch)  # warm
        rounds = [_round(redis, ledger, batch) for _ in range(ROUNDS)]
        server, client = (list(values) for values in zip(*rounds, strict=True))
        console.print(f"{substations:>11,} {batch:>6}   {spread(server):<26} {spread(client)}", highlight=False)


def _round(redis: Redis, ledger: Ledger, batch: int) -> tuple[float, float]:
    """Server and client µs per request."""
    calls = CALLS_PER_ROUND[batch]
    batches = [
        [Request(f"s{(n := next(ids))}", "ev-1", SIZES[n % len(SIZES)], 10_000) for _ in range(batch)]
        for _ in range(calls)
    ]
    redis.config_resetstat()
    started = time.perf_counter()
    for requests in batches:
        ledger.reserve(requests)
    client_us = (time.perf_counter() - started) * 1e6
    server_us = redis.info("commandstats")["cmdstat_evalsha"]["usec"]
    return server_us / (calls * batch), client_us / (calls * batch)


if __name__ == "__main__":
    main()
