"""Every metric of every service: names, units and labels in one registry, served at /metrics.

Correct across gunicorn workers: `grid/gunicorn_conf.py` sets PROMETHEUS_MULTIPROC_DIR before this is imported.
"""

import os
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import product
from pathlib import Path

from flask import Flask, Response
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Metric,
    generate_latest,
    multiprocess,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

LATENCY = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
CHARGING_TIME = (1, 2.5, 5, 10, 30, 60, 300, 900, 1_800, 3_600, 7_200, 14_400, 28_800, 57_600)
WAITING_TIME = (0.1, 1, 5, 15, 60, 300, 900, 1_800, 3_600, 7_200, 14_400, 28_800, 43_200)
POWER_CLASSES_KW = (4, 8, 12, 25, 60, 160, 400)
"""Upper bounds: home sockets, home and street chargers, three phases, fast and motorway chargers."""


POWER_CLASSES = (*map(str, POWER_CLASSES_KW), "more")
"""The values of the label `up_to_kw`."""


def power_class(watts: int) -> str:
    """The label `up_to_kw` of a request."""
    return next((str(bound) for bound in POWER_CLASSES_KW if watts <= bound * 1000), "more")


def start_at_zero(counter: Counter | Histogram, *labels: Iterable[str]) -> None:
    """Show every series from the start: of one that appears with its first event, Prometheus never sees the rise."""
    for values in product(*labels):
        counter.labels(*values)


class ServiceMetrics:
    """What every service counts of its own HTTP."""

    def __init__(self) -> None:
        self.requests = Counter(
            "grid_http_requests_total", "Requests answered", ["service", "endpoint", "method", "status"]
        )
        self.latency = Histogram(
            "grid_http_request_duration_seconds", "Time to answer a request", ["service", "endpoint"], buckets=LATENCY
        )


ANSWERS = (
    *("reserved", "charging", "waiting", "cancelling", "finished", "cancelled", "expired"),
    *("grid-full", "too-powerful", "no-substation", "ledger-unavailable", "balancer-unavailable"),
    *("invalid-request", "idempotency-conflict", "not-json", "http-413", "http-415", "http-500"),
)
"""What a driver may be told: the state of a session, or why there is none."""


class ApiMetrics:
    """What drivers are answered."""

    def __init__(self) -> None:
        self.answers = Counter(
            "grid_answers_total",
            "Charging requests answered by state, problem or HTTP status, each car of a fleet alone",
            ["outcome"],
        )
        start_at_zero(self.answers, ANSWERS)


class BalancerMetrics:
    """What a balancer decides, and what it costs."""

    def __init__(self) -> None:
        self.placements = Counter(
            "grid_placements_total", "Charging requests decided, by power class", ["zone", "outcome", "up_to_kw"]
        )
        self.placements_watts = Counter(
            "grid_placements_watts_total", "Power that the requests decided asked for", ["zone", "outcome"]
        )
        self.orders = Counter(
            "grid_charge_orders_total",
            "Sessions posted to their substations: started (yes), refused (no), not answered (unknown)",
            ["zone", "answer"],
        )
        self.ejections = Counter(
            "grid_ejections_total", "Substations that got nothing new for a while because they did not answer", ["zone"]
        )
        self.reserve = Histogram(
            "grid_reserve_duration_seconds", "Time of one reserve call, a batch as one", buckets=LATENCY
        )
        self.forward = Histogram(
            "grid_forward_duration_seconds", "Time of one POST /charge, a batch as one", buckets=LATENCY
        )
        self.swept = Counter("grid_swept_total", "What sweeps dealt with", ["kind"])
        self.sweeps = Counter("grid_sweeps_total", "Sweeps done", ["zone"])


SUBSTATION = ["zone", "substation"]


class SubstationMetrics:
    """What a substation carries, by its own account."""

    def __init__(self) -> None:
        self.capacity = _gauge("grid_substation_capacity_watts", "Rating")
        self.limit = _gauge("grid_substation_limit_watts", "Overload threshold")
        self.drawn = _gauge("grid_substation_drawn_watts", "What the cars draw now")
        self.peak = _gauge("grid_substation_peak_watts", "The most they drew since it started")
        self.charging = _gauge("grid_substation_sessions", "Cars charging now")
        self.overload = Counter("grid_substation_overload_seconds_total", "Time above the limit", SUBSTATION)
        self.started = Counter("grid_substation_sessions_started_total", "Sessions started", SUBSTATION)
        self.ended = Counter("grid_substation_sessions_ended_total", "Sessions ended", [*SUBSTATION, "how"])
        self.refused = Counter(
            "grid_substation_refusals_total",
            "Sessions not started here, in POST /charge or a reply of the ledger",
            [*SUBSTATION, "reason"],
        )
        self.preemptions = Counter(
            "grid_substation_preemptions_total", "Sessions stopped for a more urgent one, and queued again", SUBSTATION
        )
        self.energy = Counter("grid_substation_energy_delivered_joules_total", "Energy of ended sessions", SUBSTATION)
        self.charging_time = Histogram(
            "grid_substation_charging_seconds",
            "From a session's start to its end, in real time",
            SUBSTATION,
            buckets=CHARGING_TIME,
        )
        self.waited = Histogram(
            "grid_substation_waited_seconds",
            "How long sessions were queued before their first start, in real time",
            [*SUBSTATION, "priority"],
            buckets=WAITING_TIME,
        )
        self.heartbeats = Counter(
            "grid_substation_heartbeats_total", "Heartbeats sent, by the ledger's answer", [*SUBSTATION, "outcome"]
        )


