"""The public endpoints."""

from collections import Counter
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Any

from flask import Response, g, jsonify, request
from flask_openapi3 import APIBlueprint, Tag

from api import units
from api.abandoned import Abandoned
from api.balancer import BalancerClient, NoBalancer
from api.grouping import Grouping
from api.schemas import (
    EXAMPLE,
    MAX_WAIT_S,
    Accepted,
    ChargeRequest,
    Grid,
    ProblemDetails,
    Session,
    SessionPath,
    SessionQuery,
    Waiting,
)
from api.watch import Watch
from grid import session_ids
from grid.bodies import answer, check, check_each, read_one_or_many
from grid.http import Reply
from grid.metrics import api_metrics
from grid.problems import Problem, invalid_field

KEY_HEADER = "Idempotency-Key"
MAX_KEY_LENGTH = 255
_SCHEMA = ChargeRequest.model_json_schema()
_BODY = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {"oneOf": [_SCHEMA, {"type": "array", "items": _SCHEMA}]},
            "examples": {"one car": {"value": EXAMPLE}, "a fleet": {"value": [EXAMPLE, EXAMPLE]}},
        }
    },
}


def _problem(description: str) -> dict[str, Any]:
    schema = ProblemDetails.model_json_schema()
    return {"description": description, "content": {"application/problem+json": {"schema": schema}}}


_FLEET = {
    "description": "An answer for each car, in order, each with the status it would have had alone",
    "content": {"application/json": {"schema": {"type": "array", "items": {"type": "object"}}}},
}
_UNAVAILABLE = _problem("The grid and its line are full, or out of reach; Retry-After says when to ask again")
_WRONG = _problem("Which fields are wrong")
_ONE_SESSION: dict[Any, Any] = {200: Session, 404: _problem("No such session is known"), 503: _UNAVAILABLE}
_WAIT = {
    "name": "wait",
    "in": "query",
    "description": "How many seconds to wait for a session that is in line. Retry-After says that too many wait so.",
    "schema": {"type": "number", "minimum": 0, "maximum": MAX_WAIT_S, "default": 0},
}
_ACCEPTED = (HTTPStatus.CREATED, HTTPStatus.ACCEPTED)
_IDEMPOTENCY_KEY = {
    "name": KEY_HEADER,
    "in": "header",
    "description": "Any printable ASCII text. A repeated request with the same key is the same session.",
    "schema": {"type": "string", "maxLength": MAX_KEY_LENGTH},
}


