"""What every balancer does beside its requests: look at what is due in a zone."""

import logging

from grid.ledger import Ledger
from grid.metrics import balancer_metrics

log = logging.getLogger(__name__)

BATCH = 100
ROUNDS = 20
"""At most so many batches in a row: what is due beyond that waits for the next sweep, here or at another balancer."""


class Sweeper:
    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._swept = balancer_metrics().swept
        self._sweeps = balancer_metrics().sweeps.labels(ledger.zone)

    def sweep(self) -> None:
        """Deal with everything that is due. Raises LedgerUnavailable."""
        for _ in range(ROUNDS):
            swept = self._ledger.sweep(BATCH)
            counts = {kind: len(of) if isinstance(of, list) else of for kind, of in swept._asdict().items()}
            for kind, number in counts.items():
                self._swept.labels(kind).inc(number)
            for substation in swept.silenced:
                log.warning("%s is silent: it gets nothing new until it is heard again", substation)
            for substation in swept.lost:
                log.warning("%s is lost: what charged there waits for room elsewhere", substation)
            if max(counts.values()) < BATCH:
                break
        self._sweeps.inc()
