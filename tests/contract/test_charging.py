"""What drivers and fleets get: a session, its life, its end; the view of the grid."""

from datetime import UTC, datetime

import pytest

from grid.ledger import LedgerConfig

from .conftest import CAR, RETRY_AFTER_S, Grid, SubstationUnderTest, answers, body_of, problem_in, silent

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


def seen(grid: Grid, url: str) -> tuple[str, float]:
    details = body_of(grid.api.get(url))
    return details["state"], details["delivered_kwh"]
