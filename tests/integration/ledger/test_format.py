"""Keys that were written by another version are left alone, and the error says what to do."""

from collections.abc import Callable

import pytest
from redis import Redis

from grid.ledger import Ledger, NotAsked
from grid.ledger.keys import FORMAT, key
from grid.ledger.records import Heartbeat, Request

CALLS: dict[str, Callable[[Ledger], object]] = {
    "reserve": lambda ledger: ledger.reserve([Request("s", "car", 11_000, 10_000)]),
    "heartbeat": lambda ledger: ledger.heartbeat(Heartbeat("one", "http://one", 1, 1, 1, 1, 0, 1)),
    "cancel": lambda ledger: ledger.cancel("s", abandoned=True),
    "sweep": lambda ledger: ledger.sweep(),
    "ping": lambda ledger: ledger.ping(),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_an_empty_zone_gets_the_format_of_the_first_call(redis: Redis, call: Callable[[Ledger], object]) -> None:
    call(Ledger(redis, "default"))
    assert redis.get(key("default", "format")) == FORMAT


READS: dict[str, Callable[[Ledger], object]] = {
    "session": lambda ledger: ledger.session("s"),
    "grid": lambda ledger: ledger.grid(),
    "line": lambda ledger: ledger.line(),
    "states": lambda ledger: ledger.states(),
    "waiting": lambda ledger: ledger.waiting(["s"]),
}


@pytest.mark.parametrize("read", READS.values(), ids=READS)
def test_another_format_is_not_read_either(redis: Redis, read: Callable[[Ledger], object]) -> None:
    read(Ledger(redis, "default"))
    redis.set(key("default", "format"), "4")
    with pytest.raises(NotAsked, match="in format 4"):
        read(Ledger(redis, "default"))


@pytest.mark.parametrize("found", ["1", "2"])
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_another_format_is_refused_and_nothing_is_written(
    redis: Redis, call: Callable[[Ledger], object], found: str
) -> None:
    if found == "1":  # it had no such key
        redis.hset(key("default", "substations"), "one", "{}")
    else:
        redis.set(key("default", "format"), found)
    before = {name: redis.dump(name) for name in redis.scan_iter()}
    with pytest.raises(NotAsked) as refused:
        call(Ledger(redis, "default"))
    assert str(refused.value) == (
        f"Redis has zone default in format {found}, and this version reads format {FORMAT}: "
        "stop all services, delete its keys ({grid:default}:*) and start them in one version"
    )
    assert {name: redis.dump(name) for name in redis.scan_iter()} == before
