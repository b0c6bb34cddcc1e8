"""What every balancer does beside its requests: look at what is due in a zone, and serve again who was interrupted."""

import logging

from balancer.dispatch import Dispatcher
from grid.ledger import Ledger
from grid.metrics import balancer_metrics

log = logging.getLogger(__name__)

BATCH = 100
ROUNDS = 20
"""At most so many batches in a row: what is due beyond that waits for the next sweep, here or at another balancer."""


class Sweeper:
    """`max_batch`: so many orders a substation takes in one POST."""

    def __init__(self, ledger: Ledger, dispatcher: Dispatcher, max_batch: int = BATCH) -> None:
        self._ledger = ledger
        self._dispatcher = dispatcher
        self._batch = min(BATCH, max_batch)
        self._swept = balancer_metrics().swept
        self._sweeps = balancer_metrics().sweeps.labels(ledger.zone)

    def sweep(self) -> None:
        """Deal with everything that is due. Raises LedgerUnavailable."""
        for _ in range(ROUNDS):
            swept = self._ledger.sweep(self._batch)
            for kind, number in swept.counts.items():
                self._swept.labels(kind).inc(number)
            for substation in swept.silenced:
                log.warning("%s is silent: it gets nothing new until it is heard again", substation)
            for substation in swept.lost:
                log.warning("%s is lost: what charged there is placed elsewhere", substation)
            if swept.resumed:
                self._dispatcher.resume(swept.resumed)
            if max(swept.counts.values()) < self._batch:
                break
        self._sweeps.inc()
