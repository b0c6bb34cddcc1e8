"""Asks what became of the accepted sessions, once, when the rush is over."""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import requests

from loadtest.line import CANCELLED, EXPIRED, FORGOTTEN, STARTED, WAITING, Fate

LOOK_UPS_AT_ONCE = 4
TIMEOUT_S = 5.0
FATES = {
    **dict.fromkeys(("reserved", "charging", "finished"), STARTED),
    **dict.fromkeys(("cancelling", "cancelled"), CANCELLED),
    **{state: state for state in (WAITING, EXPIRED)},
}
"""By the session's state. Who waited cannot be in any other."""


def fates(url: str, sessions: Sequence[str]) -> dict[str, Fate]:
    """By session."""
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
    return Fate(
        FATES.get(said, f"{status} {said}"), body.get("substation"), body.get("waited_s"), body.get("interruptions", 0)
    )
