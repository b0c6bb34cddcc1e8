"""Who asks: a driver for one car, a fleet for many in one call. Every answer is checked."""

import random
import time
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from locust import FastHttpUser, task

from loadtest import answers, testrun
from loadtest.answers import FINE, Answer, Timing
from loadtest.cars import Car
from loadtest.desk import CONNECTION_TIMEOUT_S, NETWORK_TIMEOUT_S, Ask, Cancel, Errand, LookUp
from loadtest.drivers import DRIVER_WEIGHT, FLEET_WEIGHT

OVER = ("cancelling", "cancelled", "finished", "expired")
"""What a cancel may be answered. Cancelling: its substation did not answer, and stops it after its next heartbeat;
finished or expired: it was full just before, or had waited until its ready-by time."""
STATES = ("waiting", "reserved", "charging", *OVER)
SOON_S = 5.0


class Driver(FastHttpUser):
    """Asks for one car; may look its session up or cancel it."""

    weight = DRIVER_WEIGHT
    fleets = False
    network_timeout = NETWORK_TIMEOUT_S
    connection_timeout = CONNECTION_TIMEOUT_S
    errand: Errand | None = None

    def wait_time(self) -> float:
        """Until the next call is due. Locust may end a user here, but not in the middle of a call."""
        self.errand = testrun.now.desk.next(self.fleets)
        return 0

    @task
    def go(self) -> None:
        errand, self.errand = self.errand, None
        if errand is None:  # Locust begins with a task, we begin with a wait
            return
        if isinstance(errand, Ask):
            self.ask(errand)
        else:
            self.visit(errand)

    def ask(self, errand: Ask) -> None:
        vehicles = [f"ev-{uuid.uuid4().hex[:12]}" for _ in errand.cars]
        wanted = [_body(car, vehicle, errand.zone) for car, vehicle in zip(errand.cars, vehicles, strict=True)]
        fleet = len(wanted) > 1
        sent = time.perf_counter()
        with self.client.post(
            "/request-charge",
            json=wanted if fleet else wanted[0],
            name="/request-charge (fleet)" if fleet else "/request-charge",
            catch_response=True,
        ) as reply:
            timing = testrun.now.desk.timing(errand, sent, time.perf_counter())
            status, text = reply.status_code, reply.text or ""
            judged = (
                answers.judge_fleet(status, text, vehicles) if fleet else [answers.judge(status, text, vehicles[0])]
            )
            _settle(reply, timing, [each.outcome for each in judged])
        call = "fleet" if fleet else "charge"
        testrun.now.note(errand, answers.answers_for(errand.cars, judged, call, time.time(), timing, errand.zone))
        for car, each in zip(errand.cars, judged, strict=True):
            if each.session:
                _plan_visits(car, each.session)

    def visit(self, errand: LookUp | Cancel) -> None:
        sent = time.perf_counter()
        cancels = isinstance(errand, Cancel)
        call, good, states = ("cancel", "cancelled", OVER) if cancels else ("look-up", "found", STATES)
        with self.client.request(
            "DELETE" if cancels else "GET",
            f"/sessions/{errand.session}",
            name="/sessions/{id}",
            catch_response=True,
        ) as reply:
            timing = testrun.now.desk.timing(errand, sent, time.perf_counter())
            outcome = answers.judge_session(reply.status_code, reply.text or "", errand.session, states, good)
            _settle(reply, timing, [outcome])
        testrun.now.note(errand, [Answer(time.time(), outcome, errand.session, call, **timing)])


class Fleet(Driver):
    """Asks for many cars in one call."""

    weight = FLEET_WEIGHT
    fleets = True


def _body(car: Car, vehicle: str, zone: str) -> dict[str, Any]:
    body = {"vehicle_id": vehicle, "power_kw": car.power_kw, "energy_kwh": car.energy_kwh, "zone": zone}
    if car.stay_s is not None:
        stays = timedelta(seconds=max(car.stay_s / testrun.now.options.time_scale, SOON_S))
        body["ready_by"] = (datetime.now(UTC) + stays).isoformat()
    return body


def _settle(reply: Any, timing: Timing, outcomes: list[str]) -> None:
    """Tell Locust how it went, and how long it took since it was due."""
    testrun.now.calls += 1
    reply.request_meta["response_time"] = timing["latency_ms"]
    wrong = [outcome for outcome in outcomes if outcome not in FINE]
    if wrong:
        reply.failure(wrong[0])
    else:
        reply.success()


def _plan_visits(car: Car, session: str) -> None:
    within_s = min(car.session_s / testrun.now.options.time_scale, SOON_S)
    now = time.perf_counter()
    if random.random() < testrun.now.options.look_ups:
        testrun.now.desk.later(LookUp(session, now + random.random() * within_s))
    if random.random() < testrun.now.options.cancels:
        testrun.now.desk.later(Cancel(session, now + random.random() * within_s))
