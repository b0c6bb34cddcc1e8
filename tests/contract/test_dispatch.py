"""What a balancer does when a substation says no, or nothing, or when the ledger is lost in between."""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from grid.http import Reply
from grid.ledger import Heartbeat, LedgerUnavailable, Listed, Release, ReleaseOutcome, Request
from grid.ledger.keys import key

from .conftest import (
    RETRY_AFTER_S,
    SETTINGS,
    Answerer,
    Call,
    Grid,
    answers,
    in_turn,
    problem_in,
    silent,
    unreachable,
)

charges, says_no, fails = answers(201), answers(409), answers(500)


def only_status(status: int) -> Answerer:
    """One answer to all of an array."""
    return lambda call: Reply(status, {"status": status})


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


@pytest.fixture(params=[0, 1], ids=["in time", "at the last moment"])
def late_s(request: pytest.FixtureRequest, grid: Grid, monkeypatch: pytest.MonkeyPatch) -> float:
    """How long a substation takes: nothing, or so long that no further round follows."""
    monkeypatch.setattr("balancer.dispatch.time", SimpleNamespace(monotonic=grid.clock))
    return float(request.param * SETTINGS.route_budget_ms / 1000 * 0.6)


def test_what_a_heartbeat_has_confirmed_meanwhile_charges(grid: Grid, late_s: float) -> None:
    """The answers are lost, but the substation started the car and told the ledger before it was given up."""

    def starts_but_the_answer_is_lost(call: Call) -> Reply:
        (item,) = call.body
        grid.clock.advance(late_s)
        running = Listed(item["session_id"], item["attempt"], item["watts"], item["energy_wh"], 0, item["vehicle_id"])
        number = len(grid.network.calls) + 1
        grid.ledger.heartbeat(
            Heartbeat("one", "http://one", item["epoch"], number, 100_000, 100_000, sessions=[running])
        )
        return silent(call)

    grid.stub("one", starts_but_the_answer_is_lost)
    (decided,) = route(grid)
    assert (decided["status"], decided["state"], decided["substation"]) == (201, "charging", "one")
    assert grid.watts_held() == {"one": 11_000}


def test_what_its_owner_cancelled_meanwhile_is_not_served_elsewhere(grid: Grid, first: str, late_s: float) -> None:
    def cancelled_meanwhile(call: Call) -> Reply:
        grid.clock.advance(late_s * 2)
        grid.network.hosts[first] = answers(404)
        grid.balancer.delete(f"/sessions/{order()['session_id']}")
        return says_no(call)

    grid.network.hosts[first] = cancelled_meanwhile
    (decided,) = route(grid)
    assert (decided["status"], decided["state"]) == (201, "cancelled")
    assert grid.network.calls_to("twin") == []
    assert grid.watts_held() == {first: 0, "twin": 1_000}


