"""Only Redis' clock counts: services whose clocks differ see the same deadlines."""

import time

import pytest
from redis import Redis

from grid.ledger import Ledger, LedgerConfig
from grid.ledger.keys import key
from grid.ledger.records import Heartbeat


def test_a_service_whose_own_clock_is_wrong_sets_the_right_deadline(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    def redis_ms() -> int:
        seconds, microseconds = redis.time()
        return int(seconds * 1000 + microseconds // 1000)

    monkeypatch.setattr(time, "time", lambda: 0.0)
    before = redis_ms()
    Ledger(redis, "default", LedgerConfig(heartbeat_ttl=2_500)).heartbeat(
        Heartbeat("one", "http://one", 1, 1, 1, 1, 0, 1)
    )
    deadline = redis.zscore(key("default", "heartbeats"), "one")
    assert deadline is not None
    assert before + 2_500 <= deadline <= redis_ms() + 2_500
