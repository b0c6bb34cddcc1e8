"""Which substations do not answer: nothing new goes there until their next heartbeat, as Envoy ejects outliers."""

import logging
import threading
from collections import Counter

from grid.ledger import Ledger, LedgerUnavailable
from grid.ledger.records import Placement
from grid.metrics import balancer_metrics

log = logging.getLogger(__name__)

IN_A_ROW = 2
"""One unanswered call may be a slow moment."""


class Outliers:
    """Counts the calls in a row that each substation of a zone left unanswered, as this process sees them."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._ejections = balancer_metrics().ejections.labels(ledger.zone)
        self._lock = threading.Lock()
        self._unanswered: Counter[str] = Counter()

    def answered(self, substation: str) -> None:
        with self._lock:
            del self._unanswered[substation]

    def unanswered(self, placement: Placement, *, not_sent: bool) -> None:
        """Eject the placement's substation if no connection could be opened, or this was one too many."""
        with self._lock:
            self._unanswered[placement.substation] += 1
            if not not_sent and self._unanswered[placement.substation] < IN_A_ROW:
                return
            del self._unanswered[placement.substation]
        try:
            ejected = self._ledger.eject(placement)
        except LedgerUnavailable as error:
            log.warning("%s does not answer, and cannot be ejected: %s", placement.substation, error)
            return
        if ejected:
            self._ejections.inc()
            log.warning("%s does not answer: it gets nothing new until its next heartbeat", placement.substation)
