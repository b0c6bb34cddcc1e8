"""Reading a body that is one object or many, and answering in kind."""

import json
from io import BytesIO
from typing import Any

import pytest
from flask import Flask
from pydantic import BaseModel, Field
from werkzeug.exceptions import UnsupportedMediaType

from grid import bodies
from grid.problems import Problem


class Plug(BaseModel):
    kind: str


class Car(BaseModel):
    name: str
    seats: int = Field(ge=1)
    plugs: list[Plug] = []


@pytest.fixture
def app() -> Flask:
    app = Flask(__name__)
    bodies.init_app(app, max_body_bytes=100, max_batch=2)
    return app


def read(app: Flask, body: str, content_type: str = "application/json") -> tuple[list[Any], bool]:
    with app.test_request_context("/", method="POST", data=body, content_type=content_type):
        return bodies.read_one_or_many()


@pytest.mark.parametrize(
    ("body", "items", "many"),
    [('{"a": 1}', [{"a": 1}], False), ("[1]", [1], True), ("[1, [2]]", [1, [2]], True), ("null", [None], False)],
)
def test_one_object_or_an_array_of_them(app: Flask, body: str, items: list[Any], many: bool) -> None:
    assert read(app, body) == (items, many)


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "application/vnd.car+json"])
def test_any_kind_of_json_will_do(app: Flask, content_type: str) -> None:
    assert read(app, "{}", content_type) == ([{}], False)


@pytest.mark.parametrize(
    ("body", "type"), [("[]", "invalid-request"), ("[1, 2, 3]", "invalid-request"), ("{", "not-json")]
)
def test_anything_else_is_a_problem(app: Flask, body: str, type: str) -> None:
    with pytest.raises(Problem) as raised:
        read(app, body)
    assert raised.value.type == type


def test_a_body_that_is_refused_for_its_type_is_read_all_the_same(app: Flask) -> None:
    body = BytesIO(b" " * 100)
    with (
        app.test_request_context("/", method="POST", input_stream=body, content_length=100, content_type="text/plain"),
        pytest.raises(UnsupportedMediaType),
    ):
        bodies.read_one_or_many()

    assert body.tell() == 100


@pytest.mark.parametrize(
    ("item", "prefix", "named"),
    [
        ({}, "", ["name", "seats"]),
        ({"name": "a", "seats": 0}, "3", ["3.seats"]),
        ({"name": "a", "seats": 1, "plugs": [{"kind": "x"}, {}]}, "", ["plugs.1.kind"]),
        ({"name": "a", "seats": 1, "plugs": 5}, "0", ["0.plugs"]),
        ([], "", ["body"]),
        ([], "7", ["7"]),
    ],
    ids=str,
)
def test_each_wrong_field_is_named_by_its_path(item: Any, prefix: str, named: list[str]) -> None:
    with pytest.raises(Problem) as raised:
        bodies.check(Car, item, prefix)
    assert [error["field"] for error in raised.value.extra["errors"]] == named
    assert all(name in raised.value.detail for name in named)


def test_what_is_right_becomes_the_model() -> None:
    assert bodies.check(Car, {"name": "a", "seats": 1}) == Car(name="a", seats=1)


def test_one_answer_has_its_own_status() -> None:
    response = bodies.answer([{"status": 201, "a": 1}], many=False)
    assert (response.status_code, response.content_type) == (201, "application/json")
    assert json.loads(response.data) == {"status": 201, "a": 1}
    assert "Retry-After" not in response.headers


def test_one_answer_that_is_a_problem_says_so() -> None:
    response = bodies.answer([Problem("grid-full", "no room", retry_after_s=5).body()], many=False)
    assert (response.status_code, response.content_type) == (503, "application/problem+json")
    assert response.headers["Retry-After"] == "5"


def test_many_answers_are_one_207_in_order() -> None:
    told = [{"status": 201}, Problem("grid-full", "no room", retry_after_s=5).body(), {"status": 422}]
    response = bodies.answer(told, many=True)
    assert (response.status_code, response.content_type) == (207, "application/json")
    assert json.loads(response.data) == told
