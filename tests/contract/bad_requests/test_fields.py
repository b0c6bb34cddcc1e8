"""A field with a wrong value: 422, which names it."""

import json
from typing import Any

import pytest

from ..conftest import CAR
from .conftest import API, BALANCER, INTERNAL, ORDER, POSTS, SUBSTATION, Post, Services, fields

NUMBERS = [
    (API, "power_kw"),
    (API, "energy_kwh"),
    (BALANCER, "watts"),
    (BALANCER, "energy_wh"),
    (BALANCER, "ready_by"),
    (SUBSTATION, "watts"),
    (SUBSTATION, "energy_wh"),
    (SUBSTATION, "attempt"),
    (SUBSTATION, "epoch"),
]


def with_field(good: dict[str, Any], field: str, value: str) -> str:
    """A good body with one field replaced by this JSON text (which Python could not write: 1e400, NaN)."""
    return json.dumps({**good, field: "@"}).replace('"@"', value)


@pytest.mark.parametrize(("post", "field"), NUMBERS, ids=lambda value: str(value))
@pytest.mark.parametrize(
    "value",
    [
        pytest.param('"11"', id="a number in quotes"),
        pytest.param("true", id="true"),
        pytest.param("[11]", id="a list"),
        pytest.param('{"kw": 11}', id="an object"),
        pytest.param("[" * 300 + "]" * 300, id="nested"),
        pytest.param("-1", id="-1"),
        pytest.param("-0.5", id="-0.5"),
        pytest.param("1e400", id="1e400"),
        pytest.param("-1e400", id="-1e400"),
        pytest.param("1" + "0" * 30, id="10**30"),
        pytest.param("1" + "0" * 400, id="10**400"),
    ],
)
def test_a_wrong_number_is_refused(services: Services, post: Post, field: str, value: str) -> None:
    assert fields(services.post(post, with_field(post.good, field, value))) == [field]


@pytest.mark.parametrize(
    ("post", "field"), [case for case in NUMBERS if case != (BALANCER, "ready_by")], ids=lambda value: str(value)
)
@pytest.mark.parametrize("value", ["null", "0"])
def test_null_and_zero_are_refused(services: Services, post: Post, field: str, value: str) -> None:
    assert fields(services.post(post, with_field(post.good, field, value))) == [field]


@pytest.mark.parametrize("post", INTERNAL, ids=str)
@pytest.mark.parametrize("value", ["11000.5", "1000001"])
def test_watts_are_whole_and_at_most_a_megawatt(services: Services, post: Post, value: str) -> None:
    assert fields(services.post(post, with_field(post.good, "watts", value))) == ["watts"]


@pytest.mark.parametrize(
    ("field", "value"),
    [("power_kw", "0.999"), ("power_kw", "1000.001"), ("energy_kwh", "0.0009"), ("energy_kwh", "1000.001")],
)
def test_the_api_takes_1_to_1000_kw_and_1_wh_to_1000_kwh(services: Services, field: str, value: str) -> None:
    assert fields(services.post(API, with_field(CAR, field, value))) == [field]


@pytest.mark.parametrize("post", POSTS, ids=str)
@pytest.mark.parametrize(
    "value",
    [
        pytest.param('""', id="empty"),
        pytest.param("7", id="a number"),
        pytest.param("null", id="null"),
        pytest.param('["ev-42"]', id="a list"),
        pytest.param(json.dumps("x" * 129), id="too long"),
        pytest.param(json.dumps("x" * 900_000), id="far too long"),
        pytest.param(r'"ev\u000042"', id="NUL"),
        pytest.param(r'"ev-42\n"', id="a line break at the end"),
        pytest.param(r'"\ud800"', id="half a character"),
        pytest.param('"ev|42"', id="the ledger's separator"),
    ],
)
def test_a_wrong_vehicle_id_is_refused(services: Services, post: Post, value: str) -> None:
    assert fields(services.post(post, with_field(post.good, "vehicle_id", value))) == ["vehicle_id"]


@pytest.mark.parametrize(
    "value",
    [
        pytest.param('"2030-01-31T18:00:00"', id="no zone"),
        pytest.param('"2030-01-31"', id="a date"),
        pytest.param('"2020-01-31T18:00:00Z"', id="past"),
        pytest.param('"0001-01-01T00:00:00+23:59"', id="before all time"),
        pytest.param('"2200-01-01T00:00:00Z"', id="2200"),
        pytest.param('"9999-12-31T23:59:59-12:00"', id="after all time"),
        pytest.param('"2030-02-31T18:00:00Z"', id="31 February"),
        pytest.param('"2030-01-31T18:00:00+99:00"', id="a wrong zone"),
        pytest.param("1893456000", id="seconds"),
        pytest.param('"1893456000"', id="seconds in quotes"),
        pytest.param('"1893456000000"', id="milliseconds in quotes"),
        pytest.param('"tomorrow"', id="a word"),
        pytest.param('""', id="empty"),
        pytest.param('"2030-01-31T18:00:00Z\\u0000"', id="NUL"),
        pytest.param("true", id="true"),
        pytest.param("[]", id="a list"),
    ],
)
def test_a_wrong_ready_by_is_refused(services: Services, value: str) -> None:
    assert fields(services.post(API, with_field(CAR, "ready_by", value))) == ["ready_by"]


def test_a_ready_by_that_no_key_can_mean_spoils_no_other_car(services: Services) -> None:
    fleet = [{**CAR, "zone": "south"}, {**CAR, "ready_by": "1969-12-31T23:59:59Z"}]
    response = services.post(API, json.dumps(fleet), headers={"Idempotency-Key": "k"})
    assert response.status_code == 207
    errors = [item["errors"][0] for item in response.json or []]
    assert [error["field"] for error in errors] == ["0.zone", "1.ready_by"]
    assert errors[1]["message"] == "must be in 1970 to 2199"


@pytest.mark.parametrize("post", [API, BALANCER], ids=str)
@pytest.mark.parametrize("value", ['"urgent"', '"NORMAL"', '""', "1", "null", '["normal"]'])
def test_a_wrong_priority_is_refused(services: Services, post: Post, value: str) -> None:
    assert fields(services.post(post, with_field(post.good, "priority", value))) == ["priority"]


@pytest.mark.parametrize("value", ['"south"', '""', '"DEFAULT"', "5", '["default"]'])
def test_a_zone_that_is_not_served_is_refused(services: Services, value: str) -> None:
    assert fields(services.post(API, with_field(CAR, "zone", value))) == ["zone"]


@pytest.mark.parametrize(
    "session_id",
    ["", "default", "default-" + "0" * 23, "default-" + "g" * 24, "default-" + "A" * 24, f"south-{'0' * 24}"],
)
def test_a_balancer_refuses_what_is_no_session_of_its_zones(services: Services, session_id: str) -> None:
    assert fields(services.post(BALANCER, json.dumps({**ORDER, "session_id": session_id}))) == ["session_id"]


@pytest.mark.parametrize(
    "key",
    [
        pytest.param("", id="empty"),
        pytest.param("x" * 256, id="too long"),
        pytest.param("a\tb", id="a tab"),
        pytest.param("a\x7f", id="DEL"),
        pytest.param("clé", id="Latin-1"),
        pytest.param("🔑".encode().decode("latin-1"), id="UTF-8"),
    ],
)
def test_a_wrong_idempotency_key_is_refused(services: Services, key: str) -> None:
    response = services.post(API, json.dumps(CAR), headers={"Idempotency-Key": key})
    assert fields(response) == ["Idempotency-Key"]