def test_when_the_ledger_is_lost_in_the_middle_those_that_started_are_served(
    grid: Grid, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(releases: Sequence[Release]) -> list[str]:
        raise LedgerUnavailable("gone")

    grid.stub("kind", charges)
    grid.stub("strict", says_no)
    monkeypatch.setattr(grid.ledger, "release", lost)
    decided = route(grid, *[order(number) for number in range(4)])
    started = [item for item in decided if item["status"] == 201]
    rest = [item for item in decided if item["status"] != 201]
    assert [item["substation"] for item in started] == ["kind"] * 2
    assert [item["type"] for item in rest] == ["/problems/ledger-unavailable"] * 2
    assert [item["retry_after_s"] for item in rest] == [RETRY_AFTER_S] * 2
    assert all("gone" in item["detail"] for item in rest)
    assert grid.watts_held() == {"kind": 22_000, "strict": 22_000}, "until the sweep finds them unconfirmed"


def test_a_batch_is_one_script_and_one_post_per_substation(grid: Grid, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["one", "two", "three"]
    for name in names:
        grid.stub(name, charges)
    grid.ledger.reserve([])  # from now on Redis knows the script
    commands: Counter[str] = Counter()
    execute: Callable[..., Any] = grid.redis.execute_command

    def counting(*command: Any, **options: Any) -> Any:
        commands[command[0]] += 1
        return execute(*command, **options)

    monkeypatch.setattr(grid.redis, "execute_command", counting)
    decided = route(grid, *[order(number, watts=5_000) for number in range(48)])
    assert {item["status"] for item in decided} == {201}
    assert commands == {"EVALSHA": 1}
    assert Counter(call.url for call in grid.network.calls) == {f"http://{name}/charge": 1 for name in names}
    assert sorted(attempts(grid.network.calls)) == [(order(number)["session_id"], 1) for number in range(48)]
    assert grid.watts_held() == dict.fromkeys(names, 80_000)


def test_of_a_batch_only_what_was_refused_moves_on(grid: Grid) -> None:
    grid.stub("one", charges)
    grid.stub("two", lambda call: Reply(207, [{"status": 409 if i else 201} for i, _ in enumerate(call.body)]))
    decided = route(grid, *[order(number, watts=10_000) for number in range(6)])
    assert [item["status"] for item in decided] == [201] * 6
    assert Counter(item["substation"] for item in decided) == {"one": 5, "two": 1}
    assert grid.watts_held() == {"one": 50_000, "two": 10_000}
    assert Counter(attempt for _, attempt in attempts(grid.network.calls)) == {1: 6, 2: 2}


def test_the_same_session_twice_in_a_batch_is_one(grid: Grid) -> None:
    grid.stub("one", charges)
    decided = route(grid, order(), order(), order(watts=12_000))
    assert [item["status"] for item in decided] == [201, 201, 422]
    assert decided[0] == decided[1]
    assert grid.watts_held() == {"one": 11_000}


def test_the_same_session_twice_in_a_batch_is_given_back_once(grid: Grid) -> None:
    grid.stub("one", says_no)
    assert [item["status"] for item in route(grid, order(), order())] == [202, 202]
    assert grid.watts_held() == {"one": 0}


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


@pytest.mark.parametrize(
    "answerer",
    [answers(200), lambda call: Reply(404, {"type": "/problems/unknown-session"})],
    ids=["stopped", "does not charge there"],
)
def test_cancelling_tells_the_substation_which_attempt(grid: Grid, answerer: Answerer) -> None:
    grid.stub("one", charges)
    route(grid)
    grid.network.calls.clear()
    grid.network.hosts["one"] = answerer
    response = grid.balancer.delete(f"/sessions/{order()['session_id']}")
    assert json.loads(response.data)["state"] == "cancelled"
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
    response = grid.balancer.delete(f"/sessions/{order()['session_id']}")
    assert json.loads(response.data)["state"] == "cancelled"
    assert grid.watts_held() == {first: 0, "twin": 1_000}
    (told,) = grid.network.calls_to("twin")
    assert told.path == f"/charge/{order()['session_id']}?attempt=2"


def test_cancelling_what_holds_no_watts_bothers_no_substation(grid: Grid) -> None:
    grid.stub("one", says_no)
    grid.balancer.post("/route", json=order())
    grid.network.calls.clear()
    for _ in range(2):
        response = grid.balancer.delete(f"/sessions/{order()['session_id']}")
        assert json.loads(response.data)["state"] == "cancelled"
    assert grid.network.calls == []


@pytest.mark.parametrize("answerer", [silent, unreachable, fails, answers(422), answers(404), answers(599)])
def test_a_cancel_that_did_not_get_through_is_left_to_the_heartbeat(grid: Grid, answerer: Answerer) -> None:
    grid.stub("one", charges)
    route(grid)
    grid.network.hosts["one"] = answerer
    response = grid.balancer.delete(f"/sessions/{order()['session_id']}")
    assert json.loads(response.data)["state"] == "unsettled"
    assert grid.watts_held() == {"one": 11_000}
