"""The usual design of this field, in as few lines as it usually has: api, balancer, substations on Flask's own server.

The balancer asks each substation's /metrics every 5 s, and sends each car to the one that drew the least then. Every
call has a connection of its own. The substations are the grid's, with the floor's ledger and no limit: they refuse
nobody. `python -m loadtest.bench.polling api PORT BALANCER`, `balancer PORT NAME=SUBSTATION …`, or `substation PORT`
"""

import sys
import threading
import time
import uuid
from typing import Any

import requests
from flask import Flask, request
from prometheus_client.parser import text_string_to_metric_families

from loadtest.bench import floor

POLL_S = 5.0
TIMEOUT_S = 5.0
LOAD = "grid_substation_drawn_watts"


def api(balancer_url: str) -> Flask:
    app = _app()

    @app.post("/request-charge")
    def request_charge() -> Any:
        wanted = request.get_json()
        if not wanted.get("vehicle_id") or not wanted.get("power_kw", 0) > 0:
            return {"error": "vehicle_id and power_kw are needed"}, 400
        reply = requests.post(f"{balancer_url}/route", json=wanted, timeout=TIMEOUT_S)
        return reply.json(), reply.status_code

    return app


def balancer(substations: dict[str, str]) -> Flask:
    app = _app()
    loads = dict.fromkeys(substations, 0.0)

    def poll() -> None:
        while True:
            for name, url in substations.items():
                loads[name] = drawn_watts(requests.get(f"{url}/metrics", timeout=TIMEOUT_S).text)
            time.sleep(POLL_S)

    threading.Thread(target=poll, daemon=True).start()

    @app.post("/route")
    def route() -> Any:
        wanted = request.get_json()
        name = min(loads, key=loads.__getitem__)
        order = {
            "session_id": str(uuid.uuid4()),
            "attempt": 1,
            "substation": name,
            "epoch": floor.EPOCH,
            "vehicle_id": wanted["vehicle_id"],
            "watts": round(wanted["power_kw"] * 1000),
            "energy_wh": round(wanted["energy_kwh"] * 1000),
        }
        reply = requests.post(f"{substations[name]}/charge", json=order, timeout=TIMEOUT_S)
        return {**wanted, **reply.json(), "substation": name}, reply.status_code

    return app


def substation() -> Flask:
    app = floor.substation()
    for task in app.extensions["background"]:
        task.start()
    return app


def _app() -> Flask:
    app = Flask(__name__)

    @app.get("/health")
    def health() -> dict[str, str]:
        return {"status": "ok"}

    return app


def drawn_watts(text: str) -> float:
    (drawn,) = (family for family in text_string_to_metric_families(text) if family.name == LOAD)
    return float(drawn.samples[0].value)


def serve(which: str, port: str, others: list[str]) -> None:
    """Until it is ended."""
    makes = {
        "api": lambda: api(*others),
        "balancer": lambda: balancer(dict(other.split("=", 1) for other in others)),
        "substation": substation,
    }
    makes[which]().run(port=int(port), threaded=True)


if __name__ == "__main__":
    serve(sys.argv[1], sys.argv[2], sys.argv[3:])
