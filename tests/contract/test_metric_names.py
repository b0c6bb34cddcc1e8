"""Each service shows its own metrics, named as is usual."""

import re
import subprocess
import sys

import pytest
from prometheus_client.parser import text_string_to_metric_families

from .conftest import SERVICES

EXPECTED = {
    "api": {"grid_http", "grid_answers"},
    "balancer": {
        "grid_http",
        "grid_placements",
        "grid_charge_orders",
        "grid_ejections",
        "grid_reserve",
        "grid_forward",
        "grid_swept",
        "grid_sweeps",
        "grid_ledger",
    },
    "substation": {"grid_http", "grid_substation"},
}
SHOW_METRICS = """
from {service}.app import create_app
from grid.settings import Settings
app = create_app(Settings(substation_id="one"))
app.test_client().get("/health")
print(app.test_client().get("/metrics").text)
"""


@pytest.fixture(scope="module", params=SERVICES)
def metrics_of_a_service(request: pytest.FixtureRequest) -> tuple[str, str]:
    """Its name, and what a process shows that runs nothing else."""
    service: str = request.param
    code, root = SHOW_METRICS.format(service=service), request.config.rootpath
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    return service, "\n".join(line for line in shown.stdout.splitlines() if not line.startswith("{"))


def test_a_service_shows_its_own_metrics_and_no_others(metrics_of_a_service: tuple[str, str]) -> None:
    service, text = metrics_of_a_service
    names = {family.name for family in text_string_to_metric_families(text) if family.name.startswith("grid_")}
    assert {name for name in names if not name.startswith(tuple(EXPECTED[service]))} == set()
    assert {prefix for prefix in EXPECTED[service] if any(name.startswith(prefix) for name in names)} == EXPECTED[
        service
    ]


def test_metrics_follow_the_conventions_of_prometheus(metrics_of_a_service: tuple[str, str]) -> None:
    _, text = metrics_of_a_service
    for family in text_string_to_metric_families(text):
        if not family.name.startswith("grid_"):
            continue
        assert family.documentation, family.name
        assert re.fullmatch("[a-z][a-z_]*", family.name)
        assert not re.search("_(total|count|sum|bucket|ms|milliseconds|kw|kilowatts|kwh)(_|$)", family.name)
        if family.type == "histogram":
            assert family.name.endswith("_seconds")
        for sample in family.samples:
            assert not {"session", "session_id", "vehicle", "vehicle_id", "request_id"} & set(sample.labels)
