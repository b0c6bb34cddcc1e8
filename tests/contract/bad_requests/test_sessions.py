"""Nobody's session, or a wrong query about one."""

import pytest

from ..conftest import problem_in
from .conftest import SESSION, Services, fields


@pytest.mark.parametrize("method", ["GET", "DELETE"])
@pytest.mark.parametrize("service", ["api", "balancer"])
@pytest.mark.parametrize(
    "session_id",
    [
        pytest.param(SESSION, id="nobody's"),
        pytest.param(SESSION.replace("default", "south"), id="of another zone"),
        pytest.param("x", id="short"),
        pytest.param("default-", id="no number"),
        pytest.param(SESSION + "0", id="too long"),
        pytest.param(SESSION.upper(), id="capitals"),
        pytest.param(SESSION + "%0A", id="a line break"),
        pytest.param("%00", id="NUL"),
        pytest.param("%ff%fe", id="invalid UTF-8"),
        pytest.param("%2e%2e", id="dots"),
        pytest.param("*", id="a star"),
        pytest.param("x" * 5_000, id="5000 characters"),
        pytest.param(f"{SESSION}%231@one", id="the ledger's name of an attempt"),
    ],
)
def test_an_unknown_session_is_404(services: Services, service: str, method: str, session_id: str) -> None:
    response = services.of(service).open(f"/sessions/{session_id}", method=method)
    problem_in(response, 404, "unknown-session")


@pytest.mark.parametrize("method", ["GET", "DELETE"])
@pytest.mark.parametrize(
    "session_id", ["x", "x%3Fy=1", "%23", "..", "%252e%252e", SESSION + "x", "default-" + "0" * 23]
)
def test_the_api_asks_no_balancer_about_what_is_no_session_id(services: Services, method: str, session_id: str) -> None:
    services.grid.network.calls.clear()
    services.grid.api.open(f"/sessions/{session_id}", method=method)
    assert services.grid.network.calls == []


def test_stopping_what_does_not_charge_here_is_404(services: Services) -> None:
    for session_id in (SESSION, "x", "%00", "%ff", "x" * 5_000):
        problem_in(services.one.client.delete(f"/charge/{session_id}"), 404, "unknown-session")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("attempt=0", "attempt"),
        ("attempt=-1", "attempt"),
        ("attempt=", "attempt"),
        ("attempt=one", "attempt"),
        ("attempt=1.5", "attempt"),
        ("attempt=NaN", "attempt"),
        ("attempt=1000000001", "attempt"),
        ("attempt=" + "1" * 5_000, "attempt"),
        ("attempt=%00", "attempt"),
        ("attempts=1", "attempts"),
    ],
)
def test_a_wrong_query_of_a_cancel_is_refused(services: Services, query: str, field: str) -> None:
    assert fields(services.one.client.delete(f"/charge/{SESSION}?{query}")) == [field]
    assert services.one.snapshot().unreported == []
