"""What the services say of themselves during a run: sampled from outside, past every proxy, across their restarts."""

import json
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import requests

from grid.local import Service

from .runs import Runs

SAMPLE_S = 0.25
METRICS_S = 1.0
PATIENCE_S = 0.3
Process = tuple[str, int]
"""A service's name and its process id: one incarnation."""


@dataclass
class Figures:
    """What one substation process said last."""

    limit: int
    peak: int
    overload_s: float


@dataclass
class Wound:
    """The sessions that a killed substation carried, until each charges again, or is over."""

    substation: str
    at: float
    sessions: dict[str, int]
    """Session → the attempt that was killed."""
    recovered_after_s: float | None = None


class Watch:
    """Samples every `sample_s` until stopped. `look` before a process is killed: its figures die with it."""

    def __init__(
        self,
        substations: Iterable[Service],
        balancers: Iterable[Service],
        cancelled: Collection[str] = (),
        sample_s: float = SAMPLE_S,
    ) -> None:
        self.substations = list(substations)
        self.balancers = list(balancers)
        self.cancelled = cancelled
        """Sessions whose owners no longer want them; may grow meanwhile."""
        self.figures: dict[Process, Figures] = {}
        self.refusals: dict[Process, Counter[str]] = {}
        self.placements: dict[Process, float] = {}
        self.refused_placements: dict[Process, float] = {}
        self.runs = Runs()
        self.charging: dict[str, dict[str, int]] = {}
        """Substation → session → attempt, as last seen."""
        self.last_seen: dict[str, float] = {}
        """Vehicle → when it was last seen charging, by time.monotonic()."""
        self.overloads: list[str] = []
        self.wounds: list[Wound] = []
        self.ends = EndLog(self.substations)
        self._sample_s = sample_s
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch")

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()

    def look(self, service: Service) -> None:
        """Note what a process says now, if it answers."""
        with self._lock:
            if service in self.substations:
                self._look_at_substation(service, with_metrics=True)
            else:
                self._look_at_balancer(service)

    def killed(self, substation: Service) -> None:
        """Begin to measure how long its sessions are without power."""
        with self._lock:
            sessions = self.charging.pop(substation.name, {})
            self.runs.killed(substation.name, time.monotonic())
            self.wounds.append(Wound(substation.name, time.monotonic(), dict(sessions)))

    @property
    def highest_load(self) -> float:
        return max((figures.peak / figures.limit for figures in self.figures.values()), default=0.0)

    @property
    def overload_s(self) -> float:
        return sum(figures.overload_s for figures in self.figures.values())

    @property
    def refused(self) -> Counter[str]:
        """Refusals of all substation processes, by reason."""
        total: Counter[str] = Counter()
        for counts in self.refusals.values():
            total.update(counts)
        return total

    @property
    def placed(self) -> int:
        return round(sum(self.placements.values()))

    @property
    def placements_refused(self) -> int:
        """As the balancers count them: without the late copies of requests that nobody waits for any more."""
        return round(sum(self.refused_placements.values()))

    def _run(self) -> None:
        metrics_due = 0.0
        while not self._stopping.wait(self._sample_s):
            with_metrics = time.monotonic() > metrics_due
            for substation in self.substations:
                with self._lock:
                    self._look_at_substation(substation, with_metrics)
            if with_metrics:
                metrics_due = time.monotonic() + METRICS_S
                for balancer in self.balancers:
                    with self._lock:
                        self._look_at_balancer(balancer)
            with self._lock:
                self._heal_wounds()

    def _look_at_substation(self, service: Service, with_metrics: bool) -> None:
        process = (service.name, service.pid)
        asked = time.monotonic()
        status = _get(f"{service.url}/status")
        if status is None:
            return
        said = status.json()
        self.runs.look(*process, said, asked, asked + status.elapsed.total_seconds())
        self.figures[process] = Figures(said["limit_watts"], said["peak_watts"], said["overload_seconds"])
        if said["drawn_watts"] > said["limit_watts"]:
            self.overloads.append(f"{service.name} draws {said['drawn_watts']} of {said['limit_watts']} W")
        self.charging[service.name] = {row["session_id"]: row["attempt"] for row in said["sessions"]}
        self.last_seen |= {row["vehicle_id"]: asked for row in said["sessions"]}
        metrics = _get(f"{service.url}/metrics") if with_metrics else None
        if metrics is not None:
            counts = series(metrics.text, "grid_substation_refusals_total")
            self.refusals[process] = Counter({labels["reason"]: round(value) for labels, value in counts})

    def _look_at_balancer(self, service: Service) -> None:
        metrics = _get(f"{service.url}/metrics")
        if metrics is not None:
            process = (service.name, service.pid)
            placed = series(metrics.text, "grid_placements_total")
            self.placements[process] = sum(value for labels, value in placed if labels["outcome"] == "placed")
            tried = series(metrics.text, "grid_charge_orders_total")
            self.refused_placements[process] = sum(value for labels, value in tried if labels["answer"] == "no")

    def _heal_wounds(self) -> None:
        self.ends.read()
        for wound in self.wounds:
            if wound.recovered_after_s is None and all(
                self._is_well(session, attempt) for session, attempt in wound.sessions.items()
            ):
                wound.recovered_after_s = time.monotonic() - wound.at

    def _is_well(self, session: str, killed_attempt: int) -> bool:
        return (
            session in self.cancelled
            or any(sessions.get(session, 0) > killed_attempt for sessions in self.charging.values())
            or any(end.attempt >= killed_attempt for end in self.ends.of(session))
        )


@dataclass(frozen=True, slots=True)
class AttemptEnd:
    """`how` is finished, cancelled or stopped."""

    attempt: int
    how: str


class EndLog:
    """How sessions ended, from the logs of the substations: a line is there also when its writer was killed."""

    def __init__(self, substations: Iterable[Service]) -> None:
        self._substations = list(substations)
        self._read_to = {substation.name: 0 for substation in self._substations}
        self._ends: dict[str, list[AttemptEnd]] = defaultdict(list)

    def read(self) -> None:
        """Take in what was written since the last time."""
        for substation in self._substations:
            for line in self._new_lines(substation):
                if "how" in line and "session" in line:
                    self._ends[line["session"]].append(AttemptEnd(line["attempt"], line["how"]))

    def of(self, session: str) -> Sequence[AttemptEnd]:
        return self._ends.get(session, ())

    def times_finished(self, session: str) -> int:
        return sum(end.how == "finished" for end in self.of(session))

    def _new_lines(self, substation: Service) -> Iterator[dict[str, Any]]:
        with substation.log.open("rb") as log:
            log.seek(self._read_to[substation.name])
            for line in log:
                if not line.endswith(b"\n"):
                    break
                self._read_to[substation.name] += len(line)
                if line.startswith(b"{"):
                    yield json.loads(line)


def series(metrics: str, name: str) -> Iterator[tuple[dict[str, str], float]]:
    """Each series of a metric: its labels and its value."""
    for line in metrics.splitlines():
        if line.startswith(f"{name}{{"):
            labels, _, value = line[len(name) + 1 :].rpartition("} ")
            pairs = (label.partition("=") for label in labels.split(","))
            yield {key: text.strip('"') for key, _, text in pairs}, float(value)


def _get(url: str) -> requests.Response | None:
    try:
        answer = requests.get(url, timeout=PATIENCE_S)
    except requests.RequestException:
        return None
    return answer if answer.status_code == 200 else None
