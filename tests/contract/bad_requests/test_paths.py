"""A path, a method or a query that there is not."""

import pytest

from ..conftest import SERVICES, problem_in
from .conftest import Services


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/nothing",
        "/grid/",
        "//grid",
        "/sessions",
        "/sessions/",
        "/sessions//x",
        "/sessions/x/y",
        "/sessions/x%2Fy",
        "/charge/",
        "/static/../app.py",
        "/../etc/passwd",
        "/%00",
        "/%ff",
        "/metrics/x",
        "/" + "x" * 5_000,
    ],
)
def test_an_unknown_path_is_404(services: Services, service: str, path: str) -> None:
    problem_in(services.of(service).get(path), 404, "about:blank")


@pytest.mark.parametrize(
    ("service", "path", "allowed"),
    [
        ("api", "/request-charge", {"POST", "OPTIONS"}),
        ("api", "/sessions/x", {"GET", "HEAD", "DELETE", "OPTIONS"}),
        ("api", "/grid", {"GET", "HEAD", "OPTIONS"}),
        ("balancer", "/route", {"POST", "OPTIONS"}),
        ("balancer", "/sessions/x", {"GET", "HEAD", "DELETE", "OPTIONS"}),
        ("balancer", "/grid", {"GET", "HEAD", "OPTIONS"}),
        ("substation", "/charge", {"POST", "OPTIONS"}),
        ("substation", "/charge/x", {"DELETE", "OPTIONS"}),
        ("substation", "/status", {"GET", "HEAD", "OPTIONS"}),
        ("substation", "/health", {"GET", "HEAD", "OPTIONS"}),
        ("substation", "/ready", {"GET", "HEAD", "OPTIONS"}),
        ("substation", "/metrics", {"GET", "HEAD", "OPTIONS"}),
    ],
)
def test_a_wrong_method_is_405_and_says_which_are_right(
    services: Services, service: str, path: str, allowed: set[str]
) -> None:
    for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "BREW"} - allowed:
        response = services.of(service).open(path, method=method)
        problem_in(response, 405, "about:blank")
        assert set(response.headers["Allow"].split(", ")) == allowed
    may = services.of(service).options(path)
    assert (may.status_code, set(may.headers["Allow"].split(", "))) == (200, allowed)


@pytest.mark.parametrize("service", ["api", "balancer"])
@pytest.mark.parametrize("query", ["x=1", "zone=%00", "zone[]=a&zone[]=b", "%ff=%fe", "=&&=", "x=" + "y" * 5_000])
def test_an_odd_query_of_the_grid_changes_nothing(services: Services, service: str, query: str) -> None:
    plain, odd = (services.of(service).get(url) for url in ("/grid", f"/grid?{query}"))
    assert odd.status_code == 200
    assert odd.json == plain.json
