"""Logs are one JSON object a line, each with the request it belongs to."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask, g

from grid import logs, service
from grid.settings import Settings


@pytest.fixture(autouse=True)
def loggers_as_before() -> Iterator[None]:
    root, urllib3 = logging.getLogger(), logging.getLogger("urllib3")
    before = root.handlers[:], root.level, urllib3.level
    yield
    root.handlers[:] = before[0]
    root.setLevel(before[1])
    urllib3.setLevel(before[2])


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_line_says_when_who_what_and_how_bad(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("balancer", "INFO")
    logging.getLogger("grid.x").warning("%s cars", 3, extra={"ms": 1.5})
    (line,) = lines(capsys)
    assert line.pop("time")
    assert line == {"service": "balancer", "level": "WARNING", "logger": "grid.x", "message": "3 cars", "ms": 1.5}


def test_whatever_is_logged_stays_on_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("api", "INFO")
    text = 'a\nb\r\n"c" \x00 \u2028 é'
    logging.getLogger("grid.x").info(text)
    try:
        raise ValueError("two\nlines")
    except ValueError:
        logging.getLogger("grid.x").exception("failed")
    first, second = lines(capsys)
    assert first["message"] == text
    assert "ValueError: two\nlines" in second["exc_info"]


def test_the_level_is_kept_and_nothing_is_said_twice(capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        logs.configure("api", "WARNING")
    logging.getLogger("grid.x").info("quiet")
    logging.getLogger("grid.x").warning("loud")
    logging.getLogger("urllib3.connectionpool").warning("a connection was dropped")
    assert [line["message"] for line in lines(capsys)] == ["loud"]


def test_in_a_request_the_line_has_its_id(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("api", "INFO")
    with Flask(__name__).test_request_context("/"):
        g.request_id = "abc"
        logging.getLogger("grid.x").info("inside")
    logging.getLogger("grid.x").info("outside")
    inside, outside = lines(capsys)
    assert inside["request_id"] == "abc"
    assert "request_id" not in outside


def test_a_service_logs_each_request(capsys: pytest.CaptureFixture[str]) -> None:
    app = Flask(__name__)
    service.init_app(app, "api", Settings(), {})
    app.test_client().get("/nothing", headers={"X-Request-ID": "abc"})
    (line,) = lines(capsys)
    assert (line["service"], line["message"], line["status"]) == ("api", "GET /nothing 404", 404)
    assert (line["request_id"], line["level"]) == ("abc", "INFO")
    assert line["ms"] >= 0
