"""The substation over HTTP. Powers in W, energies in Wh."""

from typing import Any

from flask import Blueprint, Response, jsonify, request

from grid.bodies import answer, check, read_one_or_many
from grid.problems import Problem
from substation.admission import admit
from substation.heartbeat import Heartbeats, Identity
from substation.meters import Meters
from substation.schemas import ChargeOrder, WhichAttempt
from substation.station import Station, Verdict


def create_routes(identity: Identity, station: Station, heartbeats: Heartbeats, meters: Meters) -> Blueprint:
    routes = Blueprint("substation", __name__)

    @routes.post("/charge")
    def charge() -> Response:
        items, many = read_one_or_many()
        orders = [check(ChargeOrder, item, f"{i}" if many else "") for i, item in enumerate(items)]
        epoch = heartbeats.epoch  # read once: a heartbeat may change it meanwhile
        verdicts = admit(orders, identity, heartbeats, epoch, station)
        bodies = [_verdict(order, verdict, epoch) for order, verdict in zip(orders, verdicts, strict=True)]
        return answer(bodies, many)

    @routes.delete("/charge/<session_id>")
    def cancel(session_id: str) -> Response:
        attempt = check(WhichAttempt, request.args.to_dict()).attempt
        if not station.cancel(session_id, attempt):
            raise Problem("unknown-session", f"{session_id} does not charge here")
        return jsonify(session_id=session_id, state="cancelled")

    @routes.get("/status")
    def status() -> Response:
        snapshot = station.snapshot()
        return jsonify(
            substation=identity.substation,
            epoch=heartbeats.epoch,
            capacity_watts=identity.capacity,
            limit_watts=identity.limit,
            started=snapshot.started,
            drawn_watts=snapshot.drawn,
            peak_watts=snapshot.peak,
            overload_seconds=snapshot.overload_s,
            time_scale=station.time_scale,
            sessions=[
                {
                    "session_id": charging.order.session,
                    "attempt": charging.order.attempt,
                    "vehicle_id": charging.order.vehicle,
                    "watts": charging.order.watts,
                    "energy_wh": charging.order.energy_wh,
                    "delivered_wh": charging.delivered_wh(snapshot.now),
                }
                for charging in snapshot.charging
            ],
        )

    def _verdict(order: ChargeOrder, verdict: Verdict, epoch: int) -> dict[str, Any]:
        if verdict in (Verdict.STARTED, Verdict.CHARGING, Verdict.FINISHED):
            state = Verdict.CHARGING if verdict is Verdict.STARTED else verdict
            return {"status": 201, "session_id": order.session_id, "state": state}
        meters.refused(verdict)
        why = {
            Verdict.NO_ROOM: f"{order.watts} W do not fit",
            Verdict.WRONG_EPOCH: f"this is {identity.substation}, epoch {epoch}; "
            f"not {order.substation}, epoch {order.epoch}",
            Verdict.CANCELLED_BEFORE: f"attempt {order.attempt} is over",
            Verdict.OUT_OF_TOUCH: f"the ledger has not answered {identity.substation} for too long",
        }
        return Problem(verdict, why[verdict], session_id=order.session_id).body()

    return routes
