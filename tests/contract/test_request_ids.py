"""Every request has an id, which goes through every hop and into the logs."""

import logging
import re

import pytest
from flask.testing import FlaskClient

from grid.http import MOST_IDS

from .conftest import CAR, SERVICES, Grid, SubstationUnderTest


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("given", ["a", "0af7651916cd43dd8448eb211c80319c", "A-b_c.d", "x" * 128])
def test_a_request_id_is_accepted(clients: dict[str, FlaskClient], service: str, given: str) -> None:
    response = clients[service].get("/health", headers={"X-Request-ID": given})
    assert response.headers["X-Request-ID"] == given


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize(
    "given", [None, "", "x" * 129, "a b", 'a"b', "<script>", "é", "a\tb", "%0a", "a,", ",".join("a" * 33)]
)
def test_a_missing_or_malformed_request_id_is_replaced(
    clients: dict[str, FlaskClient], service: str, given: str | None
) -> None:
    headers = {} if given is None else {"X-Request-ID": given}
    made = {clients[service].get("/health", headers=headers).headers["X-Request-ID"] for _ in range(2)}
    assert all(re.fullmatch("[0-9a-f]{16}", request_id) for request_id in made)
    assert len(made) == 2


def test_one_request_id_goes_through_every_hop(grid: Grid, one: SubstationUnderTest) -> None:
    response = grid.api.post("/request-charge", json=CAR, headers={"X-Request-ID": "from-outside"})
    grid.api.get(response.headers["Location"], headers={"X-Request-ID": "seen"})
    grid.api.delete(response.headers["Location"], headers={"X-Request-ID": "cancelled"})
    assert [(call.url.split("/")[2], call.method, call.request_id) for call in grid.network.calls] == [
        ("balancer", "POST", "from-outside"),
        ("one", "POST", "from-outside"),
        ("balancer", "GET", "seen"),
        ("balancer", "DELETE", "cancelled"),
        ("one", "DELETE", "cancelled"),
    ]


@pytest.mark.parametrize("service", ["balancer", "substation"])
def test_a_call_for_several_requests_has_all_their_ids(clients: dict[str, FlaskClient], service: str) -> None:
    ids = ",".join("x" * 128 for _ in range(MOST_IDS))
    assert clients[service].get("/health", headers={"X-Request-ID": ids}).headers["X-Request-ID"] == ids


def test_a_driver_has_one_id(clients: dict[str, FlaskClient]) -> None:
    """Else those of a group could be more than a header holds, and the others in it would pay for that."""
    assert re.fullmatch(
        "[0-9a-f]{16}", clients["api"].get("/health", headers={"X-Request-ID": "a,b"}).headers["X-Request-ID"]
    )


def test_requests_are_logged_but_not_the_probes(
    grid: Grid, one: SubstationUnderTest, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.clear()
    for path in ("/health", "/ready", "/metrics", "/grid", "/nothing"):
        grid.balancer.get(path)
    logged = [record for record in caplog.records if record.name == "grid.request"]
    assert [record.getMessage() for record in logged] == ["GET /grid 200", "GET /nothing 404"]
    assert [record.levelno for record in logged] == [logging.INFO] * 2
