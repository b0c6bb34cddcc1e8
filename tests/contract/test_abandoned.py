"""A session whose caller got only errors must not charge."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from redis.exceptions import TimeoutError
from werkzeug.test import TestResponse

import api.app
from api.abandoned import Abandoned, AbandonedError
from api.balancer import BalancerClient
from grid.ledger import LedgerConfig
from grid.ledger.records import Request

from .conftest import CAR, SETTINGS, Call, Grid, SubstationUnderTest, problem_in, silent


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Abandoned]:
    """Those of each api that is created from now on."""
    made: list[Abandoned] = []

    def remembered(balancer: BalancerClient) -> Abandoned:
        made.append(Abandoned(balancer))
        return made[-1]

    monkeypatch.setattr("api.app.Abandoned", remembered)
    return made


@pytest.fixture
def app(grid: Grid, made: list[Abandoned]) -> Flask:
    return api.app.create_app(SETTINGS)


@pytest.fixture
def clean_up(app: Flask, made: list[Abandoned]) -> Callable[[], None]:
    """What the api does in the background."""
    return made[0].cancel_all


def ask(app: Flask, headers: dict[str, str] | None = None, body: Any = CAR) -> TestResponse:
    return app.test_client().post("/request-charge", json=body, headers=headers)


@pytest.fixture
def reply_is_lost(grid: Grid, monkeypatch: pytest.MonkeyPatch) -> None:
    """The script ran, and no balancer hears of it."""
    reserve = grid.ledger._scripts["reserve"]

    def runs_and_times_out(**sent: Any) -> None:
        reserve(**sent)
        raise TimeoutError("timed out")

    monkeypatch.setitem(grid.ledger._scripts, "reserve", runs_and_times_out)


@pytest.mark.usefixtures("reply_is_lost")
def test_when_the_reply_of_reserve_is_lost_the_session_is_cancelled(
    grid: Grid, one: SubstationUnderTest, app: Flask, clean_up: Callable[[], None]
) -> None:
    problem = problem_in(ask(app), 503, "ledger-unavailable")
    assert "in_doubt" not in problem
    assert grid.watts_held() == {"one": 11_000}, "it was reserved"
    clean_up()
    one.beat()
    assert (grid.watts_held(), one.snapshot().drawn) == ({"one": 0}, 0)
    assert grid.ledger.states() == {"cancelled": 1}


@pytest.mark.usefixtures("reply_is_lost")
def test_of_a_fleet_each_one_is(grid: Grid, one: SubstationUnderTest, app: Flask, clean_up: Callable[[], None]) -> None:
    assert ask(app, body=[CAR, {}, CAR]).status_code == 207
    clean_up()
    assert grid.ledger.states() == {"cancelled": 2}


@pytest.mark.usefixtures("reply_is_lost")
def test_with_an_idempotency_key_it_is_left_to_the_repetition(
    grid: Grid, one: SubstationUnderTest, app: Flask, clean_up: Callable[[], None]
) -> None:
    ask(app, {"Idempotency-Key": "again"})
    clean_up()
    assert grid.ledger.states() == {"reserved": 1}


def test_a_request_that_reaches_a_balancer_after_it_was_abandoned_starts_nothing(
    grid: Grid, one: SubstationUnderTest, app: Flask, clean_up: Callable[[], None]
) -> None:
    """Every balancer hangs with it in its buffer; later all of them wake."""
    late: list[Call] = []
    awake = grid.network.hosts["balancer"]

    def hangs(call: Call) -> Any:
        late.append(call)
        return silent(call)

    grid.network.hosts["balancer"] = hangs
    problem_in(ask(app), 503, "balancer-unavailable")
    grid.network.hosts["balancer"] = awake
    clean_up()
    for call in late:
        awake(call)
    one.beat()
    assert (grid.watts_held(), one.snapshot().drawn) == ({"one": 0}, 0)


def test_it_is_repeated_until_a_balancer_has_done_it(
    grid: Grid, one: SubstationUnderTest, app: Flask, clean_up: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as away:
        away.setitem(grid.ledger._scripts, "reserve", times_out)
        away.setitem(grid.ledger._scripts, "cancel", times_out)
        ask(app)
        for _ in range(2):
            with pytest.raises(AbandonedError, match="a balancer answered 503"):
                clean_up()
    grid.ledger.ping()  # Redis answers again
    clean_up()
    assert grid.ledger.states() == {"cancelled": 1}
    grid.network.calls.clear()
    clean_up()
    assert grid.network.calls == []


def test_what_a_second_balancer_has_no_room_for_the_first_may_have_placed(
    grid: Grid, one: SubstationUnderTest, app: Flask, clean_up: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grid.ledger, "_config", LedgerConfig(longest_line=0))
    awake, calls = grid.network.hosts["balancer"], 0

    def the_first_is_silent(call: Call) -> Any:
        nonlocal calls
        calls += 1
        return silent(call) if calls == 1 else awake(call)

    grid.ledger.reserve([Request("default-all", "ev", 100_000, 10_000)])
    grid.network.hosts["balancer"] = the_first_is_silent
    problem_in(ask(app), 503, "grid-full")
    clean_up()
    assert grid.ledger.states() == {"reserved": 1, "cancelled": 1}


def test_what_a_proxy_asked_two_balancers_for_the_first_may_have_placed(
    grid: Grid, one: SubstationUnderTest, app: Flask, clean_up: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grid.ledger, "_config", LedgerConfig(longest_line=0))
    answer = grid.network.hosts["balancer"]
    grid.ledger.reserve([Request("default-all", "ev", 100_000, 10_000)])
    grid.network.hosts["balancer"] = lambda call: replace(answer(call), in_doubt=True)
    problem_in(ask(app), 503, "grid-full")
    clean_up()
    assert grid.ledger.states() == {"reserved": 1, "cancelled": 1}


def test_a_request_that_fails_while_the_api_stops_is_cancelled_too(
    grid: Grid, made: list[Abandoned], app: Flask
) -> None:
    made[0].close()
    made[0].add([f"default-{0:024}"])
    assert grid.ledger.states() == {"cancelled": 1}


def test_two_that_cancel_at_once_leave_none_out(grid: Grid, made: list[Abandoned], app: Flask) -> None:
    made[0].add(f"default-{number:024}" for number in range(50))
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(made[0].cancel_all) for _ in range(4)]:
            done.result()
    told = [call.path for call in grid.network.calls]
    assert len(told) == len(set(told)) == 50


@pytest.mark.parametrize("why", ["full", "wrong", "no balancer"])
def test_what_surely_was_not_placed_is_no_reason_to_call_again(
    grid: Grid, app: Flask, clean_up: Callable[[], None], why: str
) -> None:
    if why == "no balancer":
        del grid.network.hosts["balancer"]
    ask(app, body={} if why == "wrong" else CAR)
    grid.network.calls.clear()
    clean_up()
    assert grid.network.calls == []


def test_there_are_bounds_and_what_is_too_much_is_logged(
    grid: Grid, made: list[Abandoned], app: Flask, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.abandoned.MAX_ABANDONED", 2)
    made[0].add(f"default-{number:024}" for number in range(3))
    assert f"default-{2:024} will not be cancelled" in caplog.text
    caplog.clear()
    made[0].close()
    assert grid.ledger.states() == {"cancelled": 2}


def test_when_it_stops_it_logs_what_it_could_not_cancel(
    grid: Grid, made: list[Abandoned], app: Flask, caplog: pytest.LogCaptureFixture
) -> None:
    del grid.network.hosts["balancer"]
    made[0].add([f"default-{0:024}"])
    made[0].close()
    assert f"not cancelled, and may charge: default-{0:024} (no balancer answered in time)" in caplog.text
    caplog.clear()


def times_out(**_: Any) -> Sequence[Any]:
    raise TimeoutError("timed out")
