"""Asks what became of those who had to wait, once, when the rush is over."""

import json
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import requests
from redis.exceptions import RedisError

from grid.ledger import connect
from grid.ledger.keys import key
from grid.session_ids import zone_of
from loadtest.line import CANCELLED, EXPIRED, FORGOTTEN, STARTED, WAITING, Fate

LOOK_UPS_AT_ONCE = 4
RECORDS_AT_ONCE = 1_000
TIMEOUT_S = 5.0
FATES = {
    **dict.fromkeys(("reserved", "charging", "unsettled", "finished"), STARTED),
    **{state: state for state in (WAITING, EXPIRED, CANCELLED)},
}
"""By the session's state. Who waited cannot be in any other."""


def fates(url: str, sessions: Sequence[str], redis_url: str = "") -> dict[str, Fate]:
    """By session. How long they waited only the ledger knows: it is asked if it is known where it is."""
    found = _look_up_all(url, sessions)
    waited_s = _waited_s(redis_url, sessions) if redis_url else {}
    return {session: replace(fate, waited_s=waited_s.get(session)) for session, fate in found.items()}


def _look_up_all(url: str, sessions: Sequence[str]) -> dict[str, Fate]:
    shares = [sessions[number::LOOK_UPS_AT_ONCE] for number in range(LOOK_UPS_AT_ONCE)]
    with ThreadPoolExecutor(LOOK_UPS_AT_ONCE) as pool:
        return dict(pair for pairs in pool.map(lambda share: list(_look_up(url, share)), shares) for pair in pairs)


def _look_up(url: str, sessions: Iterable[str]) -> Iterator[tuple[str, Fate]]:
    with requests.Session() as connection:
        for session in sessions:
            try:
                answer = connection.get(f"{url}/sessions/{session}", timeout=TIMEOUT_S)
                yield session, _fate(answer.status_code, answer.json())
            except (requests.RequestException, ValueError):
                yield session, Fate("no answer")


def _fate(status: int, body: dict[str, Any]) -> Fate:
    if status == 404:
        return Fate(FORGOTTEN)
    said = str(body.get("state") or body.get("type"))
    return Fate(FATES.get(said, f"{status} {said}"), body.get("substation"))


def _waited_s(redis_url: str, sessions: Sequence[str]) -> dict[str, float]:
    """Of those who were given room: `waited` in their records (docs/redis-keys.md). Empty if Redis does not answer."""
    found: dict[str, float] = {}
    try:
        with connect(redis_url, timeout_ms=round(TIMEOUT_S * 1000), connections=1) as redis:
            for first in range(0, len(sessions), RECORDS_AT_ONCE):
                some = list(sessions[first : first + RECORDS_AT_ONCE])
                texts = redis.hmget(key(zone_of(some[0]), "sessions"), some)  # all in the zone of who names none
                records = ((session, json.loads(text)) for session, text in zip(some, texts, strict=True) if text)
                found |= {session: record["waited"] / 1000 for session, record in records if "waited" in record}
    except RedisError:
        return {}
    return found
