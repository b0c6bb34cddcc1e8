"""Every metric of every service: names, units and labels in one registry, served at /metrics.

Correct across gunicorn workers: `grid/gunicorn_conf.py` sets PROMETHEUS_MULTIPROC_DIR before this is imported.
"""

import os
from collections.abc import Iterable
from functools import cache
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
from prometheus_client.registry import Collector

LATENCY = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class ServiceMetrics:
    """What every service counts of its own HTTP."""

    def __init__(self) -> None:
        self.requests = Counter(
            "grid_http_requests_total", "Requests answered", ["service", "endpoint", "method", "status"]
        )
        self.latency = Histogram(
            "grid_http_request_duration_seconds", "Time to answer a request", ["service", "endpoint"], buckets=LATENCY
        )


class BalancerMetrics:
    """What a balancer decides, and what it costs."""

    def __init__(self) -> None:
        self.placements = Counter("grid_placements_total", "Charging requests decided", ["outcome"])
        self.resumed = Counter(
            "grid_resumptions_total", "Tries to place an interrupted session again, by outcome", ["outcome"]
        )
        self.retries = Counter(
            "grid_placement_retries_total", "Placements a substation refused (no) or did not answer", ["answer"]
        )
        self.reserve = Histogram(
            "grid_reserve_duration_seconds", "Time of one reserve call, a batch as one", buckets=LATENCY
        )
        self.forward = Histogram(
            "grid_forward_duration_seconds", "Time of one POST /charge, a batch as one", buckets=LATENCY
        )
        self.swept = Counter("grid_swept_total", "What sweeps dealt with", ["kind"])


class SubstationMetrics:
    """What a substation carries, by its own account."""

    def __init__(self) -> None:
        self.capacity = _gauge("grid_substation_capacity_watts", "Rating")
        self.limit = _gauge("grid_substation_limit_watts", "Overload threshold")
        self.drawn = _gauge("grid_substation_drawn_watts", "What the cars draw now")
        self.peak = _gauge("grid_substation_peak_watts", "The most they drew since it started")
        self.charging = _gauge("grid_substation_sessions", "Cars charging now")
        self.overload = Counter("grid_substation_overload_seconds_total", "Time above the limit", ["substation"])
        self.started = Counter("grid_substation_sessions_started_total", "Sessions started", ["substation"])
        self.ended = Counter("grid_substation_sessions_ended_total", "Sessions ended", ["substation", "how"])
        self.refused = Counter("grid_substation_refusals_total", "POST /charge refused", ["substation", "reason"])
        self.energy = Counter(
            "grid_substation_energy_delivered_watt_hours_total", "Energy of ended sessions", ["substation"]
        )
        self.heartbeats = Counter(
            "grid_substation_heartbeats_total", "Heartbeats sent, by the ledger's answer", ["substation", "outcome"]
        )


# Made when a service first needs them, so that each shows its own metrics only.
service_metrics = cache(ServiceMetrics)
balancer_metrics = cache(BalancerMetrics)
substation_metrics = cache(SubstationMetrics)


def _gauge(name: str, meaning: str) -> Gauge:
    return Gauge(name, meaning, ["substation"], multiprocess_mode="livemostrecent")


class _AllWorkers(Collector):
    """What the workers have written, without a file that one has made and not filled yet: its reader would fail."""

    def collect(self) -> Iterable[Metric]:
        files = Path(os.environ["PROMETHEUS_MULTIPROC_DIR"]).glob("*.db")
        filled = [str(file) for file in files if file.exists() and file.stat().st_size > 0]
        metrics: Iterable[Metric] = multiprocess.MultiProcessCollector.merge(filled)
        return metrics


def render() -> bytes:
    """All metrics of this service, of all its workers."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return generate_latest(REGISTRY)
    registry = CollectorRegistry()
    registry.register(_AllWorkers())
    return generate_latest(registry)


def init_app(app: Flask) -> None:
    @app.route("/metrics")
    def metrics() -> Response:
        return Response(render(), content_type=CONTENT_TYPE_LATEST)
