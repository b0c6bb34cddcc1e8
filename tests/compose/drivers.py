"""Drivers who never stop asking, in the background of a test."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import requests

from .stack import Stack


@contextmanager
def drivers(stack: Stack, number: int = 2) -> Iterator[list[int]]:
    """Drivers who ask again and again for a charge that takes milliseconds. Yields the statuses they get."""
    statuses: list[int] = []
    stop = threading.Event()

    def drive() -> None:
        body = {"vehicle_id": "ev", "power_kw": 11, "energy_kwh": 0.001}
        with requests.Session() as session:
            while not stop.wait(0.03):
                statuses.append(session.post(f"{stack.url}/request-charge", json=body, timeout=15).status_code)

    threads = [threading.Thread(target=drive) for _ in range(number)]
    for thread in threads:
        thread.start()
    try:
        yield statuses
    finally:
        stop.set()
        for thread in threads:
            thread.join()
