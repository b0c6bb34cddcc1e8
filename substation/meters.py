"""Shows what the station does: as metrics, at each heartbeat and each scrape, and a line in the log for each end."""

import logging
import threading
from collections.abc import Iterable

from prometheus_client import Metric
from prometheus_client.registry import Collector

from grid.metrics import start_at_zero, substation_metrics
from substation.station import End, Snapshot, Station, Verdict

log = logging.getLogger(__name__)

JOULES_PER_WH = 3600
ENDS = ("finished", "cancelled", "stopped")
REFUSALS = (Verdict.NO_ROOM, Verdict.CANCELLED_BEFORE, Verdict.WRONG_EPOCH, Verdict.OUT_OF_TOUCH)
PRIORITIES = ("emergency", "normal", "flexible")
ANSWERS = ("ok", "registered", "superseded", "unanswered")
"""Of the ledger, to a heartbeat."""


class Meters:
    """The metrics of one substation. Powers in W."""

    def __init__(self, zone: str, substation: str, capacity: int, limit: int) -> None:
        self._names = (zone, substation)
        self._metrics = substation_metrics()
        self._lock = threading.Lock()
        self._shown_at = 0.0
        self._started = 0
        self._overload_s = 0.0
        self._metrics.capacity.labels(*self._names).set(capacity)
        self._metrics.limit.labels(*self._names).set(limit)
        self._metrics.energy.labels(*self._names)
        self._metrics.preemptions.labels(*self._names)
        start_at_zero(self._metrics.ended, *([name] for name in self._names), ENDS)
        start_at_zero(self._metrics.refused, *([name] for name in self._names), REFUSALS)
        start_at_zero(self._metrics.waited, *([name] for name in self._names), PRIORITIES)
        start_at_zero(self._metrics.heartbeats, *([name] for name in self._names), ANSWERS)

    def show(self, snapshot: Snapshot) -> None:
        with self._lock:
            if snapshot.now < self._shown_at or snapshot.started < self._started:
                return  # another thread has shown a newer one
            self._metrics.drawn.labels(*self._names).set(snapshot.drawn)
            self._metrics.peak.labels(*self._names).set(snapshot.peak)
            self._metrics.charging.labels(*self._names).set(len(snapshot.charging))
            self._metrics.started.labels(*self._names).inc(snapshot.started - self._started)
            self._metrics.overload.labels(*self._names).inc(snapshot.overload_s - self._overload_s)
            self._shown_at, self._started, self._overload_s = snapshot.now, snapshot.started, snapshot.overload_s

    def ended(self, end: End) -> None:
        self._metrics.ended.labels(*self._names, end.how).inc()
        self._metrics.energy.labels(*self._names).inc(end.delivered_wh * JOULES_PER_WH)
        self._metrics.charging_time.labels(*self._names).observe(end.lasted_s)
        log.info(
            "session %s attempt %s %s after %s Wh",
            end.session,
            end.attempt,
            end.how,
            end.delivered_wh,
            extra={"session": end.session, "attempt": end.attempt, "how": end.how},
        )

    def refused(self, reason: str) -> None:
        self._metrics.refused.labels(*self._names, reason).inc()

    def preempted(self) -> None:
        self._metrics.preemptions.labels(*self._names).inc()

    def waited(self, priority: str, ms: int) -> None:
        self._metrics.waited.labels(*self._names, priority).observe(ms / 1000)

    def heartbeat(self, outcome: str) -> None:
        self._metrics.heartbeats.labels(*self._names, outcome).inc()


class Reading(Collector):
    """Has the meters show what is true at the scrape, not at the last heartbeat: in a second, many cars come and go."""

    def __init__(self, station: Station, meters: Meters) -> None:
        self._station = station
        self._meters = meters

    def collect(self) -> Iterable[Metric]:
        self._meters.show(self._station.snapshot())
        return []
