"""What a substation answers itself: its status, orders to charge, cancels."""

from collections.abc import Iterable
from typing import Any

import pytest

from substation.station import Order, Verdict

from .conftest import SETTINGS, Grid, SubstationUnderTest, body_of, problem_in


def test_a_substation_shows_what_it_really_carries(grid: Grid, one: SubstationUnderTest) -> None:
    session = body_of(grid.request_charge(power_kw=10, energy_kwh=10))
    grid.clock.advance(15)
    status = body_of(one.client.get("/status"))
    assert status["sessions"] == [
        {
            "session_id": session["session_id"],
            "attempt": 1,
            "vehicle_id": "ev-42",
            "watts": 10_000,
            "energy_wh": 10_000,
            "delivered_wh": 2_500,
        }
    ]
    assert (status["drawn_watts"], status["peak_watts"], status["limit_watts"]) == (10_000, 10_000, 100_000)
    assert (status["substation"], status["epoch"], status["overload_seconds"]) == ("one", 1, 0)


def test_a_substation_stops_a_car_that_charges_there(grid: Grid, one: SubstationUnderTest) -> None:
    session_id = body_of(grid.request_charge())["session_id"]
    response = one.client.delete(f"/charge/{session_id}?attempt=1")
    assert (response.status_code, body_of(response)["state"]) == (200, "cancelled")
    assert one.snapshot().drawn == 0
    problem_in(one.client.delete(f"/charge/{session_id}?attempt=1"), 404, "unknown-session")


def charge_order(**fields: Any) -> dict[str, Any]:
    return {
        "session_id": "default-" + "0" * 24,
        "attempt": 1,
        "substation": "one",
        "epoch": 1,
        "vehicle_id": "ev-42",
        "watts": 60_000,
        "energy_wh": 10_000,
        **fields,
    }


def test_a_substation_refuses_what_does_not_fit_and_remembers_it(one: SubstationUnderTest) -> None:
    assert one.client.post("/charge", json=charge_order()).status_code == 201
    second = charge_order(session_id="default-" + "1" * 24)
    for why in ("no-room", "cancelled-before"):
        problem = problem_in(one.client.post("/charge", json=second), 409, why)
        assert problem["session_id"] == second["session_id"]
    assert one.snapshot().drawn == 60_000


def test_a_substation_that_the_ledger_has_not_answered_for_long_starts_nothing(
    grid: Grid, one: SubstationUnderTest
) -> None:
    grid.touch.advance(SETTINGS.heartbeat_ttl_ms / 1000)
    problem_in(one.client.post("/charge", json=charge_order()), 503, "out-of-touch")
    assert one.snapshot().drawn == 0
    one.beat()
    problem_in(one.client.post("/charge", json=charge_order()), 409, "wrong-epoch")
    assert one.client.post("/charge", json=charge_order(epoch=2)).status_code == 201


@pytest.mark.parametrize("wrong", [{"epoch": 2}, {"substation": "two"}], ids=str)
def test_a_substation_refuses_what_is_meant_for_another_or_for_before(
    one: SubstationUnderTest, wrong: dict[str, Any]
) -> None:
    other = charge_order(session_id="default-" + "2" * 24, **wrong)
    response = one.client.post("/charge", json=[other, charge_order()])
    assert [(item["status"], item.get("type")) for item in body_of(response)] == [
        (409, "/problems/wrong-epoch"),
        (201, None),
    ]
    assert one.snapshot().drawn == 60_000


def test_a_substation_says_that_a_car_charges_whatever_epoch_is_asked_for(one: SubstationUnderTest) -> None:
    for epoch in (1, 2):
        assert one.client.post("/charge", json=charge_order(epoch=epoch)).status_code == 201
    assert one.snapshot().drawn == 60_000


@pytest.mark.parametrize("epoch_afterwards", [0, 2])
def test_a_new_epoch_in_the_middle_of_a_request_mixes_nothing_up(
    one: SubstationUnderTest, monkeypatch: pytest.MonkeyPatch, epoch_afterwards: int
) -> None:
    charge = one.station.charge

    def and_a_heartbeat_meanwhile(orders: Iterable[Order]) -> list[Verdict]:
        verdicts = charge(orders)
        one.heartbeats.epoch = epoch_afterwards
        return verdicts

    monkeypatch.setattr(one.station, "charge", and_a_heartbeat_meanwhile)
    ours, next_ones = charge_order(), charge_order(session_id="default-" + "1" * 24, epoch=2)
    response = one.client.post("/charge", json=[next_ones, ours])
    assert [item["status"] for item in body_of(response)] == [409, 201]
    assert [charging.order.session for charging in one.snapshot().charging] == [ours["session_id"]]


def test_a_substation_never_starts_what_was_cancelled_before(one: SubstationUnderTest) -> None:
    order = charge_order()
    problem_in(one.client.delete(f"/charge/{order['session_id']}?attempt=1"), 404, "unknown-session")
    problem_in(one.client.post("/charge", json=order), 409, "cancelled-before")
    assert one.snapshot().started == 0
