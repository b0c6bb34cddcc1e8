"""A service that is told to stop: nothing new comes in, what is under way is finished."""

import json
import socket
from pathlib import Path
from urllib.parse import urlsplit

from .conftest import CAR, eventually, run_grid


def test_a_stopping_service_refuses_new_connections_and_answers_what_is_under_way(
    redis_server_url: str, tmp_path: Path
) -> None:
    body = json.dumps(CAR).encode()
    head = (
        "POST /request-charge HTTP/1.1\r\nHost: api\r\nConnection: close\r\nExpect: 100-continue\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with run_grid([110], redis_server_url, tmp_path) as grid:
        api = grid.local.api
        with _connect(api.url) as under_way:
            under_way.sendall(head.encode())
            assert under_way.recv(100).startswith(b"HTTP/1.1 100 "), "a worker has it in its hands"

            api.stop()

            eventually(lambda: not _accepts(api.url), within_s=8)
            under_way.sendall(body)
            assert under_way.recv(100).startswith(b"HTTP/1.1 201 ")
        api.wait()
        assert api.has_ended()


def test_a_stopping_substation_gets_nothing_new(redis_server_url: str, tmp_path: Path) -> None:
    with run_grid([110, 110], redis_server_url, tmp_path) as grid:
        grid.local.substations[0].stop()
        eventually(lambda: [row["state"] for row in grid.substations()] == ["draining", "up"], within_s=8)
        assert {grid.ask().json()["substation"] for _ in range(3)} == {"substation-2"}


def _connect(url: str) -> socket.socket:
    parts = urlsplit(url)
    assert parts.hostname
    assert parts.port
    return socket.create_connection((parts.hostname, parts.port), timeout=10)


def _accepts(url: str) -> bool:
    try:
        _connect(url).close()
    except ConnectionRefusedError:
        return False
    return True
