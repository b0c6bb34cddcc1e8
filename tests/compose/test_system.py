"""Everything starts, is seen by Prometheus, and one request can be followed through all of it."""

import json
from collections import Counter
from typing import Any

import pytest
import requests

from .stack import Stack, eventually


def test_every_container_is_healthy(stack: Stack) -> None:
    states = {container["Name"]: container["State"] for container in stack.containers()}

    assert len(states) == len(stack.services()) + 4, "two more balancers, two more substations"
    for name, state in states.items():
        assert state["Running"]
        assert "exporter" in name or state["Health"]["Status"] == "healthy"


def test_prometheus_scrapes_every_replica(stack: Stack) -> None:
    def targets() -> Counter[tuple[str, str]]:
        data = requests.get(f"{stack.prometheus_url}/api/v1/targets", timeout=5).json()["data"]
        return Counter((target["labels"]["job"], target["health"]) for target in data["activeTargets"])

    expected = {"api": 1, "balancer": 3, "substation": 3, "redis": 1, "nginx": 1, "prometheus": 1}
    eventually(lambda: targets() == {(job, "up"): number for job, number in expected.items()}, within_s=40)


def test_prometheus_configuration_is_valid(stack: Stack) -> None:
    stack.compose("exec", "-T", "prometheus", "promtool", "check", "config", "/etc/prometheus/prometheus.yml")


@pytest.mark.parametrize("path", ["/docs", "/docs/"])
def test_the_documentation_is_reached_through_the_published_port(stack: Stack, path: str) -> None:
    answer = stack.call("GET", path)

    assert answer.status_code == 200
    assert answer.url.startswith(f"{stack.url}/docs")


def test_a_request_is_followed_by_its_id_through_every_log(stack: Stack) -> None:
    request_id = "follow-me.1"
    answer = stack.ask("ev-followed", energy_kwh=0.001, **{"X-Request-ID": request_id})

    assert answer.status_code == 201
    assert answer.headers["X-Request-ID"] == request_id

    services = {"nginx", "api", "balancer", "substation"}

    def seen_by() -> set[str]:
        return {line["service"] for line in logged(stack, *services) if line.get("request_id") == request_id}

    eventually(lambda: seen_by() == services)


@pytest.mark.parametrize("service", ["api", "balancer", "substation"])
def test_no_service_has_logged_an_error(stack: Stack, service: str) -> None:
    assert [line for line in logged(stack, service) if line["level"] not in ("INFO", "WARNING")] == []


def logged(stack: Stack, *services: str) -> list[dict[str, Any]]:
    """What the containers of these services have logged as JSON."""
    lines = stack.compose("logs", "--no-color", "--no-log-prefix", *services).splitlines()
    return [json.loads(line) for line in lines if line.startswith("{")]
