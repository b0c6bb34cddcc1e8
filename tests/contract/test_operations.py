"""What those who run the grid rely on: health, readiness, and quick answers when something is away."""

import socket
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from grid.ledger import Ledger, connect

from .conftest import (
    RETRY_AFTER_S,
    SERVICES,
    SETTINGS,
    ZONES,
    Grid,
    SubstationUnderTest,
    answers,
    problem_in,
    unreachable,
)


@pytest.mark.parametrize("service", SERVICES)
def test_a_running_service_is_healthy_and_ready(clients: dict[str, FlaskClient], service: str) -> None:
    health, ready = (clients[service].get(path) for path in ("/health", "/ready"))
    assert (health.status_code, health.get_json()) == (200, {"status": "ok"})
    assert (ready.status_code, (ready.get_json() or {})["ready"]) == (200, True)
    assert set((ready.get_json() or {})["checks"].values()) == {"ok"}


@pytest.fixture
def mute() -> Iterator[socket.socket]:
    """Accepts connections, and then says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield server


def without_redis(grid: Grid, port: int, timeout_ms: int = SETTINGS.redis_timeout_ms) -> Iterator[TestResponse]:
    """The answers to everything that needs the ledger, of a balancer whose Redis is meant to be at `port`."""
    session = "default-" + "0" * 24
    order = {"session_id": session, "vehicle_id": "ev-42", "watts": 11_000, "energy_wh": 10_000}
    with connect(f"redis://127.0.0.1:{port}/0", timeout_ms, 4) as redis:
        client = grid.new_balancer({zone: Ledger(redis, zone) for zone in ZONES}).test_client()
        yield client.post("/route", json=order)
        yield client.get(f"/sessions/{session}")
        yield client.delete(f"/sessions/{session}")
        yield client.get("/grid")
        yield grid.request_charge()
        yield grid.api.get("/grid")


def test_without_redis_everything_is_answered_within_a_second(grid: Grid, closed_port: int) -> None:
    started = time.monotonic()
    for response in without_redis(grid, closed_port):
        assert problem_in(response, 503, "ledger-unavailable")["retry_after_s"] == RETRY_AFTER_S
        assert response.headers["Retry-After"] == str(RETRY_AFTER_S)
        assert time.monotonic() - started < 1
        started = time.monotonic()


def test_a_redis_that_says_nothing_is_not_waited_for_longer_than_a_second(grid: Grid, mute: socket.socket) -> None:
    def connections() -> Iterator[socket.socket]:
        with suppress(BlockingIOError):
            while True:
                yield mute.accept()[0]

    tries = []
    for response in without_redis(grid, mute.getsockname()[1], timeout_ms=50):
        problem_in(response, 503, "ledger-unavailable")
        made = list(connections())
        for connection in made:
            connection.close()
        tries.append(len(made))
    assert tries[0] > 0
    assert max(tries) * SETTINGS.redis_timeout_ms < 1_000
    assert tries[-1] == 0, "by now nobody waits for it any more"


def test_without_redis_nobody_is_ready_but_all_are_healthy(grid: Grid, balancer_without_redis: FlaskClient) -> None:
    for service, name, reason in ((balancer_without_redis, "redis", "refused"), (grid.api, "balancer", "not ready")):
        ready = service.get("/ready")
        assert ready.status_code == 503
        body = ready.get_json() or {}
        assert body["ready"] is False
        assert reason in body["checks"][name]
        assert service.get("/health").status_code == 200


def test_with_keys_of_another_version_a_balancer_says_what_to_do(grid: Grid, one: SubstationUnderTest) -> None:
    grid.redis.set("{grid:default}:format", "1")
    ready = grid.balancer.get("/ready")
    assert ready.status_code == 503
    assert "delete its keys ({grid:default}:*)" in (ready.get_json() or {})["checks"]["redis"]
    assert "delete its keys" in problem_in(grid.request_charge(), 503, "ledger-unavailable")["detail"]
    assert 'grid_ledger_up{zone="default"} 0.0' in grid.balancer.get("/metrics").text


def test_a_substation_is_not_ready_until_the_ledger_knows_it(
    grid: Grid, one: SubstationUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    grid.touch.advance(SETTINGS.heartbeat_ttl_ms / 1000)
    ready = one.client.get("/ready")
    assert (ready.status_code, (ready.get_json() or {})["checks"]) == (
        503,
        {"ledger": "the ledger has not answered for too long"},
    )
    one.beat()
    assert one.client.get("/ready").status_code == 200


def test_without_a_balancer_the_api_says_so(grid: Grid) -> None:
    grid.network.hosts["balancer"] = unreachable
    for response in (grid.request_charge(), grid.api.get("/grid"), grid.api.get("/sessions/default-" + "0" * 24)):
        problem_in(response, 503, "balancer-unavailable")
        assert response.headers["Retry-After"] == str(RETRY_AFTER_S)
    assert grid.api.get("/ready").status_code == 503


def test_the_api_passes_on_what_a_balancer_answers_to_the_whole(grid: Grid) -> None:
    grid.network.hosts["balancer"] = answers(500)
    assert grid.api.get("/grid").status_code == 500
