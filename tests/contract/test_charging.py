"""What drivers and fleets get: a session, its life, its end; the view of the grid."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import pytest
from werkzeug.test import TestResponse

from grid.ledger import LedgerConfig
from substation.station import Order, Verdict

from .conftest import CAR, RETRY_AFTER_S, SETTINGS, Grid, SubstationUnderTest, answers, problem_in, silent

HOUR_S = 3_600
TIME_SCALE = 60


def test_a_car_that_fits_charges_at_once(grid: Grid, one: SubstationUnderTest) -> None:
    response = grid.request_charge()
    assert response.status_code == 201
    session = body_of(response)
    assert response.headers["Location"] == f"/sessions/{session['session_id']}"
    assert session == {
        "status": 201,
        "session_id": session["session_id"],
        "state": "reserved",
        "substation": "one",
        "zone": "default",
        "vehicle_id": "ev-42",
        "power_kw": 11,
        "energy_kwh": 10,
        "accepted_at": "2027-01-15T08:00:00.000Z",
    }
    assert grid.watts_held() == {"one": 11_000}
    assert one.snapshot().drawn == 11_000


def test_only_the_vehicle_is_required(grid: Grid, one: SubstationUnderTest) -> None:
    session = body_of(grid.api.post("/request-charge", json={"vehicle_id": "ev-42"}))
    assert (session["power_kw"], session["energy_kwh"], session["zone"]) == (11, 10, "default")
    details = body_of(grid.api.get(f"/sessions/{session['session_id']}"))
    assert (details["ready_by"], details["priority"]) == (None, "normal")


@pytest.mark.parametrize(
    ("asked", "stored"),
    [
        ("2030-01-31T18:00:00Z", "2030-01-31T18:00:00.000Z"),
        ("2030-01-31T18:00:00.250Z", "2030-01-31T18:00:00.250Z"),
        ("2030-01-31T18:00:00+02:00", "2030-01-31T16:00:00.000Z"),
        ("2199-12-31T23:59:59Z", "2199-12-31T23:59:59.000Z"),
    ],
)
def test_ready_by_and_priority_are_kept(grid: Grid, one: SubstationUnderTest, asked: str, stored: str) -> None:
    response = grid.request_charge(ready_by=asked, priority="flexible")
    details = body_of(grid.api.get(response.headers["Location"]))
    assert (details["ready_by"], details["priority"]) == (stored, "flexible")


def test_a_car_charges_in_its_own_zone(grid: Grid, one: SubstationUnderTest) -> None:
    grid.substation("two", zone="north")
    session = body_of(grid.request_charge(zone="north"))
    assert (session["substation"], session["zone"]) == ("two", "north")
    assert (grid.watts_held("default"), grid.watts_held("north")) == ({"one": 0}, {"two": 11_000})


def test_a_session_is_seen_from_accepted_to_finished(grid: Grid, one: SubstationUnderTest) -> None:
    url = grid.request_charge(power_kw=10, energy_kwh=10).headers["Location"]
    assert seen(grid, url) == ("reserved", 0)
    one.beat()
    assert seen(grid, url) == ("charging", 0)
    grid.clock.advance(HOUR_S / TIME_SCALE / 2)
    one.beat()
    assert seen(grid, url) == ("charging", 5)
    grid.clock.advance(HOUR_S / TIME_SCALE / 2)
    one.beat()
    assert seen(grid, url) == ("finished", 10)
    assert grid.watts_held() == {"one": 0}


def test_cancelling_frees_the_watts_at_once_and_may_be_repeated(grid: Grid, one: SubstationUnderTest) -> None:
    url = grid.request_charge().headers["Location"]
    one.beat()
    for _ in range(2):
        response = grid.api.delete(url)
        assert response.status_code == 200
        assert body_of(response)["state"] == "cancelled"
        assert grid.watts_held() == {"one": 0}
        assert one.snapshot().drawn == 0
    one.beat()
    assert seen(grid, url) == ("cancelled", 0)
    assert grid.watts_held() == {"one": 0}


def test_a_cancel_tells_what_was_delivered(grid: Grid, one: SubstationUnderTest) -> None:
    url = grid.request_charge(power_kw=10, energy_kwh=10).headers["Location"]
    grid.clock.advance(HOUR_S / TIME_SCALE / 2)
    one.beat()
    assert grid.api.delete(url).status_code == 200
    assert seen(grid, url) == ("cancelled", 5)


def test_cancelling_what_has_finished_changes_nothing(grid: Grid, one: SubstationUnderTest) -> None:
    url = grid.request_charge().headers["Location"]
    grid.clock.advance(HOUR_S)
    one.beat()
    before = grid.ledger_dump()
    assert body_of(grid.api.delete(url))["state"] == "finished"
    assert grid.ledger_dump() == before


def test_while_its_substation_does_not_answer_a_cancelled_session_keeps_its_watts(grid: Grid) -> None:
    grid.stub("one", answers(201))
    url = grid.request_charge().headers["Location"]
    grid.network.hosts["one"] = silent
    assert body_of(grid.api.delete(url))["state"] == "cancelling"
    assert grid.watts_held() == {"one": 11_000}


def test_in_a_full_grid_a_car_waits_and_is_told_its_place(grid: Grid, one: SubstationUnderTest) -> None:
    for _ in range(9):
        assert grid.request_charge().status_code == 201
    response = grid.request_charge()
    assert response.status_code == 202
    body = body_of(response)
    assert response.headers["Location"] == f"/sessions/{body['session_id']}"
    assert (body["state"], body["position"], body["zone"]) == ("waiting", 1, "default")
    assert datetime.fromisoformat(body["estimated_start"]) > datetime.now(UTC)
    assert grid.watts_held() == {"one": 99_000}
    assert grid.request_charge(power_kw=1).status_code == 201, "the last kilowatt still fits"
    assert grid.watts_held() == {"one": 100_000}


def test_at_the_end_of_the_line_it_says_so_and_when_to_come_back(
    grid: Grid, one: SubstationUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grid.ledger, "_config", LedgerConfig(longest_line=1))
    assert [grid.request_charge(power_kw=90).status_code for _ in range(2)] == [201, 202]
    response = grid.request_charge(power_kw=90)
    problem = problem_in(response, 503, "grid-full")
    assert problem["retry_after_s"] == RETRY_AFTER_S
    assert response.headers["Retry-After"] == str(RETRY_AFTER_S)


def test_what_no_substation_is_built_for_is_a_wrong_field(grid: Grid, one: SubstationUnderTest) -> None:
    problem = problem_in(grid.request_charge(power_kw=101), 422, "too-powerful")
    assert [error["field"] for error in problem["errors"]] == ["power_kw"]
    fleet = grid.api.post("/request-charge", json=[CAR, {**CAR, "power_kw": 101}])
    assert [error["field"] for error in body_of(fleet)[1]["errors"]] == ["1.power_kw"]


def test_a_zone_without_substations_is_not_full_but_out_of_reach(grid: Grid) -> None:
    problem_in(grid.request_charge(), 503, "no-substation")


def test_a_fleet_is_answered_in_order_each_as_if_it_had_asked_alone(grid: Grid, one: SubstationUnderTest) -> None:
    fleet = [
        {**CAR, "vehicle_id": "a", "power_kw": 60},
        {**CAR, "vehicle_id": "b", "power_kw": "60"},
        {**CAR, "vehicle_id": "c", "power_kw": 60},
        {**CAR, "vehicle_id": "d", "power_kw": 40},
        {**CAR, "vehicle_id": "e", "zone": "south"},
    ]
    response = grid.api.post("/request-charge", json=fleet)
    assert response.status_code == 207
    assert [item["status"] for item in body_of(response)] == [201, 422, 202, 201, 422]
    assert [item.get("vehicle_id") for item in body_of(response)] == ["a", None, "c", "d", None]
    assert body_of(response)[1]["errors"][0]["field"] == "1.power_kw"
    assert body_of(response)[4]["errors"][0]["field"] == "4.zone"
    assert grid.watts_held() == {"one": 100_000}


def test_a_fleet_of_one_is_still_an_array(grid: Grid, one: SubstationUnderTest) -> None:
    response = grid.api.post("/request-charge", json=[CAR])
    assert response.status_code == 207
    assert [item["status"] for item in body_of(response)] == [201]


def test_a_fleet_over_two_zones_is_answered_in_order(grid: Grid, one: SubstationUnderTest) -> None:
    grid.substation("two", zone="north")
    zones = ["north", "default", "north", "default"]
    response = grid.api.post("/request-charge", json=[{**CAR, "zone": zone} for zone in zones])
    assert [item["zone"] for item in body_of(response)] == zones
    assert [item["substation"] for item in body_of(response)] == ["two", "one", "two", "one"]


def test_the_grid_shows_every_substation_and_the_totals(grid: Grid, one: SubstationUnderTest) -> None:
    grid.substation("two", limit_kw=300, zone="north")
    grid.request_charge(power_kw=50)
    assert body_of(grid.api.get("/grid")) == {
        "substations": [
            {
                "substation": "one",
                "zone": "default",
                "state": "up",
                "epoch": 1,
                "capacity_kw": 100,
                "limit_kw": 100,
                "committed_kw": 50,
                "headroom_kw": 50,
                "load": 0.5,
                "sessions": 1,
                "keeps_room_for": None,
            },
            {
                "substation": "two",
                "zone": "north",
                "state": "up",
                "epoch": 1,
                "capacity_kw": 300,
                "limit_kw": 300,
                "committed_kw": 0,
                "headroom_kw": 300,
                "load": 0,
                "sessions": 0,
                "keeps_room_for": None,
            },
        ],
        "totals": {"substations": 2, "limit_kw": 400, "committed_kw": 50, "load": 0.125, "sessions": 1, "waiting": 0},
        "waiting": {"default": 0, "north": 0},
    }


def test_an_empty_grid_is_no_error(grid: Grid) -> None:
    assert body_of(grid.api.get("/grid")) == {
        "substations": [],
        "totals": {"substations": 0, "limit_kw": 0, "committed_kw": 0, "load": 0, "sessions": 0, "waiting": 0},
        "waiting": {"default": 0, "north": 0},
    }


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


def body_of(response: TestResponse) -> Any:
    return response.get_json()


def seen(grid: Grid, url: str) -> tuple[str, float]:
    details = body_of(grid.api.get(url))
    return details["state"], details["delivered_kwh"]
