"""What the public request becomes inside: whole watts, watt-hours and milliseconds."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from api.schemas import ChargeRequest
from balancer.schemas import MAX_WATT_HOURS, MAX_WATTS, RouteRequest

ZONES = ("default", "north")


def parsed(**fields: Any) -> ChargeRequest:
    return ChargeRequest.model_validate({"vehicle_id": "ev-42", **fields}, context={"zones": ZONES})


@pytest.mark.parametrize(
    ("kilo", "whole"), [(1, 1_000), (11, 11_000), (3.7, 3_700), (1.0004, 1_000), (1.0006, 1_001), (1_000, 1_000_000)]
)
def test_kilowatts_become_whole_watts(kilo: float, whole: int) -> None:
    request = parsed(power_kw=kilo, energy_kwh=kilo)
    assert (request.watts, request.energy_wh) == (whole, whole)


@pytest.mark.parametrize(
    ("ready_by", "ms"),
    [
        (None, None),
        ("2030-01-31T18:00:00Z", 1_896_112_800_000),
        ("2030-01-31t18:00:00z", 1_896_112_800_000),
        ("2030-01-31 18:00:00+00:00", 1_896_112_800_000),
        ("2030-01-31T18:00Z", 1_896_112_800_000),
        ("2030-01-31T20:00:00.123456+02:00", 1_896_112_800_123),
    ],
)
def test_a_time_becomes_milliseconds(ready_by: str | None, ms: int | None) -> None:
    assert parsed(ready_by=ready_by).ready_by_ms == ms


def test_now_is_not_the_future() -> None:
    now = datetime.now(UTC)
    with pytest.raises(ValidationError, match="must be in the future"):
        parsed(ready_by=now.isoformat())
    assert parsed(ready_by=(now + timedelta(minutes=1)).isoformat()).ready_by is not None


@settings(max_examples=50, deadline=None)
@given(
    st.builds(
        dict,
        power_kw=st.floats(1, 1_000) | st.integers(1, 1_000),
        energy_kwh=st.floats(0.001, 1_000),
        vehicle_id=st.from_regex(r"[A-Za-z0-9][A-Za-z0-9 ._:-]{0,63}", fullmatch=True),
        priority=st.sampled_from(["emergency", "normal", "flexible"]),
        ready_by=st.none()
        | st.datetimes(datetime(2100, 1, 1), datetime(2199, 12, 30)).map(lambda moment: f"{moment.isoformat()}-12:00"),
    )
)
def test_whatever_the_api_takes_a_balancer_takes(fields: dict[str, Any]) -> None:
    """Else one car could make a balancer refuse the whole fleet."""
    request = parsed(**fields)
    assert 1 <= request.watts <= MAX_WATTS
    assert 1 <= request.energy_wh <= MAX_WATT_HOURS
    order = {
        "session_id": "default-" + "0" * 24,
        "vehicle_id": request.vehicle_id,
        "watts": request.watts,
        "energy_wh": request.energy_wh,
        "ready_by": request.ready_by_ms,
        "priority": request.priority,
    }
    RouteRequest.model_validate(order, context={"zones": ZONES})
