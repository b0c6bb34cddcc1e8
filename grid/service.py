"""What makes a Flask app one of this grid's services: request ids, logs, metrics, problems, health."""

import logging
import re
import secrets
import time
from collections.abc import Sequence
from functools import cache
from http import HTTPMethod

from flask import Flask, Response, g, request
from prometheus_client import Counter, Histogram
from prometheus_client.registry import Collector

from grid import bodies, health, logs, metrics, problems
from grid.health import Check
from grid.http import MOST_IDS, ONE_ID, REQUEST_ID
from grid.settings import Settings

log = logging.getLogger("grid.request")

_ONE_ID = re.compile(ONE_ID)
_SEVERAL_IDS = re.compile(rf"{ONE_ID}(,{ONE_ID}){{0,{MOST_IDS - 1}}}")
_QUIET = {"health", "ready", "metrics"}


def init_app(
    app: Flask,
    name: str,
    settings: Settings,
    checks: dict[str, Check],
    collectors: Sequence[Collector] = (),
    *,
    for_drivers: bool = False,
) -> None:
    """Give `app` everything that each service has. `checks` are its dependencies, for /ready.

    One that is `for_drivers` takes one request id, and MAX_BATCH cars in a call: what comes from it has been looked at.
    `collectors` read, at each scrape, what this process does not count itself.
    """
    app.url_map.merge_slashes = False  # an odd path is an unknown one, not a redirect
    logs.configure(name, settings.log_level)
    bodies.init_app(app, max_body_bytes=settings.max_body_bytes, max_batch=settings.max_batch if for_drivers else None)
    problems.init_app(app)
    health.init_app(app, checks)
    metrics.init_app(app, collectors)

    counted = metrics.service_metrics()
    accepted = _ONE_ID if for_drivers else _SEVERAL_IDS

    @cache
    def series(endpoint: str, method: str, status: int) -> tuple[Counter, Histogram]:
        return counted.requests.labels(name, endpoint, method, status), counted.latency.labels(name, endpoint)

    @app.before_request
    def begin() -> None:
        g.started = time.perf_counter()
        given = request.headers.get(REQUEST_ID, "")
        g.request_id = given if accepted.fullmatch(given) else secrets.token_hex(8)

    @app.after_request
    def finish(response: Response) -> Response:
        response.headers[REQUEST_ID] = g.request_id
        endpoint = (request.endpoint or "unknown").rpartition(".")[2]
        took = time.perf_counter() - g.started
        method, status = request.method, response.status_code
        requests, latency = series(endpoint, method if method in HTTPMethod.__members__ else "other", status)
        requests.inc()
        latency.observe(took)
        if endpoint not in _QUIET:
            extra = {"status": status, "ms": round(took * 1000, 2)}
            log.info("%s %s %s", method, request.path, status, extra=extra)
        return response
