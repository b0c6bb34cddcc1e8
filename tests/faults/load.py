"""Drivers who want to charge. Most repeat a request with the same key until it is answered; some ask once, without."""

import random
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import requests

# Power in kW and share of cars.
CARS = ((3.7, 25), (7.4, 25), (11, 30), (22, 15), (50, 5))
LONG_SECONDS = (1.0, 15.0, 2.0)
"""How long a session lasts in real time: least, most, mostly."""
SHORT_SECONDS = (1.0, 3.0, 2.0)
CANCELLED_SHARE = 0.05
ASK_ONCE_SHARE = 0.2
PRIORITIES = {"emergency": 5, "normal": 85, "flexible": 10}
IN_A_HURRY_SHARE = 0.2
READY_WITHIN_S = (25.0, 60.0)
"""Not before a driver has given up asking: his repeated request would be about the past."""
ANSWER_WITHIN_S = 10.0
GIVE_UP_AFTER_S = 20.0
PAUSE_S = 0.25
CHARGING, WAITING, FULL, NO_ANSWER = "charging", "waiting", "full", "no answer"
GOOD = (CHARGING, WAITING)


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP request's outcome; `started` and `ended` by time.monotonic()."""

    started: float
    ended: float
    outcome: str


@dataclass
class Load:
    """`per_second` requests in all, by `drivers` who each wait for an answer before the next car; may be changed.

    `time_scale` is the grid's: energies are chosen so that sessions last `seconds`.
    """

    url: str
    time_scale: float
    seed: int
    seconds: tuple[float, float, float] = LONG_SECONDS
    drivers: int = 60
    per_second: float = 25
    answers: list[Answer] = field(default_factory=list)
    accepted: dict[str, float] = field(default_factory=dict)
    """Session → when it was answered with 201 or 202: a promise."""
    ready_by: dict[str, float] = field(default_factory=dict)
    """Session → the time its owner named, by time.time(). Later than that it need not begin."""
    cancelled: set[str] = field(default_factory=set)
    """Those whose owners asked to cancel them, whatever was answered."""
    refused: dict[str, float] = field(default_factory=dict)
    """Vehicle that asked once and was answered with an error → when: it must not charge."""
    given_up: int = 0

    def __post_init__(self) -> None:
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._drive, args=[number]) for number in range(self.drivers)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """No new cars; those who wait for an answer still get it."""
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def good(self) -> list[float]:
        """When a car was told that it charges, or waits, in order."""
        return sorted(answer.ended for answer in list(self.answers) if answer.outcome in GOOD)

    def _drive(self, number: int) -> None:
        chance = random.Random(f"{self.seed}-{number}")
        with requests.Session() as http:
            while not self._stopping.wait(chance.expovariate(self.per_second / self.drivers)):
                power = chance.choices([power for power, _ in CARS], [share for _, share in CARS])[0]
                seconds = chance.triangular(*self.seconds)
                energy = round(power * seconds * self.time_scale / 3600, 3)
                car = {"vehicle_id": f"ev-{number}", "power_kw": power, "energy_kwh": energy, **_wishes(chance)}
                key = f"{self.seed}-{chance.getrandbits(64):x}"
                once = chance.random() < ASK_ONCE_SHARE
                session = self._ask_once(http, car | {"vehicle_id": key}) if once else self._ask(http, car, key)
                if session and chance.random() < CANCELLED_SHARE:
                    self._cancel(http, session, after_s=chance.uniform(0, seconds))

    def _ask(self, http: requests.Session, car: dict[str, Any], key: str) -> str | None:
        """The session's id; None if the grid and its line were full, or nobody answered for too long."""
        deadline = time.monotonic() + GIVE_UP_AFTER_S
        while time.monotonic() < deadline:
            started = time.monotonic()
            outcome, session = post(http, self.url, car, key)
            self.answers.append(Answer(started, time.monotonic(), outcome))
            if outcome in GOOD:
                return self._accept(session, car)
            if outcome == FULL:
                return None
            time.sleep(PAUSE_S)
        self.given_up += 1
        return None

    def _ask_once(self, http: requests.Session, car: dict[str, Any]) -> str | None:
        started = time.monotonic()
        outcome, session = post(http, self.url, car)
        self.answers.append(Answer(started, time.monotonic(), outcome))
        if outcome in GOOD:
            return self._accept(session, car)
        if outcome != NO_ANSWER:
            self.refused[car["vehicle_id"]] = time.monotonic()
        return None

    def _accept(self, session: str, car: dict[str, Any]) -> str:
        if "ready_by" in car:
            self.ready_by[session] = datetime.fromisoformat(car["ready_by"]).timestamp()
        self.accepted[session] = time.monotonic()
        return session

    def _cancel(self, http: requests.Session, session: str, after_s: float) -> None:
        self._stopping.wait(after_s)
        self.cancelled.add(session)
        try:
            http.delete(f"{self.url}/sessions/{session}", timeout=ANSWER_WITHIN_S)
        except requests.RequestException:
            http.close()  # then it charges on, or not: either is what its owner gets


def post(http: requests.Session, url: str, car: dict[str, Any], key: str | None = None) -> tuple[str, str]:
    """What was answered, and the session's id if it is one."""
    try:
        answer = http.post(
            f"{url}/request-charge", json=car, headers={"Idempotency-Key": key} if key else {}, timeout=ANSWER_WITHIN_S
        )
        body = answer.json()
    except requests.RequestException:
        http.close()
        return NO_ANSWER, ""
    if answer.status_code in (201, 202):
        return CHARGING if answer.status_code == 201 else WAITING, body["session_id"]
    return (FULL if body["type"] == "/problems/grid-full" else f"{answer.status_code} {body['type']}"), ""


def _wishes(chance: random.Random) -> dict[str, str]:
    """How urgent it is."""
    wishes = {"priority": chance.choices(list(PRIORITIES), list(PRIORITIES.values()))[0]}
    if chance.random() < IN_A_HURRY_SHARE:
        ready_by = datetime.now(UTC) + timedelta(seconds=chance.uniform(*READY_WITHIN_S))
        wishes["ready_by"] = ready_by.isoformat(timespec="milliseconds")
    return wishes
