"""Hands out each call at the instant it is due, whoever is still waiting for an answer."""

import time
from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field

import gevent
from gevent.queue import Queue

from loadtest.answers import Answer, Judged, Timing, answers_for
from loadtest.cars import Car
from loadtest.shapes import Due

CONNECTION_TIMEOUT_S = 5.0
NETWORK_TIMEOUT_S = 15.0
LAST_ANSWERS_S = CONNECTION_TIMEOUT_S + NETWORK_TIMEOUT_S + 2.0
"""After the last call was due: a driver gives up before the desk does, so a call that was sent has an outcome."""
UNANSWERED = "no answer in time"


@dataclass(frozen=True, slots=True)
class Ask:
    cars: tuple[Car, ...]
    due: float
    zone: str = ""


@dataclass(frozen=True, slots=True)
class LookUp:
    session: str
    due: float


@dataclass(frozen=True, slots=True)
class Cancel:
    session: str
    due: float


Errand = Ask | LookUp | Cancel


@dataclass
class Desk:
    """`due` is on the clock of time.perf_counter. Fleets queue apart: theirs are other users.

    `cars` counts those that were due so far; `open` are the errands without an outcome yet, `sent` when a user took
    each of them, by their id(). `all_busy` counts the calls for which no user was free when they were due; `late_s`
    is how long each call waited for one.
    """

    began: float = 0.0
    cars: int = 0
    open: dict[int, Errand] = field(default_factory=dict)
    sent: dict[int, float] = field(default_factory=dict)
    all_busy: int = 0
    late_s: "array[float]" = field(default_factory=lambda: array("f"))
    free: dict[bool, int] = field(default_factory=lambda: {True: 0, False: 0})
    queues: dict[bool, Queue] = field(default_factory=lambda: {True: Queue(), False: Queue()})

    def run(self, arrivals: Iterable[Due], lasts_s: float = 0.0) -> None:
        """Until all are handed out and answered; not less than `lasts_s`, if nobody comes at the end."""
        self.began = time.perf_counter()
        for arrival in arrivals:
            due = self.began + arrival.at_s
            _sleep_until(due)
            self._hand_out(Ask(arrival.cars, due, arrival.zone))
        _sleep_until(self.began + lasts_s)
        deadline = time.perf_counter() + LAST_ANSWERS_S
        while self.open and time.perf_counter() < deadline:
            gevent.sleep(0.05)

    def later(self, errand: LookUp | Cancel) -> None:
        """Hand this out when it is due."""
        self.open[id(errand)] = errand
        gevent.spawn_later(max(0.0, errand.due - time.perf_counter()), self._put, errand)

    def next(self, fleets: bool) -> Errand:
        """The next one, as soon as it is due."""
        self.free[fleets] += 1
        try:
            errand: Errand = self.queues[fleets].get()
        finally:
            self.free[fleets] -= 1
        self.sent[id(errand)] = now = time.perf_counter()
        self.late_s.append(max(0.0, now - errand.due))
        return errand

    def timing(self, errand: Errand, sent: float, answered: float) -> Timing:
        """What a call took: from when it was due, however late it was sent."""
        return {
            "due_s": round(errand.due - self.began, 4),
            "latency_ms": round((answered - errand.due) * 1000, 2),
            "late_ms": round((sent - errand.due) * 1000, 2),
        }

    def done(self, errand: Errand) -> bool:
        """It has an outcome. False if the desk has closed meanwhile, and noted it as unanswered."""
        self.sent.pop(id(errand), None)
        return self.open.pop(id(errand), None) is not None

    def close(self) -> list[Answer]:
        """What is still without an answer, whether it was sent or waits for a free user: from now on it has none."""
        now, at = time.perf_counter(), time.time()
        left, self.open = list(self.open.values()), {}
        self.late_s.extend(now - errand.due for errand in left if id(errand) not in self.sent and errand.due <= now)
        return [answer for errand in left if errand.due <= now for answer in self._unanswered(errand, now, at)]

    def _unanswered(self, errand: Errand, now: float, at: float) -> list[Answer]:
        timing = self.timing(errand, self.sent.get(id(errand), now), now)
        if isinstance(errand, Ask):
            call = "fleet" if len(errand.cars) > 1 else "charge"
            return answers_for(errand.cars, [Judged(UNANSWERED)] * len(errand.cars), call, at, timing, errand.zone)
        call = "cancel" if isinstance(errand, Cancel) else "look-up"
        return [Answer(at, UNANSWERED, errand.session, call, **timing)]

    def _hand_out(self, errand: Ask) -> None:
        self.cars += len(errand.cars)
        self.open[id(errand)] = errand
        self._put(errand)

    def _put(self, errand: Errand) -> None:
        fleets = isinstance(errand, Ask) and len(errand.cars) > 1
        self.all_busy += self.queues[fleets].qsize() >= self.free[fleets]
        self.queues[fleets].put(errand)


def _sleep_until(instant: float) -> None:
    if (left := instant - time.perf_counter()) > 0:
        gevent.sleep(left)
