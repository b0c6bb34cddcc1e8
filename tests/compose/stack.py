"""The whole system in containers, under a project name of its own: up, down, and looked at from both sides."""

import json
import math
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import requests
from prometheus_client.parser import text_string_to_metric_families

ROOT = Path(__file__).parents[2]
BALANCERS = 3
SUBSTATIONS = 3
GET = """
import sys, urllib.request
for url in sys.argv[1:]:
    print(urllib.request.urlopen(url, timeout=5).read().decode().strip())
"""

Value = TypeVar("Value")


def run(*command: str, environment: dict[str, str] | None = None) -> str:
    """The command's standard output. Fails the test with its standard error."""
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return done.stdout


def eventually(condition: Callable[[], Value | None], within_s: float = 20.0) -> Value:
    """The first true value of `condition`, or a failure that shows its last one."""
    deadline = time.monotonic() + within_s
    while not (value := condition()):
        assert time.monotonic() < deadline, f"still {value!r} after {within_s} s"
        time.sleep(0.1)
    return value


def samples(metrics: str, name: str) -> list[tuple[dict[str, str], float]]:
    """The labels and the value of each sample of this name in what a service's /metrics says."""
    return [
        (sample.labels, sample.value)
        for family in text_string_to_metric_families(metrics)
        for sample in family.samples
        if sample.name == name
    ]


def missing() -> str | None:
    """What this machine lacks to run containers, and what to do about it."""
    for command in (["docker", "info"], ["docker", "compose", "version"]):
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=20)
        except (OSError, subprocess.SubprocessError):
            return f"`{' '.join(command)}` fails: install Docker with Compose v2 and start it"
    return None


class Stack:
    """The running system, from outside through nginx and from inside through docker.

    Beside a grid that somebody runs: another project, free ports, and nobody's .env.
    """

    url: str
    prometheus_url: str

    def __init__(self, project: str, **settings: str) -> None:
        own = {"COMPOSE_PROJECT_NAME": project, "COMPOSE_ENV_FILES": os.devnull, "API_PORT": "0"}
        free = dict.fromkeys(("PROMETHEUS_PORT", "GRAFANA_PORT", "LOCUST_PORT"), "0")
        self._environment = os.environ | own | free | settings

    def __enter__(self) -> Self:
        """Built and started, with nothing left of an earlier one."""
        self.down()
        try:
            self.compose("build", "--quiet")
            self.up()
        except BaseException:
            self.down()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.down()

    def compose(self, *arguments: str) -> str:
        return run("docker", "compose", *arguments, environment=self._environment)

    def up(self, balancer: int = BALANCERS, substation: int = SUBSTATIONS) -> None:
        """Start what does not run, in these numbers, and wait until all of it is healthy."""
        scale = [f"--scale=balancer={balancer}", f"--scale=substation={substation}"]
        try:
            self.compose("up", "--detach", "--wait", "--quiet-pull", *scale)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.logs_tail()}") from None
        self.url = self._published("nginx", 8080)
        self.prometheus_url = self._published("prometheus", 9090)

    def down(self) -> None:
        self.compose("down", "--volumes", "--remove-orphans", "--timeout=3")

    def restore(self) -> None:
        """As at the beginning, whatever a test has done."""
        eventually(lambda: "unhealthy" not in self.compose("ps"))  # `up` does not wait for what is about to recover
        self.up()
        eventually(lambda: self.call("GET", "/grid").status_code == 200 and len(self.substations()) == SUBSTATIONS)

    def logs_tail(self) -> str:
        return self.compose("ps", "--all") + self.compose("logs", "--no-color", "--tail=15")

    def call(self, method: str, path: str, **options: Any) -> requests.Response:
        """One request on a connection of its own, as from one driver."""
        return requests.request(method, self.url + path, timeout=15, **options)

    def ask(self, vehicle: str = "ev", energy_kwh: float = 1_000, **headers: str) -> requests.Response:
        """POST /request-charge for a car that charges for longer than the tests run, unless told otherwise."""
        body = {"vehicle_id": vehicle, "power_kw": 11, "energy_kwh": energy_kwh}
        return self.call("POST", "/request-charge", json=body, headers=headers)

    def cancel(self, accepted: requests.Response) -> None:
        answer = self.call("DELETE", accepted.headers["Location"])
        assert answer.status_code == 200, answer.text

    def substations(self) -> dict[str, dict[str, Any]]:
        """What GET /grid says of each substation that is up."""
        rows = self.call("GET", "/grid").json()["substations"]
        return {row["substation"]: row for row in rows if row["state"] == "up"}

    def services(self) -> set[str]:
        """Those that run here: all, but for what COMPOSE_FILE leaves out."""
        return set(self.compose("config", "--services").split())

    def described(self) -> dict[str, dict[str, Any]]:
        """Every service as compose understands it, also those that do not run here."""
        services: dict[str, dict[str, Any]] = json.loads(self.compose("--profile=*", "config", "--format=json"))[
            "services"
        ]
        return services

    def measured(self, query: str) -> list[tuple[dict[str, str], float]]:
        """What Prometheus answers to a query now: labels and value of each series. Without those that are no number."""
        answer = requests.get(f"{self.prometheus_url}/api/v1/query", params={"query": query}, timeout=10)
        assert answer.status_code == 200, f"{query}\n{answer.text}"
        rows = [(row["metric"], float(row["value"][1])) for row in answer.json()["data"]["result"]]
        return [(labels, value) for labels, value in rows if not math.isnan(value)]

    def targets(self, job: str) -> list[str]:
        """What Prometheus scrapes for a job, by address."""
        answer = requests.get(f"{self.prometheus_url}/api/v1/targets", params={"state": "active"}, timeout=10)
        targets = answer.json()["data"]["activeTargets"]
        return [target["labels"]["instance"] for target in targets if target["labels"]["job"] == job]

    def containers(self, *services: str) -> list[dict[str, Any]]:
        """`docker inspect` of every container of these services, or of all."""
        ids = self.compose("ps", "-q", *services).split()
        inspected: list[dict[str, Any]] = json.loads(run("docker", "inspect", *ids))
        return inspected

    def get_inside(self, container: dict[str, Any], *paths: str) -> str:
        """GET a service's own endpoints from within its container: they are reachable from nowhere else here."""
        urls = [f"http://127.0.0.1:5000{path}" for path in paths]
        return run("docker", "exec", container["Id"], "python", "-c", GET, *urls)

    def placed(self) -> dict[str, float]:
        """How many sessions each balancer has placed since it started."""
        return {
            container["Name"]: sum(
                value
                for labels, value in samples(self.get_inside(container, "/metrics"), "grid_placements_total")
                if labels["outcome"] == "placed"
            )
            for container in self.containers("balancer")
        }

    def _published(self, service: str, port: int) -> str:
        return "http://" + self.compose("port", service, str(port)).strip()
