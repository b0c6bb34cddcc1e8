"""A body that is not what it should be as a whole: no JSON, no object, too much, a field too many or too few."""

import json
from typing import Any

import pytest

from ..conftest import CAR, SETTINGS, problem_in
from .conftest import API, BALANCER, POSTS, SUBSTATION, Post, Services, fields


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
def test_an_empty_array_is_refused(services: Services, post: Post) -> None:
    assert fields(services.post(post, "[]")) == ["body"]


def test_a_fleet_that_is_too_long_is_refused(services: Services) -> None:
    assert fields(services.post(API, json.dumps([CAR] * (SETTINGS.max_batch + 1)))) == ["body"]


def test_a_driver_is_told_in_plain_words_that_a_car_is_no_object(services: Services) -> None:
    (item,) = services.post(API, "[5]").json or []
    assert item["errors"] == [{"field": "0", "message": "must be a JSON object"}]


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


@pytest.mark.parametrize("post", POSTS, ids=str)
@pytest.mark.parametrize("name", ["colour", "vehicle_id ", "a\0b", "__class__", "x" * 10_000])
def test_an_unknown_field_is_refused(services: Services, post: Post, name: str) -> None:
    assert fields(services.post(post, json.dumps({**post.good, name: 1}))) == [name]


def test_a_substation_refuses_an_array_with_a_bad_item(services: Services) -> None:
    bad = {**SUBSTATION.good, "watts": -1}
    assert fields(services.post(SUBSTATION, json.dumps([SUBSTATION.good, bad]))) == ["1.watts"]


def test_a_balancer_refuses_the_bad_items_of_an_array_only(services: Services) -> None:
    """They are of strangers who asked at the same time."""
    too_late = {**BALANCER.good, "ready_by": 1}
    response = services.post(BALANCER, json.dumps([{**BALANCER.good, "watts": -1}, too_late]))
    assert response.status_code == 207
    assert [item["errors"][0]["field"] for item in response.json or []] == ["watts", "ready_by"]


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
