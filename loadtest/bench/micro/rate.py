"""How many decisions a second Redis gives to processes that ask for one after the other, as fast as they can.

Each process has a connection of its own, as a thread of a balancer has. They share the machine with Redis: on two cores
it is they who are slow. So it is said beside it how much of a core Redis used, and how many decisions a whole one is.
"""

import multiprocessing
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from multiprocessing.synchronize import Barrier
from typing import NamedTuple

from redis import Redis
from rich.console import Console

from grid.ledger import Ledger, LedgerConfig, connect
from loadtest.bench.micro.cost import SCRIPT
from loadtest.bench.micro.table import show
from loadtest.bench.micro.zone import HOUR_MS, Zone, car

CLIENTS = (1, 4, 16)
BATCHES = (1, 100)
SUBSTATIONS = 10
WINDOWS = 5
WINDOW_S = 1.0
START_S = 30.0
"""By then every process has begun to ask."""
TIMEOUT_MS = 10_000
ZONE = "rate"

_spawning = multiprocessing.get_context("spawn")


class Seen(NamedTuple):
    """What Redis has done, by its own account."""

    at_s: float
    scripts: int
    cpu_s: float


class Rate(NamedTuple):
    """In a window of time."""

    per_s: float
    """Decisions."""
    cores: float
    """That Redis used."""

    @property
    def per_core_s(self) -> float:
        """Decisions for a second of a core."""
        return self.per_s / self.cores


def measure(redis: Redis, console: Console, progress: Console) -> None:
    """Print the third table."""
    rows = []
    for batch in BATCHES:
        for clients in CLIENTS:
            with progress.status(f"{clients} clients, batches of {batch}"):
                rates = take(redis, clients, batch, WINDOWS, WINDOW_S)
            cores = [100 * rate.cores for rate in rates]
            rows.append((str(clients), str(batch), [r.per_s for r in rates], cores, [r.per_core_s for r in rates]))
    head = ("clients", "batch", "decisions a second", "Redis' CPU, % of a core", "decisions for a second of a core")
    show(console, f"Decisions a second, {SUBSTATIONS} substations", head, rows)


def take(redis: Redis, clients: int, batch: int, windows: int, window_s: float) -> list[Rate]:
    """The rate in each of these windows, one after the other."""
    redis.flushall()
    zone = Zone(redis, ZONE, SUBSTATIONS, cars=0)
    with _asking(redis, clients, batch):
        seen = [_look(redis)]
        for _ in range(windows):
            time.sleep(window_s)
            seen.append(_look(redis))
        states = zone.ledger.states()
    assert "waiting" not in states, "there was to be room for everybody"
    return [rate_of(before, after, batch) for before, after in pairwise(seen)]


def rate_of(before: Seen, after: Seen, batch: int) -> Rate:
    seconds = after.at_s - before.at_s
    return Rate((after.scripts - before.scripts) * batch / seconds, (after.cpu_s - before.cpu_s) / seconds)


def _look(redis: Redis) -> Seen:
    info = redis.info("everything")
    return Seen(time.monotonic(), info[SCRIPT]["calls"], info["used_cpu_user"] + info["used_cpu_sys"])


@contextmanager
def _asking(redis: Redis, clients: int, batch: int) -> Iterator[None]:
    """While the block runs, all of them ask."""
    url = f"redis://127.0.0.1:{redis.info('server')['tcp_port']}/0"
    begin = _spawning.Barrier(clients + 1)
    processes = [_spawning.Process(target=_ask, args=(url, batch, begin), daemon=True) for _ in range(clients)]
    for process in processes:
        process.start()
    try:
        begin.wait(START_S)
        yield
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.join()


def _ask(url: str, batch: int, begin: Barrier) -> None:
    """What each of the processes does until it is terminated."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends this
    with connect(url, TIMEOUT_MS, connections=1) as redis:
        ledger = Ledger(redis, ZONE, LedgerConfig(heartbeat_ttl=HOUR_MS))
        ledger.reserve([car(ZONE)])
        begin.wait(START_S)
        while True:
            ledger.reserve([car(ZONE) for _ in range(batch)])
