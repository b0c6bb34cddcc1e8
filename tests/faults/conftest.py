"""Grids whose parts can fail, and what a client does with them."""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from grid.ledger.keys import key
from grid.local import Service
from tests.conftest import NO_REDIS
from tests.integration.conftest import CAR, Grid

from .harness import SETTINGS, FaultyGrid, eventually

LONG: dict[str, Any] = {**CAR, "energy_kwh": 1_000}
"""At an hour a second it charges for 91 s: longer than any test waits."""
REPEAT_S = 0.2


@dataclass
class Faulty(Grid):
    local: FaultyGrid

    def ask_until_answered(self, car: Any, name: str, within_s: float = 20) -> dict[str, Any]:
        """As a driver does: the same request with the same key, until it charges."""
        answers: list[dict[str, Any]] = []

        def is_served() -> bool:
            answer = self.ask(car, name)
            answers.append(answer.json())
            return answer.status_code == 201

        eventually(is_served, within_s, what="an answer", every_s=REPEAT_S)
        return answers[-1]

    def charging(self, substation: Service) -> dict[str, dict[str, Any]]:
        """The cars that really draw power there, by session."""
        return {row["session_id"]: row for row in self.status(substation)["sessions"]}

    def places(self, session: str) -> list[str]:
        """Where it really charges; a car can be plugged in at one place."""
        return [s.name for s in self.local.substations if not s.has_ended() and session in self.charging(s)]

    def places_elsewhere(self, session: str, than: Service) -> list[str]:
        """The same, without one that cannot be asked."""
        return [s.name for s in self.local.substations if s is not than and session in self.charging(s)]

    def committed(self, name: str) -> float:
        """kW held at a substation."""
        return next((float(row["committed_kw"]) for row in self.substations() if row["substation"] == name), 0.0)

    def is_in_balance(self) -> bool:
        """Whether every substation is up and the ledger holds there exactly what is drawn there."""
        rows = {row["substation"]: row for row in self.substations()}
        return all(
            (row := rows.get(service.name)) is not None
            and row["state"] == "up"
            and round(row["committed_kw"] * 1000) == self.status(service)["drawn_watts"]
            for service in self.local.substations
        )

    def line(self) -> list[str]:
        """Who waits, in order."""
        with self.local.redis_client(decode_responses=True) as redis:
            waiting: list[str] = redis.zrange(key("default", "waiting"), 0, -1)
        return waiting

    def in_ledger(self, session: str) -> bool:
        answer = requests.get(f"{self.local.url}/sessions/{session}", timeout=15)
        return answer.status_code == 200

    def assert_never_overloaded(self) -> None:
        for substation in self.local.substations:
            status = self.status(substation)
            assert status["peak_watts"] <= status["limit_watts"], substation.name
            assert status["overload_seconds"] == 0, substation.name

    def clean(self) -> None:
        """Everything up and connected, no car left."""
        self.local.mend_links()
        for service in self.local.parts.values():
            self.local.resume(service)
        self.local.restart_what_ended()
        eventually(self._is_empty, within_s=20, what="an empty grid", every_s=0.3)

    def _is_empty(self) -> bool:
        try:
            for session in self.line():
                self.cancel(session)
            for substation in self.local.substations:
                for session in self.charging(substation):
                    self.cancel(session)
            return not self.line() and self.is_in_balance() and not any(self.committed_kw())
        except (AssertionError, requests.RequestException):
            return False  # not everybody answers yet


@contextmanager
def run_faulty_grid(logs: Path, capacities_kw: list[float], **settings: str) -> Iterator[Faulty]:
    server = shutil.which("redis-server")
    if server is None:
        pytest.skip(NO_REDIS)
    with (
        FaultyGrid(server, logs, capacities_kw, settings={**SETTINGS, **settings}) as local,
        requests.Session() as http,
    ):
        yield Faulty(local, http)


def seconds_since(started: float) -> float:
    return time.monotonic() - started


@pytest.fixture
def grid(running: Faulty) -> Iterator[Faulty]:
    """What a module calls `running`, empty and whole before and after each test."""
    yield running
    running.clean()
    running.assert_never_overloaded()
