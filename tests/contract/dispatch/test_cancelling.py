"""A cancel goes where the session is, or is left to the heartbeat."""

import json

import pytest

from grid.http import Reply
from grid.ledger.records import Stop

from ..conftest import Answerer, Grid, answers, problem_in, silent, unreachable
from .conftest import charges, fails, order, route, says_no


@pytest.fixture
def charging_at(grid: Grid) -> str:
    """Where the session is that will be cancelled."""
    grid.stub("one", charges)
    route(grid)
    return "one"


def cancel(grid: Grid) -> str:
    """The session's state afterwards."""
    response = grid.balancer.delete(f"/sessions/{order()['session_id']}")
    return str(json.loads(response.data)["state"])


@pytest.mark.parametrize(
    "answerer",
    [answers(200), lambda call: Reply(404, {"type": "/problems/unknown-session"})],
    ids=["stopped", "does not charge there"],
)
def test_cancelling_tells_the_substation_which_attempt(grid: Grid, charging_at: str, answerer: Answerer) -> None:
    grid.network.calls.clear()
    grid.network.hosts[charging_at] = answerer
    assert cancel(grid) == "cancelled"
    (call,) = grid.network.calls
    assert (call.method, call.path) == ("DELETE", f"/charge/{order()['session_id']}?attempt=1")
    assert grid.watts_held() == {"one": 0}


def test_cancelling_what_holds_no_watts_bothers_no_substation(grid: Grid) -> None:
    grid.stub("one", says_no)
    grid.balancer.post("/route", json=order())
    grid.network.calls.clear()
    for _ in range(2):
        assert cancel(grid) == "cancelled"
    assert grid.network.calls == []


@pytest.mark.parametrize("answerer", [silent, unreachable, fails, answers(422), answers(404), answers(599)])
def test_a_cancel_that_did_not_get_through_is_left_to_the_heartbeat(
    grid: Grid, charging_at: str, answerer: Answerer
) -> None:
    grid.network.hosts[charging_at] = answerer
    assert cancel(grid) == "cancelling"
    assert grid.watts_held() == {"one": 11_000}
    assert grid.beat("one", number=2).stops == [Stop(order()["session_id"], 1, "cancelled")]


def test_a_balancer_that_dies_after_it_recorded_a_cancel_leaves_it_to_the_heartbeat(
    grid: Grid, charging_at: str
) -> None:
    assert grid.ledger.cancel(order()["session_id"]).state == "cancelling"
    assert grid.beat("one", number=2).stops == [Stop(order()["session_id"], 1, "cancelled")]
    assert cancel(grid) == "cancelling"
    grid.network.hosts[charging_at] = answers(200)
    assert cancel(grid) == "cancelled"


def test_what_is_abandoned_before_it_was_placed_never_charges(grid: Grid) -> None:
    grid.stub("one", charges)
    url = f"/sessions/{order()['session_id']}"
    problem_in(grid.balancer.delete(url), 404, "unknown-session")
    response = grid.balancer.delete(f"{url}?abandoned=true")
    assert (response.status_code, response.get_json()["state"]) == (200, "cancelled")
    (decided,) = route(grid)
    assert (decided["status"], decided["state"]) == (201, "cancelled")
    assert (grid.network.calls, grid.watts_held()) == ([], {"one": 0})


@pytest.mark.parametrize("query", ["abandoned=perhaps", "attempt=1"])
def test_a_wrong_query_is_a_422(grid: Grid, query: str) -> None:
    problem_in(grid.balancer.delete(f"/sessions/{order()['session_id']}?{query}"), 422, "invalid-request")
