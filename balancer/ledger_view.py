"""The ledger as metrics, read when Prometheus asks. Every balancer shows the same, so take the `max` of them."""

from collections.abc import Iterable, Mapping

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from grid.ledger import Ledger, LedgerUnavailable
from grid.metrics import LEDGER_GAUGES, ledger_gauge

SUBSTATION_STATES = ("up", "deaf", "draining", "silent", "lost", "left")
SESSION_STATES = (
    "waiting",
    "reserved",
    "charging",
    "cancelling",
    "superseded",
    "finished",
    "cancelled",
    "expired",
)


class LedgerView(Collector):
    """O(N) per scrape for N substations. Without Redis only `grid_ledger_up` is left, and it is 0."""

    def __init__(self, ledgers: Mapping[str, Ledger]) -> None:
        self._ledgers = ledgers

    def collect(self) -> Iterable[Metric]:
        up = ledger_gauge("grid_ledger_up")
        families = {name: ledger_gauge(name) for name in LEDGER_GAUGES if name != up.name}
        for zone, ledger in self._ledgers.items():
            try:
                self._read(zone, ledger, families)
            except LedgerUnavailable:
                up.add_metric([zone], 0)
            else:
                up.add_metric([zone], 1)
        return [up, *families.values()]

    def _read(self, zone: str, ledger: Ledger, families: dict[str, GaugeMetricFamily]) -> None:
        ledger.ping()
        rows, line, sessions = ledger.grid(), ledger.line(), ledger.states()
        for row in rows:
            name = [zone, row.substation]
            families["grid_ledger_capacity_watts"].add_metric(name, row.capacity)
            families["grid_ledger_limit_watts"].add_metric(name, row.limit)
            families["grid_ledger_committed_watts"].add_metric(name, row.committed)
            families["grid_ledger_headroom_watts"].add_metric(name, row.headroom)
            families["grid_ledger_load_ratio"].add_metric(name, row.load)
            families["grid_ledger_heartbeat_age_seconds"].add_metric(name, row.silent_ms / 1000)
            for state in SUBSTATION_STATES:
                families["grid_ledger_substation_state"].add_metric([*name, state], state == row.state)
        families["grid_ledger_line_overdue_seconds"].add_metric([zone], line.overdue_ms / 1000)
        families["grid_ledger_line_smallest_watts"].add_metric([zone], line.smallest_watts)
        for state in SESSION_STATES:
            families["grid_ledger_sessions"].add_metric([zone, state], sessions.get(state, 0))
