"""What every balancer does beside its requests: look at what is due in a zone, and serve again who was interrupted."""

from balancer.dispatch import Dispatcher
from grid.ledger import Ledger
from grid.metrics import balancer_metrics

BATCH = 100
ROUNDS = 20
"""At most so many batches in a row: what is due beyond that waits for the next sweep, here or at another balancer."""


class Sweeper:
    def __init__(self, ledger: Ledger, dispatcher: Dispatcher) -> None:
        self._ledger = ledger
        self._dispatcher = dispatcher
        self._swept = balancer_metrics().swept
        self._sweeps = balancer_metrics().sweeps.labels(ledger.zone)

    def sweep(self) -> None:
        """Deal with everything that is due. Raises LedgerUnavailable."""
        for _ in range(ROUNDS):
            swept = self._ledger.sweep(BATCH)
            for kind, number in swept.counts.items():
                self._swept.labels(kind).inc(number)
            if swept.resumed:
                self._dispatcher.resume(swept.resumed)
            if max(swept.counts.values()) < BATCH:
                break
        self._sweeps.inc()
