"""Whatever is wrong with a request: a 4xx problem that names the field, nothing reserved, nothing in the error log."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from .conftest import CAR, SETTINGS, Grid, SubstationUnderTest, problem_in

SESSION = "default-" + "0" * 24
ORDER = {"session_id": SESSION, "vehicle_id": "ev-42", "watts": 11_000, "energy_wh": 10_000}
CHARGE = {**ORDER, "attempt": 1, "substation": "one", "epoch": 1}


@dataclass(frozen=True)
class Post:
    service: str
    path: str
    good: dict[str, Any]
    required: tuple[str, ...]

    def __str__(self) -> str:
        return self.service


API = Post("api", "/request-charge", CAR, ("vehicle_id",))
BALANCER = Post("balancer", "/route", ORDER, tuple(ORDER))
SUBSTATION = Post("substation", "/charge", CHARGE, tuple(CHARGE))
POSTS = (API, BALANCER, SUBSTATION)
INTERNAL = (BALANCER, SUBSTATION)


@dataclass
class Services:
    grid: Grid
    one: SubstationUnderTest

    def of(self, service: str) -> FlaskClient:
        return {"api": self.grid.api, "balancer": self.grid.balancer, "substation": self.one.client}[service]

    def post(self, post: Post, body: bytes | str, content_type: str = "application/json", **more: Any) -> TestResponse:
        return self.of(post.service).post(post.path, data=body, content_type=content_type, **more)


@pytest.fixture(scope="module")
def same_services() -> Iterator[Services]:
    # One grid for all: nothing that a test of this module does may leave a trace.
    with pytest.MonkeyPatch.context() as monkeypatch:
        grid = Grid(monkeypatch)
        yield Services(grid, grid.substation("one", limit_kw=100))


@pytest.fixture(autouse=True)
def services(same_services: Services) -> Iterator[Services]:
    """All three; when the test is done, nothing must have happened."""
    before = same_services.grid.ledger_dump()
    yield same_services
    assert same_services.grid.ledger_dump() == before
    after = same_services.one.snapshot()
    assert (after.charging, after.started, after.drawn) == ([], 0, 0)


def with_field(good: dict[str, Any], field: str, value: str) -> str:
    """A good body with one field replaced by this JSON text (which Python could not write: 1e400, NaN)."""
    return json.dumps({**good, field: "@"}).replace('"@"', value)


@pytest.mark.parametrize("post", POSTS, ids=str)
@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b'{"vehicle_id": ', id="cut off"),
        pytest.param(b"vehicle_id=ev-42", id="a form"),
        pytest.param(b'{"vehicle_id": "ev-42"} {}', id="two objects"),
        pytest.param(b'{"vehicle_id": "\xff"}', id="invalid UTF-8"),
        pytest.param(b'{"vehicle_id": "a\x00b"}', id="a raw NUL"),
        pytest.param(b"\x00" * 100, id="NULs"),
        pytest.param(b'{"vehicle_id": NaN}', id="NaN"),
        pytest.param(b'{"vehicle_id": Infinity}', id="Infinity"),
        pytest.param(b'{"vehicle_id": -Infinity}', id="-Infinity"),
        pytest.param(b'{"vehicle_id": ' + b"1" * 5_000 + b"}", id="5000 digits"),
        pytest.param(b"[" * 100_000, id="deep arrays"),
        pytest.param(b'{"a":' * 100_000, id="deep objects"),
        pytest.param(b"\x1f\x8b\x08\x00\x00\x00\x00\x00", id="gzip"),
    ],
)
def test_a_body_that_is_not_json_is_refused(services: Services, post: Post, body: bytes) -> None:
    problem_in(services.post(post, body), 400, "not-json")


@pytest.mark.parametrize("post", POSTS, ids=str)
@pytest.mark.parametrize(
    "content_type", ["", "text/plain", "text/json", "application/x-www-form-urlencoded", "multipart/form-data"]
)
def test_another_content_type_is_refused(services: Services, post: Post, content_type: str) -> None:
    problem_in(services.post(post, json.dumps(post.good), content_type), 415, "about:blank")


@pytest.mark.parametrize("post", POSTS, ids=str)
def test_five_megabytes_are_refused(services: Services, post: Post) -> None:
    problem_in(services.post(post, b'{"vehicle_id": "' + b"x" * 5_000_000 + b'"}'), 413, "about:blank")


@pytest.mark.parametrize("post", POSTS, ids=str)
@pytest.mark.parametrize("body", ["null", "true", "5", '"ev-42"', "1e400"])
def test_a_body_that_is_no_object_is_refused(services: Services, post: Post, body: str) -> None:
    assert fields(services.post(post, body)) == ["body"]


@pytest.mark.parametrize("post", POSTS, ids=str)
@pytest.mark.parametrize("items", [0, SETTINGS.max_batch + 1])
def test_an_array_that_is_empty_or_too_long_is_refused(services: Services, post: Post, items: int) -> None:
    assert fields(services.post(post, json.dumps([post.good] * items))) == ["body"]


@pytest.mark.parametrize(
    ("post", "field"), [(post, field) for post in POSTS for field in post.required], ids=lambda value: str(value)
)
def test_a_missing_field_is_named(services: Services, post: Post, field: str) -> None:
    body = {name: value for name, value in post.good.items() if name != field}
    assert fields(services.post(post, json.dumps(body))) == [field]


@pytest.mark.parametrize("post", POSTS, ids=str)
def test_every_wrong_field_is_named(services: Services, post: Post) -> None:
    body = dict.fromkeys(post.required, "") | {"colour": "red"}
    assert fields(services.post(post, json.dumps(body))) == sorted([*post.required, "colour"])


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


@pytest.mark.parametrize("post", POSTS, ids=str)
@pytest.mark.parametrize("name", ["colour", "vehicle_id ", "a\0b", "__class__", "x" * 10_000])
def test_an_unknown_field_is_refused(services: Services, post: Post, name: str) -> None:
    assert fields(services.post(post, json.dumps({**post.good, name: 1}))) == [name]


@pytest.mark.parametrize("post", INTERNAL, ids=str)
def test_between_services_one_bad_item_refuses_the_array(services: Services, post: Post) -> None:
    bad = {**post.good, "watts": -1}
    assert fields(services.post(post, json.dumps([post.good, bad]))) == ["1.watts"]


@pytest.mark.parametrize(
    ("bad", "named"),
    [({**CAR, "power_kw": "11"}, "1.power_kw"), (["car"], "1"), (None, "1"), ({}, "1.vehicle_id")],
    ids=str,
)
def test_in_a_fleet_the_items_that_are_wrong_are_named(services: Services, bad: Any, named: str) -> None:
    response = services.post(API, json.dumps([{**CAR, "zone": "south"}, bad]))
    assert response.status_code == 207
    assert [item["status"] for item in response.json or []] == [422, 422]
    assert [[error["field"] for error in item["errors"]] for item in response.json or []] == [["0.zone"], [named]]


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


@pytest.mark.parametrize("method", ["GET", "DELETE"])
@pytest.mark.parametrize("service", ["api", "balancer"])
@pytest.mark.parametrize(
    "session_id",
    [
        pytest.param(SESSION, id="nobody's"),
        pytest.param(SESSION.replace("default", "south"), id="of another zone"),
        pytest.param("x", id="short"),
        pytest.param("default-", id="no number"),
        pytest.param(SESSION + "0", id="too long"),
        pytest.param(SESSION.upper(), id="capitals"),
        pytest.param(SESSION + "%0A", id="a line break"),
        pytest.param("%00", id="NUL"),
        pytest.param("%ff%fe", id="invalid UTF-8"),
        pytest.param("%2e%2e", id="dots"),
        pytest.param("*", id="a star"),
        pytest.param("x" * 5_000, id="5000 characters"),
        pytest.param(f"{SESSION}%231@one", id="the ledger's name of an attempt"),
    ],
)
def test_an_unknown_session_is_404(services: Services, service: str, method: str, session_id: str) -> None:
    response = services.of(service).open(f"/sessions/{session_id}", method=method)
    problem_in(response, 404, "unknown-session")


@pytest.mark.parametrize("method", ["GET", "DELETE"])
@pytest.mark.parametrize(
    "session_id", ["x", "x%3Fy=1", "%23", "..", "%252e%252e", SESSION + "x", "default-" + "0" * 23]
)
def test_the_api_asks_no_balancer_about_what_is_no_session_id(services: Services, method: str, session_id: str) -> None:
    services.grid.network.calls.clear()
    services.grid.api.open(f"/sessions/{session_id}", method=method)
    assert services.grid.network.calls == []


def test_stopping_what_does_not_charge_here_is_404(services: Services) -> None:
    for session_id in (SESSION, "x", "%00", "%ff", "x" * 5_000):
        problem_in(services.one.client.delete(f"/charge/{session_id}"), 404, "unknown-session")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("attempt=0", "attempt"),
        ("attempt=-1", "attempt"),
        ("attempt=", "attempt"),
        ("attempt=one", "attempt"),
        ("attempt=1.5", "attempt"),
        ("attempt=NaN", "attempt"),
        ("attempt=1000000001", "attempt"),
        ("attempt=" + "1" * 5_000, "attempt"),
        ("attempt=%00", "attempt"),
        ("attempts=1", "attempts"),
    ],
)
def test_a_wrong_query_of_a_cancel_is_refused(services: Services, query: str, field: str) -> None:
    assert fields(services.one.client.delete(f"/charge/{SESSION}?{query}")) == [field]
    assert services.one.snapshot().unreported == []


@pytest.mark.parametrize("service", ["api", "balancer", "substation"])
@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/nothing",
        "/grid/",
        "//grid",
        "/sessions",
        "/sessions/",
        "/sessions//x",
        "/sessions/x/y",
        "/sessions/x%2Fy",
        "/charge/",
        "/static/../app.py",
        "/../etc/passwd",
        "/%00",
        "/%ff",
        "/metrics/x",
        "/" + "x" * 5_000,
    ],
)
def test_an_unknown_path_is_404(services: Services, service: str, path: str) -> None:
    problem_in(services.of(service).get(path), 404, "about:blank")


@pytest.mark.parametrize(
    ("service", "path", "allowed"),
    [
        ("api", "/request-charge", {"POST", "OPTIONS"}),
        ("api", "/sessions/x", {"GET", "HEAD", "DELETE", "OPTIONS"}),
        ("api", "/grid", {"GET", "HEAD", "OPTIONS"}),
        ("balancer", "/route", {"POST", "OPTIONS"}),
        ("balancer", "/sessions/x", {"GET", "HEAD", "DELETE", "OPTIONS"}),
        ("balancer", "/grid", {"GET", "HEAD", "OPTIONS"}),
        ("substation", "/charge", {"POST", "OPTIONS"}),
        ("substation", "/charge/x", {"DELETE", "OPTIONS"}),
        ("substation", "/status", {"GET", "HEAD", "OPTIONS"}),
        ("substation", "/health", {"GET", "HEAD", "OPTIONS"}),
        ("substation", "/ready", {"GET", "HEAD", "OPTIONS"}),
        ("substation", "/metrics", {"GET", "HEAD", "OPTIONS"}),
    ],
)
def test_a_wrong_method_is_405_and_says_which_are_right(
    services: Services, service: str, path: str, allowed: set[str]
) -> None:
    for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "BREW"} - allowed:
        response = services.of(service).open(path, method=method)
        problem_in(response, 405, "about:blank")
        assert set(response.headers["Allow"].split(", ")) == allowed


@pytest.mark.parametrize("service", ["api", "balancer"])
@pytest.mark.parametrize("query", ["x=1", "zone=%00", "zone[]=a&zone[]=b", "%ff=%fe", "=&&=", "x=" + "y" * 5_000])
def test_an_odd_query_of_the_grid_changes_nothing(services: Services, service: str, query: str) -> None:
    plain, odd = (services.of(service).get(url) for url in ("/grid", f"/grid?{query}"))
    assert odd.status_code == 200
    assert odd.json == plain.json


def fields(response: TestResponse) -> list[str]:
    """The fields that a 422 names, each with a message, and its detail too."""
    errors = problem_in(response, 422, "invalid-request")["errors"]
    assert all(error["message"] for error in errors)
    return sorted(error["field"] for error in errors)