def create_routes(
    balancer: BalancerClient, watch: Watch, abandoned: Abandoned, zones: Sequence[str], retry_after_s: int
) -> APIBlueprint:
    answers = api_metrics().answers
    grouped = Grouping(lambda ids, orders: balancer.call("POST", "/route", ids, orders))
    routes = APIBlueprint("api", __name__, abp_tags=[Tag(name="charging")])

    @routes.after_request
    def count(response: Response) -> Response:
        """Whatever a driver is told is counted here, and only here: answers to each car, or a problem of them all."""
        if request.endpoint == "api.request_charge" and request.method == "POST":
            told = Counter(map(_outcome, g.get("answers") or [response.get_json()] * g.get("cars", 1)))
            for outcome, cars in told.items():
                answers.labels(outcome).inc(cars)
        return response

    @routes.post(
        "/request-charge",
        summary="Ask for one car, or for a fleet in an array",
        responses={
            201: Accepted,
            202: Waiting,
            207: _FLEET,
            422: _problem("Which fields are wrong"),
            503: _UNAVAILABLE,
        },
        openapi_extensions={"requestBody": _BODY, "parameters": [_IDEMPOTENCY_KEY]},
    )
    def request_charge() -> Response:
        items, many = read_one_or_many()
        g.cars = len(items)
        key = _idempotency_key()
        wanted, bodies = check_each(
            ChargeRequest, items, lambda i: f"{i}" if many else "", zones=zones, keyed=key is not None
        )
        if wanted:
            orders = [_order(request, _session_id(request.zone or zones[0], key, i)) for i, request in wanted.items()]
            reply = _route(orders, repeatable=key is not None)
            if reply.status != HTTPStatus.MULTI_STATUS:
                return answer([reply.body], many=False)
            for (i, request), decided in zip(wanted.items(), reply.body, strict=True):
                accepted = decided["status"] in _ACCEPTED
                bodies[i] = _accepted(request, decided) if accepted else _refused(decided, f"{i}." if many else "")
        response = answer([bodies[i] for i in range(len(items))], many)
        if response.status_code in _ACCEPTED:
            response.headers["Location"] = f"/sessions/{bodies[0]['session_id']}"
        g.answers = bodies.values()
        return response

    @routes.get(
        "/sessions/<session_id>",
        summary="One session; with ?wait=20, as soon as it waits no more, or after 20 s",
        responses=_ONE_SESSION,
        openapi_extensions={"parameters": [_WAIT]},
    )
    def session(path: SessionPath) -> Response:
        wait_s = check(SessionQuery, request.args.to_dict()).wait
        response = _session("GET", path.session_id)
        if not wait_s or not _waits(response):
            return response
        if watch.wait(path.session_id, wait_s):
            return _session("GET", path.session_id)
        response.headers["Retry-After"] = str(retry_after_s)
        return response

    @routes.delete("/sessions/<session_id>", summary="Cancel a session", responses=_ONE_SESSION)
    def cancel(path: SessionPath) -> Response:
        return _session("DELETE", path.session_id)

    @routes.get("/grid", summary="Every substation", responses={200: Grid, 503: _UNAVAILABLE})
    def grid() -> Response:
        return _translated("GET", "/grid", units.grid)

    def _route(orders: Sequence[dict[str, Any]], repeatable: bool) -> Reply:
        """Have them placed. What failed and may be placed even so is abandoned, unless its caller can repeat it."""
        try:
            reply = grouped(g.request_id, orders)
        except NoBalancer as error:
            if error.in_doubt and not repeatable:
                abandoned.add(order["session_id"] for order in orders)
            raise
        if reply.in_doubt and not repeatable:
            bodies = reply.body if reply.status == HTTPStatus.MULTI_STATUS else [reply.body] * len(orders)
            decided = zip(orders, bodies, strict=True)
            abandoned.add(order["session_id"] for order, body in decided if body["status"] not in _ACCEPTED)
        return reply

    def _session(method: str, session_id: str) -> Response:
        if not session_ids.is_valid(session_id):
            raise Problem("unknown-session", f"{session_id[:80]!r} is not a session id")
        return _translated(method, f"/sessions/{session_id}", units.session)

    def _translated(method: str, path: str, to_public: Callable[[dict[str, Any]], dict[str, Any]]) -> Response:
        reply = balancer.call(method, path, g.request_id)
        if reply.status != HTTPStatus.OK:
            return answer([reply.body], many=False)
        return jsonify(to_public(reply.body))

    return routes


def _waits(response: Response) -> bool:
    return response.status_code == HTTPStatus.OK and response.get_json()["state"] == "waiting"


def _outcome(body: dict[str, Any]) -> str:
    if body["status"] in _ACCEPTED:
        return str(body["state"])
    kind = str(body.get("type", ""))
    return kind.removeprefix("/problems/") if kind.startswith("/problems/") else f"http-{body['status']}"


def _idempotency_key() -> str | None:
    key = request.headers.get(KEY_HEADER)
    if key is not None and not (0 < len(key) <= MAX_KEY_LENGTH and key.isascii() and key.isprintable()):
        raise invalid_field(KEY_HEADER, f"must be 1 to {MAX_KEY_LENGTH} printable ASCII characters")
    return key


def _session_id(zone: str, key: str | None, index: int) -> str:
    return session_ids.new(zone) if key is None else session_ids.from_key(zone, key, index)


def _order(wanted: ChargeRequest, session_id: str) -> dict[str, Any]:
    return {
        "session_id": session_id,
        "vehicle_id": wanted.vehicle_id,
        "watts": wanted.watts,
        "energy_wh": wanted.energy_wh,
        "ready_by": wanted.ready_by_ms,
        "priority": wanted.priority,
    }


def _refused(decided: dict[str, Any], prefix: str) -> dict[str, Any]:
    """A problem that the balancer found, its fields named as the api names them in an array."""
    decided = {name: value for name, value in decided.items() if name != "in_doubt"}
    if "errors" not in decided:
        return decided
    return {**decided, "errors": [{**error, "field": prefix + error["field"]} for error in decided["errors"]]}


def _accepted(wanted: ChargeRequest, decided: dict[str, Any]) -> dict[str, Any]:
    if decided["status"] == HTTPStatus.CREATED:
        where_or_when = {"substation": decided["substation"] or None}
    else:
        where_or_when = units.place_in_line(decided)
    return {
        "status": decided["status"],
        "session_id": decided["session_id"],
        "state": decided["state"],
        **where_or_when,
        "zone": session_ids.zone_of(decided["session_id"]),
        "vehicle_id": wanted.vehicle_id,
        "power_kw": wanted.power_kw,
        "energy_kwh": wanted.energy_kwh,
        "accepted_at": units.rfc3339(decided["accepted"]),
    }
