"""When the ledger may forget without anything being known to nobody: one truth at a time."""

import json
from collections.abc import Mapping

import requests
from redis.exceptions import RedisError

from grid.ledger.keys import key

from .harness import FaultyGrid

SETTLED = {"charging", "finished", "cancelled", "expired"}
"""In another state a session may run nowhere, so that only the ledger knows of it."""


def is_known(grid: FaultyGrid) -> bool:
    """Whether every substation is up, and in the ledger as it is now."""
    try:
        with grid.redis_client(decode_responses=True) as redis:
            known: Mapping[str, str] = redis.hgetall(key("default", "substations"))
        return all(_is_as_known(known.get(service.name), service.url) for service in grid.substations)
    except (RedisError, requests.RequestException):
        return False


def is_quiet(grid: FaultyGrid) -> bool:
    """Whether, besides, what every accepted session does is known to a substation too."""
    if not is_known(grid):
        return False
    try:
        with grid.redis_client(decode_responses=True) as redis:
            records: list[str] = redis.hvals(key("default", "sessions"))
    except RedisError:
        return False
    return all(json.loads(record)["state"] in SETTLED for record in records)


def _is_as_known(record: str | None, url: str) -> bool:
    if record is None:
        return False
    about = json.loads(record)
    status = requests.get(f"{url}/status", timeout=1).json()
    return bool(about["state"] == "up" and about["epoch"] == status["epoch"])
