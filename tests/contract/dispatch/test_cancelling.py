"""A cancel goes where the session is, or is left to the heartbeat."""

import json

import pytest

from grid.http import Reply
from grid.ledger import Release, ReleaseOutcome, Request

from ..conftest import Answerer, Call, Grid, answers, silent, unreachable
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


def test_cancelling_follows_a_session_that_is_moved_meanwhile(grid: Grid, first: str) -> None:
    def moved_meanwhile(call: Call) -> Reply:
        grid.ledger.release([Release(order()["session_id"], 1, ReleaseOutcome.REFUSED)])
        (moved,) = grid.ledger.reserve([Request(order()["session_id"], "ev-42", 11_000, 10_000)], avoid=[first])
        assert moved.substation == "twin"
        return Reply(200, {})

    route(grid)
    grid.network.hosts |= {first: moved_meanwhile, "twin": answers(200)}
    assert cancel(grid) == "cancelled"
    assert grid.watts_held() == {first: 0, "twin": 1_000}
    (told,) = grid.network.calls_to("twin")
    assert told.path == f"/charge/{order()['session_id']}?attempt=2"


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
    assert cancel(grid) == "unsettled"
    assert grid.watts_held() == {"one": 11_000}
