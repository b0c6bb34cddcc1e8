"""A service that is told to stop: nothing new comes in, what is under way is finished."""

import socket
from pathlib import Path
from urllib.parse import urlsplit

import requests

from .conftest import eventually, run_grid


def test_a_stopping_service_refuses_new_connections_and_answers_on_those_it_has(
    redis_server_url: str, tmp_path: Path
) -> None:
    with run_grid([110], redis_server_url, tmp_path) as grid, requests.Session() as kept:
        balancer = grid.local.balancers[0]
        assert kept.get(f"{balancer.url}/health", timeout=5).status_code == 200

        balancer.stop()

        eventually(lambda: not _accepts(balancer.url), within_s=1.5)
        assert not balancer.has_ended()
        assert kept.get(f"{balancer.url}/health", timeout=5).status_code == 200


def _accepts(url: str) -> bool:
    parts = urlsplit(url)
    with socket.socket() as client:
        client.settimeout(0.5)
        return client.connect_ex((parts.hostname, parts.port)) == 0
