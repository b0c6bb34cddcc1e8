"""Everything starts, is seen by Prometheus, and one request can be followed through all of it."""

import json
from collections import Counter

import requests

from .conftest import Stack, compose, eventually


def test_every_container_is_healthy(stack: Stack) -> None:
    health = {container["Name"]: container["State"]["Health"]["Status"] for container in stack.containers()}

    assert len(health) == 10
    assert set(health.values()) == {"healthy"}


def test_prometheus_scrapes_every_replica(stack: Stack) -> None:
    def targets() -> Counter[tuple[str, str]]:
        data = requests.get(f"{stack.prometheus_url}/api/v1/targets", timeout=5).json()["data"]
        return Counter((target["labels"]["job"], target["health"]) for target in data["activeTargets"])

    expected = {("api", "up"): 1, ("balancer", "up"): 3, ("substation", "up"): 3}
    eventually(lambda: targets() == expected, within_s=40)


def test_prometheus_configuration_is_valid(stack: Stack) -> None:
    compose("exec", "-T", "prometheus", "promtool", "check", "config", "/etc/prometheus/prometheus.yml")


def test_the_documentation_is_reached_through_the_published_port(stack: Stack) -> None:
    answer = stack.call("GET", "/docs")

    assert answer.status_code == 200
    assert answer.url == f"{stack.url}/docs/"


def test_a_request_is_followed_by_its_id_through_every_log(stack: Stack) -> None:
    request_id = "follow-me.1"
    answer = stack.ask("ev-followed", energy_kwh=0.001, **{"X-Request-ID": request_id})

    assert answer.status_code == 201
    assert answer.headers["X-Request-ID"] == request_id

    def logged(service: str) -> bool:
        lines = compose("logs", "--no-color", "--no-log-prefix", service).splitlines()
        entries = [json.loads(line) for line in lines if line.startswith("{")]
        return any(entry.get("request_id") == request_id and entry["service"] == service for entry in entries)

    for service in ("nginx", "api", "balancer", "substation"):
        eventually(lambda service=service: logged(service), within_s=5)  # type: ignore[misc]
