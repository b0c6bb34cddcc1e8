"""Who is refused or unheard is served elsewhere, or waits; what may have started keeps its watts."""

import json
from types import SimpleNamespace
from typing import Any

import pytest

from grid.http import Reply
from grid.ledger import Heartbeat
from grid.ledger.keys import key

from ..conftest import RETRY_AFTER_S, SETTINGS, Answerer, Call, Grid, answers, in_turn, problem_in, silent, unreachable
from .conftest import attempts, charges, fails, order, route, says_no


def only_status(status: int) -> Answerer:
    """One answer to all of an array."""
    return lambda call: Reply(status, {"status": status})


@pytest.mark.parametrize("answerer", [says_no, answers(422), only_status(422)], ids=["409", "422", "422 to the array"])
def test_who_is_refused_is_served_elsewhere_and_the_watts_given_back(
    grid: Grid, first: str, answerer: Answerer
) -> None:
    grid.network.hosts[first] = answerer
    (decided,) = route(grid)
    assert (decided["status"], decided["state"], decided["substation"]) == (201, "charging", "twin")
    assert grid.watts_held() == {first: 0, "twin": 12_000}
    assert attempts(grid.network.calls_to(first)) == [(order()["session_id"], 1)]
    assert attempts(grid.network.calls_to("twin")) == [(order()["session_id"], 2)]


def test_who_gets_no_answer_is_asked_once_more_with_the_same_attempt(grid: Grid, first: str) -> None:
    grid.network.hosts[first] = in_turn(silent, charges)
    (decided,) = route(grid)
    assert (decided["status"], decided["substation"]) == (201, first)
    assert attempts(grid.network.calls_to(first)) == [(order()["session_id"], 1)] * 2
    assert grid.watts_held() == {first: 11_000, "twin": 1_000}


def test_who_never_gets_an_answer_stays_unsettled_there_and_is_served_elsewhere(grid: Grid, first: str) -> None:
    grid.network.hosts[first] = in_turn(silent, silent)
    (decided,) = route(grid)
    assert (decided["status"], decided["substation"]) == (201, "twin")
    assert attempts(grid.network.calls_to(first)) == [(order()["session_id"], 1)] * 2
    assert attempts(grid.network.calls_to("twin")) == [(order()["session_id"], 2)]
    assert grid.watts_held() == {first: 11_000, "twin": 12_000}


def test_the_unsettled_attempt_is_no_session_of_its_own(grid: Grid, first: str) -> None:
    grid.network.hosts[first] = in_turn(silent, silent)
    route(grid)
    name = f"{order()['session_id']}#1@{first}"
    before = grid.ledger_dump()
    assert name in before[key("default", "sessions")]
    for method in ("GET", "DELETE"):
        response = grid.balancer.open(f"/sessions/{name.replace('#', '%23')}", method=method)
        problem_in(response, 404, "unknown-session")
    assert grid.ledger_dump() == before


@pytest.mark.parametrize(
    "answerer",
    [
        lambda: in_turn(silent, unreachable),
        lambda: unreachable,
        lambda: fails,
        lambda: answers(404),
        lambda: answers(599),
        lambda: only_status(502),
        lambda: only_status(599),
    ],
    ids=[
        "went away while asked",
        "refuses the connection, though maybe not another balancer's",
        "fails",
        "is somebody else",
        "says what nobody understands",
        "its proxy fails",
        "its proxy says what nobody understands",
    ],
)
def test_a_substation_that_may_have_started_it_keeps_the_watts(grid: Grid, first: str, answerer: Any) -> None:
    grid.network.hosts[first] = answerer()
    assert route(grid)[0]["substation"] == "twin"
    assert grid.watts_held() == {first: 11_000, "twin": 12_000}


@pytest.mark.parametrize("substations", [1, 2, 3, 5])
def test_when_all_refuse_nothing_is_held(grid: Grid, substations: int) -> None:
    for number in range(substations):
        grid.stub(f"s{number}", says_no)
    response = grid.balancer.post("/route", json=order())
    if substations < 3:
        assert (response.status_code, json.loads(response.data)["state"]) == (202, "waiting")
    else:  # there may be others with room, and there was no time to ask them
        problem_in(response, 503, "no-substation")
        assert response.headers["Retry-After"] == str(RETRY_AFTER_S)
    assert set(grid.watts_held().values()) == {0}
    tried = [call.url.split("/")[2] for call in grid.network.calls]
    assert len(tried) == len(set(tried)) == min(3, substations), "three at most, each once"


def test_when_all_fail_only_what_is_unsettled_is_held(grid: Grid) -> None:
    grid.stub("mute", silent)
    grid.stub("strict", says_no)
    assert grid.balancer.post("/route", json=order()).status_code == 202
    assert grid.watts_held() == {"mute": 11_000, "strict": 0}


def test_after_the_time_is_up_no_further_substation_is_tried(grid: Grid, monkeypatch: pytest.MonkeyPatch) -> None:
    def slowly_says_no(call: Call) -> Reply:
        grid.clock.advance(SETTINGS.route_budget_ms / 1000 + 0.1)
        return says_no(call)

    monkeypatch.setattr("balancer.dispatch.time", SimpleNamespace(monotonic=grid.clock))
    for name in ("one", "two"):
        grid.stub(name, slowly_says_no)
    problem_in(grid.balancer.post("/route", json=order()), 503, "no-substation")
    assert len(grid.network.calls) == 1
    assert set(grid.watts_held().values()) == {0}


def test_what_was_refused_by_all_waits_for_the_next_heartbeat_of_one_with_room(grid: Grid) -> None:
    grid.stub("one", says_no)
    assert grid.balancer.post("/route", json=order()).status_code == 202
    reply = grid.ledger.heartbeat(Heartbeat("one", "http://one", 1, 2, 100_000, 100_000))
    assert [(grant.session, grant.attempt) for grant in reply.grants] == [(order()["session_id"], 2)]
    assert attempts(grid.network.calls) == [(order()["session_id"], 1)]
    assert grid.watts_held() == {"one": 11_000}


def test_without_a_line_full_is_only_said_where_nothing_was_tried(grid: Grid, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grid.ledger, "_longest_line", 0)
    grid.stub("one", charges, limit_kw=11)
    route(grid)
    problem_in(grid.balancer.post("/route", json=order(1)), 503, "grid-full")
    grid.stub("two", says_no)
    problem_in(grid.balancer.post("/route", json=order(1)), 503, "no-substation")


def test_a_car_that_charges_already_is_not_sent_again(grid: Grid) -> None:
    one = grid.substation("one")
    route(grid)
    one.beat()
    grid.network.calls.clear()
    assert route(grid)[0]["state"] == "charging"
    assert grid.network.calls == []


def test_a_substation_is_told_all_it_needs(grid: Grid) -> None:
    grid.stub("one", charges)
    route(grid)
    (call,) = grid.network.calls
    assert (call.method, call.url) == ("POST", "http://one/charge")
    assert call.body == [{**order(), "attempt": 1, "substation": "one", "epoch": 1}]
