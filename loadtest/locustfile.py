"""Drivers who come home and want to charge. Every answer is checked; a full grid (503 grid-full) is an outcome.

locust -f loadtest/locustfile.py --host http://127.0.0.1:8080 --headless -u 100 -r 20 -t 30s
"""

import json
import random
import time
from argparse import ArgumentParser
from collections import Counter
from pathlib import Path
from typing import Any

from locust import FastHttpUser, events, poisson, task
from locust.env import Environment

# Power in kW, energy in kWh, share of cars: slow home chargers to motorway fast chargers.
CARS = [(3.7, 6, 20), (7.4, 10, 25), (11, 10, 30), (22, 15, 15), (50, 20, 7), (150, 30, 3)]
PERCENTILES = (0.50, 0.95, 0.99)
outcomes: Counter[str] = Counter()


class Driver(FastHttpUser):
    """One car after the other, one a second on average: together the drivers ask at random instants, as people do."""

    wait_time = poisson(1)

    @task
    def request_charge(self) -> None:
        power, energy, _ = random.choices(CARS, [share for _, _, share in CARS])[0]
        car = {"vehicle_id": f"ev-{random.randrange(10**9)}", "power_kw": power, "energy_kwh": energy}
        with self.client.post("/request-charge", json=car, catch_response=True) as answer:
            outcome = judge(answer.status_code, answer.text or "")
            outcomes[outcome] += 1
            write_answer(self.environment, outcome, answer.json() if answer.status_code == 201 else {})
            if outcome in ("charging", "refused"):
                answer.success()
            else:
                answer.failure(outcome)


def judge(status: int, text: str) -> str:
    """charging, refused (the grid is full), or what went wrong."""
    try:
        body = json.loads(text)
    except ValueError:
        return f"{status} without JSON" if status else "no answer"
    if status == 201 and body.get("state") in ("charging", "finished"):  # finished: asked twice, and a short one
        return "charging"
    if status == 503 and body.get("type") == "/problems/grid-full":
        return "refused"
    return f"{status} {body.get('type', body.get('state', '?'))}"


def write_answer(environment: Environment, outcome: str, accepted: dict[str, Any]) -> None:
    path = environment.parsed_options.answers if environment.parsed_options else ""
    if not path:
        return
    answer = {"at": time.time(), "outcome": outcome, "session": accepted.get("session_id")}
    with Path(path).open("a") as log:
        print(json.dumps(answer), file=log)


@events.init_command_line_parser.add_listener  # type: ignore[untyped-decorator]
def add_options(parser: ArgumentParser) -> None:
    parser.add_argument("--result", default="", help="write the figures of the run to this file, as JSON")
    parser.add_argument("--answers", default="", help="write each answer to this file as it comes, a line of JSON each")


@events.quitting.add_listener  # type: ignore[untyped-decorator]
def write_result(environment: Environment, **_: Any) -> None:
    path = environment.parsed_options.result if environment.parsed_options else ""
    if not path:
        return
    total = environment.stats.total
    result = {
        "requests": total.num_requests,
        "outcomes": dict(outcomes),
        "requests_per_s": round(total.total_rps, 1),
        "latency_ms": {f"p{p * 100:g}": total.get_response_time_percentile(p) for p in PERCENTILES},
    }
    Path(path).write_text(json.dumps(result))
