"""From W, Wh and ms to kW, kWh and RFC 3339."""

import pytest

from api import units

SESSION = {
    "session_id": "north-" + "0" * 24,
    "state": "charging",
    "substation": "one",
    "vehicle_id": "ev-42",
    "watts": 11_001,
    "energy_wh": 10_500,
    "delivered_wh": 1,
    "attempt": 2,
    "accepted": 1_800_000_000_001,
    "ready_by": None,
    "priority": "normal",
    "waited_ms": None,
    "interruptions": 0,
    "interrupted_by": None,
    "position": None,
    "expected_wait_ms": None,
}


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (1_800_000_000_001, "2027-01-15T08:00:00.001Z"),
        (1_709_251_199_999, "2024-02-29T23:59:59.999Z"),
        (7_258_118_399_999, "2199-12-31T23:59:59.999Z"),
    ],
)
def test_milliseconds_become_a_utc_timestamp(ms: int, text: str) -> None:
    assert units.rfc3339(ms) == text


def test_a_session_is_told_in_kw_and_kwh() -> None:
    assert units.session(SESSION) == {
        "session_id": SESSION["session_id"],
        "state": "charging",
        "substation": "one",
        "position": None,
        "estimated_start": None,
        "zone": "north",
        "vehicle_id": "ev-42",
        "power_kw": 11.001,
        "energy_kwh": 10.5,
        "delivered_kwh": 0.001,
        "accepted_at": "2027-01-15T08:00:00.001Z",
        "ready_by": None,
        "priority": "normal",
        "waited_s": None,
        "interruptions": 0,
        "interrupted_by": None,
    }
    assert units.session({**SESSION, "waited_ms": 1_500})["waited_s"] == 1.5
    assert units.session({**SESSION, "ready_by": 1_800_000_000_000})["ready_by"] == "2027-01-15T08:00:00.000Z"


def test_one_that_waits_has_a_place_in_line_and_no_substation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.units.time.time", lambda: 1_800_000_000.0)
    told = units.session({**SESSION, "state": "waiting", "position": 3, "expected_wait_ms": 60_001})
    assert (told["substation"], told["position"], told["estimated_start"]) == (None, 3, "2027-01-15T08:01:00.001Z")


def test_a_start_that_is_centuries_away_is_still_a_time() -> None:
    told = units.place_in_line({"position": 1, "expected_wait_ms": 10**15})
    assert told["estimated_start"] == "2200-01-01T00:00:00.000Z"


def substation(**values: object) -> dict[str, object]:
    row = {"substation": "one", "zone": "default", "state": "up", "epoch": 1, "capacity": 120_000, "limit": 100_000}
    return {**row, "committed": 33_333, "headroom": 66_667, "load": 0.33333, "sessions": 3, **values}


def test_the_grid_is_told_with_its_totals() -> None:
    other = substation(limit=50_000, committed=60_000, headroom=0, load=1.2, sessions=4)
    told = units.grid({"substations": [substation(), other], "waiting": {"default": 2, "north": 3}})
    assert told["totals"] == {
        "substations": 2,
        "limit_kw": 150,
        "committed_kw": 93.333,
        "load": 0.6222,
        "sessions": 7,
        "waiting": 5,
    }
    assert told["waiting"] == {"default": 2, "north": 3}
    one, two = told["substations"]
    assert (one["capacity_kw"], one["limit_kw"], one["committed_kw"], one["load"]) == (120, 100, 33.333, 0.3333)
    assert (one["headroom_kw"], two["headroom_kw"]) == (66.667, 0)


def test_a_grid_that_may_carry_nothing_has_no_load() -> None:
    told = units.grid({"substations": [substation(limit=0, committed=0)], "waiting": {}})
    assert told["totals"]["load"] == 0
