"""What comes goes: a hundred thousand sessions leave nothing behind."""

from redis import Redis

from grid.ledger import Ledger, LedgerConfig
from grid.ledger.keys import zone_keys
from grid.ledger.records import Ended, Heartbeat, Listed, Request

SESSIONS, AT_ONCE, SUBSTATIONS = 100_000, 1_000, 10
WATTS, ENERGY_WH = 11_000, 10_000
RETENTION_MS = 900_000
MEMORY_NOISE = 200_000
"""Bytes of connection buffers and allocator slack: 2 a session. A session's record is about 300."""


class Rush:
    """The same thousand cars, again and again, on a clock that jumps."""

    def __init__(self, redis: Redis) -> None:
        self.redis = redis
        self.now = 1_000_000_000_000
        self.number = 1_000_000  # it is part of what is measured, and must not get longer
        self.ledger = Ledger(redis, "default", LedgerConfig(retention=RETENTION_MS), clock=lambda: self.now)
        self.beat({}, {})

    def beat(self, runs: dict[str, list[Listed]], ended: dict[str, list[Ended]]) -> None:
        self.number += 1
        limit = AT_ONCE * WATTS
        for i in range(SUBSTATIONS):
            name = f"substation-{i}"
            listed = runs.get(name, [])
            could_take = limit - sum(session.watts for session in listed)
            about = (name, f"http://{name}", 1, self.number, limit, limit, self.number - 1, could_take, "up")
            self.ledger.heartbeat(Heartbeat(*about, listed, ended.get(name, [])))

    def charge(self, first: int) -> None:
        """From reserved to finished."""
        requests = [Request(f"default-{first + i:024x}", "car", WATTS, ENERGY_WH) for i in range(AT_ONCE)]
        runs: dict[str, list[Listed]] = {}
        ended: dict[str, list[Ended]] = {}
        for request, placement in zip(requests, self.ledger.reserve(requests), strict=True):
            listed = Listed(request.session, placement.attempt, WATTS, ENERGY_WH, 0, "car")
            runs.setdefault(placement.substation, []).append(listed)
            end = Ended(request.session, placement.attempt, "finished", ENERGY_WH, placement.attempt)
            ended.setdefault(placement.substation, []).append(end)
        self.beat(runs, {})
        self.beat({}, ended)

    def forget(self) -> None:
        self.now += RETENTION_MS
        while self.ledger.sweep(AT_ONCE).forgotten:
            self.beat({}, {})

    def footprint(self) -> tuple[dict[str, int], int]:
        """Bytes of each key, and of all of Redis."""
        self.redis.slowlog_reset()  # it keeps the last 128 calls that were slow
        self.redis.memory_purge()
        keys = {name: size for name in zone_keys("default") if (size := self.redis.memory_usage(name))}
        return keys, self.redis.info("memory")["used_memory"]


def test_after_100_000_sessions_the_keys_and_the_memory_are_back_where_they_were(redis_server_url: str) -> None:
    with Redis.from_url(redis_server_url, decode_responses=True) as redis:
        redis.flushall()
        rush = Rush(redis)
        rush.charge(first=0)
        rush.forget()
        keys, memory = rush.footprint()

        for first in range(AT_ONCE, SESSIONS + AT_ONCE, AT_ONCE):
            rush.charge(first)
        known = redis.hlen("{grid:default}:sessions")
        grown = rush.footprint()[1] - memory
        rush.forget()

        keys_after, memory_after = rush.footprint()
        print(f"{known:,} sessions known: +{grown:,} bytes; forgotten: {memory_after - memory:+,} bytes")
        assert known == SESSIONS
        assert grown > SESSIONS * 100, "else this would measure nothing"
        assert keys_after == keys
        assert memory_after - memory < MEMORY_NOISE
