"""What calls of one script cost, by Redis' own account of them and by the wall clock."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from redis import Redis

SCRIPT = "cmdstat_evalsha"
OURS = (SCRIPT, "cmdstat_info", "cmdstat_config")
"""What a client asks; every other command is one that a script called."""

Call = Callable[[], object]


class Cost(NamedTuple):
    """Means of one call."""

    server_us: float
    client_us: float
    commands: float
    """That the script called."""

    def shared_by(self, requests: int) -> "Cost":
        return Cost(*(value / requests for value in self))


def measure(redis: Redis, calls: Sequence[Call]) -> Cost:
    """Each of them runs one script once."""
    redis.config_resetstat()
    began = time.perf_counter()
    for call in calls:
        call()
    client_us = (time.perf_counter() - began) * 1e6
    return account(redis.info("commandstats"), client_us, len(calls))


def account(stats: Mapping[str, Mapping[str, float]], client_us: float, calls: int) -> Cost:
    """From the answer to INFO commandstats."""
    assert stats[SCRIPT]["calls"] == calls, "each call is to run one script once"
    commands = sum(each["calls"] for name, each in stats.items() if not name.startswith(OURS))
    return Cost(stats[SCRIPT]["usec"] / calls, client_us / calls, commands / calls)
