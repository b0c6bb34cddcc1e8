"""Every error a caller can see, as application/problem+json (RFC 9457). One place for types and titles."""

import logging
from http import HTTPStatus
from typing import Any

from flask import Flask, Response, json
from pydantic import ValidationError
from werkzeug.exceptions import HTTPException

log = logging.getLogger(__name__)

TYPES = {
    "grid-full": (503, "No substation has room for this request, and the line is full"),
    "too-powerful": (422, "No substation is built for so much power"),
    "no-substation": (503, "No substation is up"),
    "ledger-unavailable": (503, "The ledger does not answer"),
    "balancer-unavailable": (503, "No balancer answers"),
    "invalid-request": (422, "The request has wrong fields"),
    "idempotency-conflict": (422, "This Idempotency-Key was used for a different request"),
    "not-json": (400, "The body is not JSON"),
    "unknown-session": (404, "There is no such session"),
    "no-room": (409, "This substation has no room for it"),
    "wrong-epoch": (409, "Meant for another substation, or for this one before it restarted"),
    "cancelled-before": (409, "This attempt was cancelled or refused here before"),
    "out-of-touch": (503, "This substation does not reach the ledger"),
}


class Problem(Exception):
    """An answer that is an error. `type` is one of TYPES; `extra` becomes members of the body."""

    def __init__(self, type: str, detail: str, *, retry_after_s: int | None = None, **extra: Any) -> None:
        super().__init__(detail)
        self.status, self.title = TYPES[type]
        self.type = type
        self.detail = detail
        self.retry_after_s = retry_after_s
        self.extra = extra

    def body(self) -> dict[str, Any]:
        return {
            "type": f"/problems/{self.type}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            **({} if self.retry_after_s is None else {"retry_after_s": self.retry_after_s}),
            **self.extra,
        }

    def response(self) -> Response:
        headers = {} if self.retry_after_s is None else {"Retry-After": str(self.retry_after_s)}
        return _response(self.status, self.body(), headers)


def invalid(error: ValidationError, prefix: str = "") -> Problem:
    """A ValidationError of pydantic as a problem that names every wrong field."""
    errors = [
        {"field": _path(prefix, part["loc"]), "message": _message(part["type"], part["msg"])}
        for part in error.errors(include_url=False, include_context=False, include_input=False)
    ]
    return invalid_fields(*errors)


def _message(type: str, message: str) -> str:
    # pydantic's own would name a class of ours.
    return "must be a JSON object" if type == "model_type" else message.removeprefix("Value error, ")


def invalid_field(field: str, message: str) -> Problem:
    return invalid_fields({"field": field, "message": message})


def invalid_fields(*errors: dict[str, str]) -> Problem:
    detail = "; ".join(f"{error['field']}: {error['message']}" for error in errors)
    return Problem("invalid-request", detail, errors=list(errors))


def init_app(app: Flask) -> None:
    """Make every error of the app a problem."""
    app.register_error_handler(Problem, Problem.response)
    app.register_error_handler(HTTPException, _http_problem)
    app.register_error_handler(Exception, _unexpected)


def _path(prefix: str, location: tuple[int | str, ...]) -> str:
    parts = [prefix] if prefix else []
    return ".".join(parts + [str(part) for part in location]) or "body"


def _http_problem(error: HTTPException) -> Response:
    status = error.code or 500
    body = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": error.description or HTTPStatus(status).description,
    }
    headers = {name: value for name, value in error.get_headers() if name == "Allow"}
    return _response(status, body, headers)


def _unexpected(error: Exception) -> Response:
    log.exception("unexpected error")
    body = {"type": "about:blank", "title": "Internal Server Error", "status": 500, "detail": "See the service's log."}
    return _response(500, body, {})


def _response(status: int, body: dict[str, Any], headers: dict[str, str]) -> Response:
    return Response(json.dumps(body), status, headers, content_type="application/problem+json")
