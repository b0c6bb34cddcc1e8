"""Grids that carry something, on both kinds of Redis, and whom a search through all substations would choose."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import pytest
from fakeredis import FakeRedis
from hypothesis import strategies as st
from redis import Redis

from grid.ledger import Ledger, LedgerConfig
from grid.ledger.records import Heartbeat, Listed, Outcome, Placement, Request

WINDOW = 64
"""As in lua/pick.lua."""
SIZES = st.integers(3_000, 350_000)
EXAMPLES = {"redis-server": 120, "fakeredis": 30}


@dataclass
class Row:
    limit: int
    committed: int

    @property
    def load(self) -> float:
        return self.committed / self.limit

    @property
    def room(self) -> int:
        return self.limit - self.committed


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


def fill(redis: Redis, grid: dict[str, Row], protect: Sequence[int] = ()) -> Ledger:
    """A ledger in which each substation carries what its row says, and nobody waits."""
    redis.flushall()
    ledger = Ledger(redis, "default", LedgerConfig(longest_line=0, protect=protect))
    for name, row in grid.items():
        runs = [Listed(f"old-{name}", 1, row.committed, 1, 0, "car")] if row.committed else []
        ledger.heartbeat(Heartbeat(name, "http://x", 1, 1, row.limit, row.limit, 0, row.room, sessions=runs))
    return ledger


def place(ledger: Ledger, request: Request, avoid: Iterable[str]) -> Placement:
    """Where it goes if these have refused it."""
    refused = [(request, Placement(Outcome.PLACED, substation=name)) for name in avoid]
    return (ledger.move(refused) if refused else ledger.reserve([request]))[0]


def slots(room: int, protect: Sequence[int]) -> list[int]:
    """How many chargers of each size fit, the biggest first."""
    found = []
    for size in protect:
        found.append(room // size)
        room %= size
    return found


def broken(row: Row, watts: int, protect: Sequence[int]) -> list[int]:
    """Slots lost by placing so much here, by size."""
    before, after = slots(row.room, protect), slots(row.room - watts, protect)
    return [was - left for was, left in zip(before, after, strict=True)]


def best(grid: dict[str, Row], watts: int, protect: Sequence[int] = ()) -> str:
    """Of those with room, by looking at all: the fewest slots broken, the biggest size first; of equals the least
    loaded, and of those the first by name.
    """
    fitting = [name for name, row in grid.items() if row.room >= watts]
    return min(fitting, key=lambda name: (broken(grid[name], watts, protect), grid[name].load, name), default="")
