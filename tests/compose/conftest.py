"""The whole system in containers, brought up once for all tests here: `make test-compose`."""

import json
import os
import subprocess
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

ROOT = Path(__file__).parents[2]
BALANCERS = 3
SUBSTATIONS = 3
ROOM = 10
"""How many cars of 11 kW a substation has room for."""

# Beside a grid that somebody runs: another project, free ports, and nobody's .env.
ENVIRONMENT = os.environ | {
    "COMPOSE_PROJECT_NAME": "grid-test",
    "COMPOSE_ENV_FILES": os.devnull,
    "API_PORT": "0",
    "PROMETHEUS_PORT": "0",
    "CAPACITY_KW": str(11 * ROOM),
    "TIME_SCALE": "60",
}
GET = "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1], timeout=5).read().decode())"

Value = TypeVar("Value")


def run(*command: str) -> str:
    """The command's standard output. Fails the test with its standard error."""
    done = subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return done.stdout


def compose(*arguments: str) -> str:
    return run("docker", "compose", *arguments)


def eventually(condition: Callable[[], Value], within_s: float = 20.0) -> Value:
    """The first true value of `condition`, or a failure that shows its last one."""
    deadline = time.monotonic() + within_s
    while not (value := condition()):
        assert time.monotonic() < deadline, f"still {value!r} after {within_s} s"
        time.sleep(0.1)
    return value


class Stack:
    """The running system, from outside through nginx and from inside through docker."""

    def up(self, balancer: int = BALANCERS, substation: int = SUBSTATIONS) -> None:
        """Start what does not run, in these numbers, and wait until all of it is healthy."""
        scale = [f"--scale=balancer={balancer}", f"--scale=substation={substation}"]
        try:
            compose("up", "--detach", "--wait", "--quiet-pull", *scale)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.logs_tail()}") from None
        self.url = self._published("nginx", 8080)
        self.prometheus_url = self._published("prometheus", 9090)

    def restore(self) -> None:
        """As at the beginning, whatever a test has done."""
        eventually(lambda: "unhealthy" not in compose("ps"))  # `up` does not wait for what is about to recover
        self.up()
        eventually(lambda: self.call("GET", "/grid").status_code == 200 and len(self.substations()) == SUBSTATIONS)

    def logs_tail(self) -> str:
        return compose("ps", "--all") + compose("logs", "--no-color", "--tail=15")

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

    def containers(self, *services: str) -> list[dict[str, Any]]:
        """`docker inspect` of every container of these services, or of all."""
        inspected: list[dict[str, Any]] = json.loads(run("docker", "inspect", *compose("ps", "-q", *services).split()))
        return inspected

    def get_inside(self, container: dict[str, Any], path: str) -> str:
        """GET a service's own endpoint from within its container: it is reachable from nowhere else here."""
        return run("docker", "exec", container["Id"], "python", "-c", GET, f"http://127.0.0.1:5000{path}")

    def placed(self) -> dict[str, float]:
        """How many sessions each balancer has placed since it started."""
        return {
            container["Name"]: sum(
                sample.value
                for family in text_string_to_metric_families(self.get_inside(container, "/metrics"))
                for sample in family.samples
                if sample.name == "grid_placements_total" and sample.labels["outcome"] == "charging"
            )
            for container in self.containers("balancer")
        }

    def _published(self, service: str, port: int) -> str:
        return "http://" + compose("port", service, str(port)).strip()


def _need(*command: str) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=20)
    except (OSError, subprocess.SubprocessError):
        pytest.skip(f"`{' '.join(command)}` fails: install Docker with Compose v2, start it, then `make test-compose`")


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """The system with 3 balancers and 3 substations. A test that changes that asks for `disturbed` instead."""
    _need("docker", "info")
    _need("docker", "compose", "version")
    down = ("down", "--volumes", "--remove-orphans", "--timeout=3")
    compose(*down)
    try:
        compose("build", "--quiet")
        running = Stack()
        running.up()
        yield running
    finally:
        compose(*down)


@pytest.fixture
def disturbed(stack: Stack) -> Iterator[Stack]:
    """The system for a test that stops or scales something; put right again afterwards."""
    yield stack
    stack.restore()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Function) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the containers' logs with a failure."""
    report = yield
    stack = item.funcargs.get("stack")
    if report.failed and isinstance(stack, Stack):
        report.sections.append(("docker compose", stack.logs_tail()))
    return report
