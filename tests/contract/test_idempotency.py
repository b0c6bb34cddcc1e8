"""The same Idempotency-Key is the same session, whoever repeats it, wherever, whenever."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier
from types import SimpleNamespace
from typing import Any

import pytest
from werkzeug.test import TestResponse

from grid.ledger import LedgerConfig
from grid.ledger.records import Heartbeat

from .conftest import CAR, Grid, SubstationUnderTest, problem_in

KEY = {"Idempotency-Key": "order 66"}


def post(grid: Grid, body: Any, key: dict[str, str] = KEY) -> TestResponse:
    return grid.api.application.test_client().post("/request-charge", json=body, headers=key)


def session_of(response: TestResponse) -> str:
    assert response.status_code == 201
    return str((response.get_json() or {})["session_id"])


def test_a_repeated_request_is_the_same_session(grid: Grid, one: SubstationUnderTest) -> None:
    first = post(grid, CAR)
    second = post(grid, CAR)
    one.beat()
    third = post(grid, CAR)
    assert first.get_json() == second.get_json() == {**(third.get_json() or {}), "state": "reserved"}
    assert (third.get_json() or {})["state"] == "charging"
    assert first.headers["Location"] == third.headers["Location"]
    assert grid.watts_held() == {"one": 11_000}
    assert one.snapshot().started == 1


def test_repeated_while_it_waits_for_room_it_is_not_refused(grid: Grid, one: SubstationUnderTest) -> None:
    first = session_of(post(grid, CAR))
    one.beat()
    grid.ledger.heartbeat(Heartbeat("one", "http://one", 2, 1, 5_000, 5_000, 0, 5_000))  # restarted, with less room
    again = post(grid, CAR).get_json() or {}
    assert (again["status"], again["session_id"], again["state"]) == (202, first, "waiting")


def test_repeated_when_it_was_cancelled_in_line_it_says_so(grid: Grid, one: SubstationUnderTest) -> None:
    grid.request_charge(power_kw=100)
    first = post(grid, CAR)
    assert first.status_code == 202
    grid.api.delete(first.headers["Location"])
    again = post(grid, CAR).get_json() or {}
    assert (again["status"], again["state"], again["substation"]) == (201, "cancelled", None)


def test_without_a_key_every_request_is_a_session_of_its_own(grid: Grid, one: SubstationUnderTest) -> None:
    assert session_of(post(grid, CAR, {})) != session_of(post(grid, CAR, {}))
    assert grid.watts_held() == {"one": 22_000}


@pytest.mark.parametrize("key", ["a", "x" * 255, "!~", "{grid:default}:load"])
def test_any_printable_ascii_is_a_key(grid: Grid, one: SubstationUnderTest, key: str) -> None:
    header = {"Idempotency-Key": key}
    assert session_of(post(grid, CAR, header)) == session_of(post(grid, CAR, header))
    assert session_of(post(grid, CAR, header)) != session_of(post(grid, CAR))


@pytest.mark.parametrize("other", [{"power_kw": 7}, {"energy_kwh": 7}, {"vehicle_id": "ev-7"}], ids=str)
def test_the_same_key_for_another_request_is_a_conflict(
    grid: Grid, one: SubstationUnderTest, other: dict[str, Any]
) -> None:
    first = session_of(post(grid, CAR))
    before = grid.ledger_dump()
    problem_in(post(grid, {**CAR, **other}), 422, "idempotency-conflict")
    assert grid.ledger_dump() == before
    assert session_of(post(grid, CAR)) == first


def test_a_repeated_fleet_is_the_same_sessions_in_order(grid: Grid, one: SubstationUnderTest) -> None:
    fleet = [CAR, {**CAR, "zone": "south"}, CAR]
    first = post(grid, fleet).get_json()
    assert post(grid, fleet).get_json() == first
    assert first[0]["session_id"] != first[2]["session_id"]
    assert grid.watts_held() == {"one": 22_000}


def test_what_was_refused_may_be_asked_for_again(
    grid: Grid, one: SubstationUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grid.ledger, "_config", LedgerConfig(longest_line=0))
    big = grid.request_charge(power_kw=100).headers["Location"]
    problem_in(post(grid, CAR), 503, "grid-full")
    grid.api.delete(big)
    session_of(post(grid, CAR))


def test_repeated_after_its_ready_by_time_it_is_still_the_same_session(
    grid: Grid, one: SubstationUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready_by = datetime.now(UTC) + timedelta(seconds=10)
    grid.clock.seconds = ready_by.timestamp() - 10
    car = {**CAR, "ready_by": ready_by.isoformat()}
    first = session_of(post(grid, car))
    monkeypatch.setattr("api.schemas.datetime", SimpleNamespace(now=lambda zone: ready_by + timedelta(seconds=1)))
    grid.clock.advance(11)
    assert session_of(post(grid, car)) == first
    problem = problem_in(post(grid, car, {"Idempotency-Key": "a new one"}), 422, "invalid-request")
    assert [error["field"] for error in problem["errors"]] == ["ready_by"]


def test_what_has_ended_is_not_started_again(grid: Grid, one: SubstationUnderTest) -> None:
    first = post(grid, CAR)
    grid.api.delete(first.headers["Location"])
    again = post(grid, CAR)
    assert session_of(again) == session_of(first)
    assert (again.get_json() or {})["state"] == "cancelled"
    assert grid.watts_held() == {"one": 0}
    assert one.snapshot().started == 1


def test_at_the_same_moment_from_many_threads_it_is_one_session(grid: Grid, one: SubstationUnderTest) -> None:
    responses = at_once(8, lambda: post(grid, CAR))
    assert len({session_of(response) for response in responses}) == 1
    assert grid.watts_held() == {"one": 11_000}
    assert (one.snapshot().started, one.snapshot().drawn) == (1, 11_000)


def test_many_threads_never_take_more_than_there_is(grid: Grid) -> None:
    substations = [grid.substation(name, limit_kw=25) for name in ("one", "two")]
    statuses = [response.status_code for response in at_once(8, lambda: post(grid, CAR, {}))]
    assert sorted(statuses) == [201] * 4 + [202] * 4
    assert grid.watts_held() == {"one": 22_000, "two": 22_000}
    assert [substation.snapshot().peak for substation in substations] == [22_000, 22_000]


def at_once(times: int, ask: Callable[[], TestResponse]) -> list[TestResponse]:
    barrier = Barrier(times)

    def after_the_others_are_ready(_: int) -> TestResponse:
        barrier.wait()
        return ask()

    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(after_the_others_are_ready, range(times)))
