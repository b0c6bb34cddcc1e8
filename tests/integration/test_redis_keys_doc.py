"""docs/redis-keys.md is a tour that somebody takes at night: every line of it must work."""

import re
import shlex
from pathlib import Path

import pytest
from redis import Redis

from grid.ledger import Ledger
from grid.ledger.keys import zone_keys
from grid.ledger.records import Ended, Heartbeat, Listed, Request

DOC = (Path(__file__).parents[2] / "docs" / "redis-keys.md").read_text("utf-8")
A = Listed("default-a", 1, 11_000, 10_000, 5, "car")
F = Listed("default-f", 1, 1_000, 10_000, 5, "car")
LINES = [line.removeprefix("    > ") for line in DOC.splitlines() if line.startswith("    > ")]


def test_every_key_is_described_with_its_type(redis: Redis) -> None:
    ledger = Ledger(redis, "default")
    one = ("one", "http://one", 1)
    ledger.heartbeat(Heartbeat("one", "http://one", 0, 1, 50_000, 50_000, 0, 50_000))
    ledger.heartbeat(Heartbeat(*one, 2, 50_000, 50_000, 1, 50_000))
    ledger.heartbeat(Heartbeat("two", "http://two", 1, 1, 40_000, 40_000, 0, 40_000))
    (at_two,) = ledger.reserve([Request("default-e", "car", 40_000, 10_000)])
    assert ledger.eject(at_two._replace(substation="two", number=1))
    ledger.reserve([Request(f"default-{name}", "car", watts, 10_000) for name, watts in (("a", 11_000), ("c", 50_000))])
    ledger.heartbeat(Heartbeat(*one, 3, 50_000, 50_000, 2, 0, sessions=[A, F]))
    ended = [Ended("default-a", 1, "finished", 10, 1)]
    ledger.heartbeat(Heartbeat(*one, 4, 50_000, 50_000, 3, 49_000, sessions=[F], ended=ended))
    ledger.reserve([Request(f"default-{name}", "car", watts, 10_000) for name, watts in (("b", 11_000), ("d", 50_000))])
    described = dict(re.findall(r"^\| `(\{grid:default\}:\w+)` \| (\w+)", DOC, re.MULTILINE))
    assert described == {key: redis.type(key).upper() for key in zone_keys("default")}


@pytest.mark.parametrize("line", LINES)
def test_every_line_can_be_typed(redis_server_url: str, line: str) -> None:
    with Redis.from_url(redis_server_url) as redis:
        redis.execute_command(*shlex.split(line))
