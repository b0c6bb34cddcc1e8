"""The balancer over HTTP. Powers in W, energies in Wh, times in ms."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, g, jsonify, request

from balancer.dispatch import Decision, Dispatcher
from balancer.schemas import CancelQuery, RouteRequest
from grid.bodies import answer, check, check_each, read_one_or_many
from grid.ledger import Ledger
from grid.ledger.records import Outcome, Request, SessionRecord, SubstationRecord
from grid.problems import Problem, invalid_field
from grid.session_ids import zone_of


def create_routes(
    ledgers: Mapping[str, Ledger], dispatchers: Mapping[str, Dispatcher], retry_after_s: int
) -> Blueprint:
    routes = Blueprint("balancer", __name__)
    zones = list(ledgers)

    @routes.post("/route")
    def route() -> Response:
        items, many = read_one_or_many()
        requests, bodies = check_each(RouteRequest, items, lambda i: "", zones=zones)
        bodies |= zip(requests, _route_all(list(requests.values())), strict=True)
        return answer([bodies[i] for i in range(len(items))], many)

    @routes.get("/sessions/<session_id>")
    def session(session_id: str) -> Response:
        ledger = ledgers.get(zone_of(session_id))
        return _session_or_404(session_id, ledger.session(session_id) if ledger else None)

    @routes.delete("/sessions/<session_id>")
    def cancel(session_id: str) -> Response:
        abandoned = check(CancelQuery, request.args.to_dict()).abandoned
        dispatcher = dispatchers.get(zone_of(session_id))
        found = dispatcher.cancel(session_id, g.request_id, abandoned=abandoned) if dispatcher else None
        return _session_or_404(session_id, found)

    @routes.post("/waiting")
    def waiting() -> Response:
        """Which of the sessions named in an array wait: one call, however many are asked after."""
        items, _ = read_one_or_many()
        by_zone: dict[str, list[str]] = defaultdict(list)
        for session_id in map(str, items):
            by_zone[zone_of(session_id)].append(session_id)
        found = [ledgers[zone].waiting(sessions) for zone, sessions in by_zone.items() if zone in ledgers]
        return jsonify(waiting=sorted(set().union(*found)))

    @routes.get("/grid")
    def grid() -> Response:
        rows = [_substation(zone, row) for zone, ledger in ledgers.items() for row in ledger.grid()]
        lines = {zone: ledger.states().get("waiting", 0) for zone, ledger in ledgers.items()}
        return jsonify(substations=rows, waiting=lines)

    def _route_all(requests: list[RouteRequest]) -> list[dict[str, Any]]:
        by_zone: dict[str, list[int]] = defaultdict(list)
        for i, wanted in enumerate(requests):
            by_zone[zone_of(wanted.session_id)].append(i)
        bodies: dict[int, dict[str, Any]] = {}
        for zone, members in by_zone.items():
            decisions = dispatchers[zone].route([_request(requests[i]) for i in members], g.request_id)
            for i, decision in zip(members, decisions, strict=True):
                bodies[i] = _decided(requests[i], decision)
        return [bodies[i] for i in range(len(requests))]

    def _decided(request: RouteRequest, decision: Decision) -> dict[str, Any]:
        placement = decision.placement
        if placement.outcome in _KNOWN:
            return {
                "status": 201,
                "session_id": request.session_id,
                "state": placement.state,
                "substation": placement.substation,
                "accepted": placement.accepted,
            }
        if placement.outcome is Outcome.WAITING:
            return {
                "status": 202,
                "session_id": request.session_id,
                "state": placement.state,
                "position": placement.position or None,
                "expected_wait_ms": placement.expected_wait_ms,
                "accepted": placement.accepted,
            }
        if placement.outcome is Outcome.CONFLICT:
            problem = Problem("idempotency-conflict", f"{request.session_id} was asked for with other values")
        elif placement.outcome is Outcome.TOO_BIG:
            problem = _too_powerful(request)
        elif placement.outcome is Outcome.TOO_LATE:
            problem = invalid_field("ready_by", "must be in the future")
        else:
            in_doubt = {"in_doubt": True} if decision.in_doubt else {}
            kind, why = _REFUSALS[placement.outcome], _why(request, decision)
            problem = Problem(kind, why, retry_after_s=retry_after_s, **in_doubt)
        return problem.body()

    return routes


_KNOWN = (Outcome.PLACED, Outcome.ENDED)
_REFUSALS = {
    Outcome.FULL: "grid-full",
    Outcome.NOWHERE: "no-substation",
    Outcome.UNAVAILABLE: "ledger-unavailable",
}


def _too_powerful(request: RouteRequest) -> Problem:
    message = f"no substation of zone {zone_of(request.session_id)} is built for {request.watts / 1000:g} kW"
    return Problem("too-powerful", message, errors=[{"field": "power_kw", "message": message}])


def _why(request: RouteRequest, decision: Decision) -> str:
    zone = zone_of(request.session_id)
    if decision.placement.outcome is Outcome.FULL:
        return f"no substation of zone {zone} has {request.watts / 1000:g} kW free, and nobody more can wait"
    if decision.placement.outcome is Outcome.NOWHERE:
        return f"no substation of zone {zone} is up"
    return f"the ledger cannot be used: {decision.cause}"


def _request(request: RouteRequest) -> Request:
    return Request(
        session=request.session_id,
        vehicle=request.vehicle_id,
        watts=request.watts,
        energy_wh=request.energy_wh,
        ready_by=request.ready_by,
        priority=request.priority,
    )


def _session_or_404(session_id: str, record: SessionRecord | None) -> Response:
    if record is None:
        raise Problem("unknown-session", f"no session {session_id[:80]!r} is known (ended ones are kept for a while)")
    return jsonify(
        session_id=record.session,
        state=record.state,
        substation=record.substation,
        vehicle_id=record.vehicle,
        watts=record.watts,
        energy_wh=record.energy_wh,
        delivered_wh=record.delivered_wh,
        attempt=record.attempt,
        accepted=record.accepted,
        ready_by=record.ready_by,
        priority=record.priority,
        waited_ms=record.waited,
        interruptions=record.interruptions,
        interrupted_by=record.interrupted_by,
        position=record.position or None,
        expected_wait_ms=record.expected_wait_ms,
    )


def _substation(zone: str, row: SubstationRecord) -> dict[str, Any]:
    return {
        "substation": row.substation,
        "zone": zone,
        "state": row.state,
        "epoch": row.epoch,
        "capacity": row.capacity,
        "limit": row.limit,
        "committed": row.committed,
        "headroom": row.headroom,
        "load": row.load,
        "sessions": row.sessions,
    }
