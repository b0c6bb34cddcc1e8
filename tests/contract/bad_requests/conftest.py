"""Whatever is wrong with a request: a 4xx problem that names the field, nothing reserved, nothing in the error log."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from ..conftest import CAR, Grid, SubstationUnderTest, problem_in

SESSION = "default-" + "0" * 24
ORDER = {"session_id": SESSION, "vehicle_id": "ev-42", "watts": 11_000, "energy_wh": 10_000}
CHARGE = {**ORDER, "attempt": 1, "substation": "one", "epoch": 1}


@dataclass(frozen=True)
class Post:
    service: str
    path: str
    good: dict[str, Any]
    required: tuple[str, ...]

    def __str__(self) -> str:
        return self.service


API = Post("api", "/request-charge", CAR, ("vehicle_id",))
BALANCER = Post("balancer", "/route", ORDER, tuple(ORDER))
SUBSTATION = Post("substation", "/charge", CHARGE, tuple(CHARGE))
POSTS = (API, BALANCER, SUBSTATION)
INTERNAL = (BALANCER, SUBSTATION)


@dataclass
class Services:
    grid: Grid
    one: SubstationUnderTest

    def of(self, service: str) -> FlaskClient:
        return {"api": self.grid.api, "balancer": self.grid.balancer, "substation": self.one.client}[service]

    def post(self, post: Post, body: bytes | str, content_type: str = "application/json", **more: Any) -> TestResponse:
        return self.of(post.service).post(post.path, data=body, content_type=content_type, **more)


@pytest.fixture(scope="module")
def same_services() -> Iterator[Services]:
    # One grid for all tests of a module: none of them may leave a trace.
    with pytest.MonkeyPatch.context() as monkeypatch:
        grid = Grid(monkeypatch)
        yield Services(grid, grid.substation("one", limit_kw=100))


@pytest.fixture(autouse=True)
def services(same_services: Services) -> Iterator[Services]:
    """All three; when the test is done, nothing must have happened."""
    before = same_services.grid.ledger_dump()
    yield same_services
    assert same_services.grid.ledger_dump() == before
    after = same_services.one.snapshot()
    assert (after.charging, after.started, after.drawn) == ([], 0, 0)


def fields(response: TestResponse) -> list[str]:
    """The fields that a 422 names, each with a message, and its detail too."""
    errors = problem_in(response, 422, "invalid-request")["errors"]
    assert all(error["message"] for error in errors)
    return sorted(error["field"] for error in errors)