LEDGER_GAUGES = {
    "grid_ledger_up": ("1 if Redis answers this balancer", ["zone"]),
    "grid_ledger_sessions": ("Sessions known, by state", ["zone", "state"]),
    "grid_ledger_capacity_watts": ("Rating", ["zone", "substation"]),
    "grid_ledger_limit_watts": ("Overload threshold", ["zone", "substation"]),
    "grid_ledger_committed_watts": ("What sessions hold", ["zone", "substation"]),
    "grid_ledger_headroom_watts": ("What the next request may take", ["zone", "substation"]),
    "grid_ledger_load_ratio": ("Committed by limit", ["zone", "substation"]),
    "grid_ledger_heartbeat_age_seconds": ("Since the last heartbeat", ["zone", "substation"]),
    "grid_ledger_substation_state": ("1 for the state it is in", ["zone", "substation", "state"]),
    "grid_ledger_line_overdue_seconds": ("Since the first in line should have begun to charge", ["zone"]),
    "grid_ledger_line_smallest_watts": ("The least that anybody in line waits for; 0 if nobody waits", ["zone"]),
}
"""What balancer/ledger_view.py reads at each scrape: name → meaning and labels."""


def ledger_gauge(name: str) -> GaugeMetricFamily:
    meaning, labels = LEDGER_GAUGES[name]
    return GaugeMetricFamily(name, meaning, labels=labels)


# Made when a service first needs them, so that each shows its own metrics only.
service_metrics = cache(ServiceMetrics)
api_metrics = cache(ApiMetrics)
balancer_metrics = cache(BalancerMetrics)
substation_metrics = cache(SubstationMetrics)


def _gauge(name: str, meaning: str) -> Gauge:
    return Gauge(name, meaning, SUBSTATION, multiprocess_mode="livemostrecent")


PROCESS_METRICS = {
    "grid_process_start_time_seconds": "When the newest process of this service started",
    "grid_process_resident_memory_bytes": "Memory of all processes of this service",
    "grid_process_cpu_seconds_total": "Processor time of all processes of this service, also of those that ended",
}
TICKS, PAGE = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")


class _Processes(Collector):
    """gunicorn's first process and its workers together, from /proc: a label for each would grow with every restart."""

    def collect(self) -> Iterable[Metric]:
        first = os.getppid()
        children = Path(f"/proc/{first}/task/{first}/children")
        if not children.exists():  # not on Linux: nothing is better than no /metrics at all
            return
        pids = [first, *map(int, children.read_text().split())]
        stats = [stat for pid in pids if (stat := _stat(pid))]
        boot = next(line for line in Path("/proc/stat").read_text().splitlines() if line.startswith("btime"))
        started = int(boot.split()[1]) + max(stat[21] for stat in stats) / TICKS
        # utime and stime of each, and of the first one's children that have ended.
        spent = sum(stat[13] + stat[14] for stat in stats) + sum(stats[0][15:17])
        values = (started, sum(stat[23] for stat in stats) * PAGE, spent / TICKS)
        for (name, meaning), value in zip(PROCESS_METRICS.items(), values, strict=True):
            family = CounterMetricFamily if name.endswith("_total") else GaugeMetricFamily
            yield family(name, meaning, value=value)


def _stat(pid: int) -> list[int] | None:
    """The numbers of /proc/PID/stat at their places in proc(5), less one; None if it has just ended."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return [0, 0, 0, *map(int, text.rpartition(")")[2].split()[1:])]


class _AllWorkers(Collector):
    """What the workers have written, without a file that one has made and not filled yet: its reader would fail."""

    def collect(self) -> Iterable[Metric]:
        files = Path(os.environ["PROMETHEUS_MULTIPROC_DIR"]).glob("*.db")
        filled = [str(file) for file in files if file.exists() and file.stat().st_size > 0]
        metrics: Iterable[Metric] = multiprocess.MultiProcessCollector.merge(filled)
        return metrics


def render(collectors: Iterable[Collector] = ()) -> bytes:
    """What `collectors` read now, and then all metrics of this service, of all its workers."""
    registry = CollectorRegistry()
    for collector in collectors:
        registry.register(collector)
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        registry.register(_Processes())
        registry.register(_AllWorkers())
    else:
        registry.register(REGISTRY)
    return generate_latest(registry)


def init_app(app: Flask, collectors: Sequence[Collector]) -> None:
    @app.route("/metrics")
    def metrics() -> Response:
        return Response(render(collectors), content_type=CONTENT_TYPE_LATEST)
