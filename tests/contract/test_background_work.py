"""What the services do without being asked, wired as in production: heartbeats, ends, sweeps."""

from collections.abc import Callable, Iterator
from queue import Queue
from typing import Any

import pytest
from flask import Flask

import balancer.app
import substation.app
from grid.background import start_all, stop_all
from grid.ledger import LedgerUnavailable
from grid.ledger.records import Heartbeat, Swept
from substation.heartbeat import Heartbeats

from .conftest import SETTINGS, Grid

NEVER_MS = 3_600_000
SOON_S = 5.0


@pytest.fixture
def served() -> Iterator[Callable[[Flask], Flask]]:
    """Starts an app's background work, and stops it when the test is done."""
    apps: list[Flask] = []

    def serve(app: Flask) -> Flask:
        apps.append(app)
        start_all(app)
        return app

    yield serve
    for app in apps:
        stop_all(app)


def calls_of(monkeypatch: pytest.MonkeyPatch, owner: Any, method: str) -> Queue[tuple[tuple[Any, ...], Any]]:
    """What a method was given and what it returned, each time it is called from now on."""
    calls: Queue[tuple[tuple[Any, ...], Any]] = Queue()
    original = getattr(owner, method)

    def remembered(*given: Any) -> Any:
        result = original(*given)
        calls.put((given, result))
        return result

    monkeypatch.setattr(owner, method, remembered)
    return calls


def test_a_substation_registers_tells_each_end_at_once_and_says_farewell(
    grid: Grid, monkeypatch: pytest.MonkeyPatch, served: Callable[[Flask], Flask]
) -> None:
    beats = calls_of(monkeypatch, Heartbeats, "beat")
    told = calls_of(monkeypatch, grid.ledger, "heartbeat")

    def told_until(condition: Callable[[Heartbeat], bool]) -> None:
        while not condition(told.get(timeout=SOON_S)[0][0]):
            pass

    own = {"substation_id": "one", "advertise_url": "http://one", "time_scale": 100_000}
    settings = SETTINGS.model_copy(update={**own, "heartbeat_interval_ms": NEVER_MS})
    app = served(substation.app.create_app(settings, grid.ledger))
    told_until(lambda heartbeat: heartbeat.epoch == 0)
    beats.get(timeout=SOON_S)
    for session in ("a", "b", "c"):
        order = {"session_id": session, "attempt": 1, "substation": "one", "epoch": 1, "vehicle_id": "ev-42"}
        response = app.test_client().post("/charge", json={**order, "watts": 11_000, "energy_wh": 1})
        assert response.status_code == 201
        told_until(lambda heartbeat, session=session: (session, 1, "finished", 1, 1) in heartbeat.ended)  # type: ignore[misc]
    stop_all(app)
    told_until(lambda heartbeat: heartbeat.state == "draining")


def test_a_balancer_sweeps_every_zone_and_goes_on_after_the_ledger_was_away(
    grid: Grid, monkeypatch: pytest.MonkeyPatch, served: Callable[[Flask], Flask]
) -> None:
    grid.substation("one")
    grid.substation("two", zone="north")
    grid.clock.advance(SETTINGS.heartbeat_ttl_ms / 1000 + 0.1)
    sweeps = [calls_of(monkeypatch, ledger, "sweep") for ledger in grid.ledgers.values()]
    failed: Queue[None] = Queue()

    def lost(limit: int) -> Swept:
        failed.put(None)
        raise LedgerUnavailable("gone")

    with monkeypatch.context() as away:
        away.setattr(grid.ledger, "sweep", lost)
        served(balancer.app.create_app(SETTINGS.model_copy(update={"sweep_interval_ms": 1}), grid.ledgers))
        for _ in range(3):
            failed.get(timeout=SOON_S)
    for swept in sweeps:
        while swept.get(timeout=SOON_S)[1].silenced == 0:
            pass
    states = {row.substation: row.state for ledger in grid.ledgers.values() for row in ledger.grid()}
    assert states == {"one": "silent", "two": "silent"}
