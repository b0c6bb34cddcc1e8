"""The whole grid in real processes, as `make up` runs it."""

import itertools
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from prometheus_client.parser import text_string_to_metric_families

from grid.local import LocalGrid, Service

CAR = {"vehicle_id": "ev-1", "power_kw": 11, "energy_kwh": 50}


@dataclass
class Grid:
    """A running grid, and what a client does with it."""

    local: LocalGrid
    http: requests.Session

    def ask(self, car: Any = CAR, key: str | None = None) -> requests.Response:
        headers = {} if key is None else {"Idempotency-Key": key}
        # A connection of its own: a Session is not made for threads.
        return requests.post(f"{self.local.url}/request-charge", json=car, headers=headers, timeout=15)

    def ask_at_once(self, count: int, key: str | None = None) -> list[requests.Response]:
        with ThreadPoolExecutor(count) as pool:
            return list(pool.map(lambda _: self.ask(key=key), range(count)))

    def session(self, session_id: str) -> dict[str, Any]:
        return self._json("GET", f"{self.local.url}/sessions/{session_id}")

    def cancel(self, session_id: str) -> dict[str, Any]:
        return self._json("DELETE", f"{self.local.url}/sessions/{session_id}")

    def substations(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self._json("GET", f"{self.local.url}/grid")["substations"]
        return rows

    def committed_kw(self) -> list[float]:
        return [row["committed_kw"] for row in self.substations()]

    def status(self, service: Service) -> dict[str, Any]:
        return self._json("GET", f"{service.url}/status")

    def metric(self, service: Service, name: str, **labels: str) -> float:
        """The sum of all series of a metric that have these labels."""
        shown = self.http.get(f"{service.url}/metrics", timeout=5).text
        return sum(
            sample.value
            for family in text_string_to_metric_families(shown)
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )

    def _json(self, method: str, url: str) -> dict[str, Any]:
        answer = self.http.request(method, url, timeout=15)
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body


def obey_ctrl_c() -> None:
    """For a child: a background job of a script, and some CI runners, ignore SIGINT, and a child inherits that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def eventually(what: Callable[[], bool], within_s: float) -> None:
    """Wait for a condition that must come true."""
    deadline = time.monotonic() + within_s
    while not what():
        assert time.monotonic() < deadline, f"not within {within_s} s"
        time.sleep(0.05)


_zones = (f"zone-{number}" for number in itertools.count(1))


@contextmanager
def run_grid(capacities_kw: Sequence[float], redis_url: str, logs: Path, **settings: str) -> Iterator[Grid]:
    """A grid with a zone of its own: others may run on the same Redis."""
    zone = next(_zones)
    settings = {"ZONE": zone, "ZONES": zone, **settings}
    with (
        LocalGrid(capacities_kw, settings=settings, logs=logs, redis_url=redis_url) as local,
        requests.Session() as http,
    ):
        yield Grid(local, http)
