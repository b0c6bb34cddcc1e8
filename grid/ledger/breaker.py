"""Fails fast while Redis is away, so that nobody waits for a time-out that others have already seen.

Its own few lines: the libraries for this either hold a lock during the call or, when it is time to try again, let
waiting callers run into the time-out.
"""

import logging
import threading

log = logging.getLogger(__name__)

FAILURES = 3
"""So many calls in a row must fail first: one lost packet is no reason to refuse anybody."""


class Breaker:
    """Closed while calls succeed; open after FAILURES in a row, until one succeeds.

    Whoever has somebody waiting for him asks `is_open` first. Work that nobody waits for calls all the same, and so
    finds out that Redis is back.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._failures = 0

    @property
    def is_open(self) -> bool:
        return self._failures >= FAILURES

    def succeeded(self) -> None:
        if self.is_open:
            log.warning("Redis answers again")
        self._failures = 0

    def failed(self, error: Exception) -> None:
        with self._lock:
            self._failures += 1
            if self._failures == FAILURES:
                log.warning("Redis does not answer: %s", error)
