"""What a balancer does when a substation refuses, or does not answer, or when the ledger is lost in between."""

from collections.abc import Sequence
from typing import Any

import pytest

from ..conftest import Call, Grid, answers

charges, says_no, fails = answers(201), answers(409), answers(500)


def order(number: int = 0, watts: int = 11_000) -> dict[str, Any]:
    return {"session_id": f"default-{number:024}", "vehicle_id": "ev-42", "watts": watts, "energy_wh": 10_000}


def route(grid: Grid, *orders: dict[str, Any]) -> list[dict[str, Any]]:
    response = grid.balancer.post("/route", json=list(orders) or [order()])
    assert response.status_code == 207
    decided: list[dict[str, Any]] = response.get_json()
    return decided


def attempts(calls: Sequence[Call]) -> list[tuple[str, int]]:
    return [(item["session_id"], item["attempt"]) for call in calls for item in call.body]


@pytest.fixture
def first(grid: Grid) -> str:
    """The substation that is asked first: its twin has some load already."""
    grid.stub("twin", charges, limit_kw=100)
    assert route(grid, order(99, watts=1_000))[0]["substation"] == "twin"
    grid.network.calls.clear()
    grid.stub("first", charges, limit_kw=100)
    return "first"
