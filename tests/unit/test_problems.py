"""Every error is application/problem+json, and its type can be relied on."""

import json
import logging
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import pytest
from flask import Flask
from werkzeug.exceptions import Conflict, RequestEntityTooLarge, TooManyRequests

from grid import problems
from grid.problems import TYPES, Problem, invalid_field


def app_that(raises: Callable[[], Exception]) -> Flask:
    app = Flask(__name__)
    problems.init_app(app)

    @app.route("/")
    def fail() -> str:
        raise raises()

    return app


@pytest.mark.parametrize("type", TYPES)
def test_every_problem_has_its_type_title_status_and_detail(type: str) -> None:
    response = app_that(lambda: Problem(type, "because", session_id="s")).test_client().get("/")
    status, title = TYPES[type]
    assert (response.status_code, response.content_type) == (status, "application/problem+json")
    assert json.loads(response.data) == {
        "type": f"/problems/{type}",
        "title": title,
        "status": status,
        "detail": "because",
        "session_id": "s",
    }


def test_types_titles_and_statuses_are_a_promise() -> None:
    assert {type: status for type, (status, _) in TYPES.items()} == {
        "grid-full": 503,
        "too-powerful": 422,
        "no-substation": 503,
        "ledger-unavailable": 503,
        "balancer-unavailable": 503,
        "invalid-request": 422,
        "idempotency-conflict": 422,
        "not-json": 400,
        "unknown-session": 404,
        "no-room": 409,
        "wrong-epoch": 409,
        "cancelled-before": 409,
        "out-of-touch": 503,
    }


def test_when_to_come_back_is_a_header_and_in_the_body() -> None:
    response = app_that(lambda: Problem("grid-full", "x", retry_after_s=5)).test_client().get("/")
    assert (response.headers["Retry-After"], json.loads(response.data)["retry_after_s"]) == ("5", 5)


def test_wrong_fields_are_listed_and_spelled_out() -> None:
    problem = problems.invalid_fields({"field": "a", "message": "too long"}, {"field": "b", "message": "missing"})
    assert problem.detail == "a: too long; b: missing"
    assert [error["field"] for error in problem.body()["errors"]] == ["a", "b"]
    assert invalid_field("a", "too long").body()["errors"] == [{"field": "a", "message": "too long"}]


@pytest.mark.parametrize("error", [Conflict, RequestEntityTooLarge, TooManyRequests])
def test_an_http_error_becomes_a_problem(error: type[Any]) -> None:
    response = app_that(error).test_client().get("/")
    assert (response.status_code, response.content_type) == (error.code, "application/problem+json")
    body = json.loads(response.data)
    assert (body["type"], body["title"]) == ("about:blank", HTTPStatus(error.code).phrase)
    assert body["detail"]


def test_what_nobody_expected_is_logged_and_says_nothing_of_the_inside(caplog: pytest.LogCaptureFixture) -> None:
    response = app_that(lambda: RuntimeError("the password is 1234")).test_client().get("/")
    assert (response.status_code, response.content_type) == (500, "application/problem+json")
    assert "1234" not in response.text
    (record,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert record.exc_info is not None
    assert "1234" in caplog.text
