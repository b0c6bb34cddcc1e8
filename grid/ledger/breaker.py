"""Fails fast while Redis is away, so that nobody waits for a time-out that others have already seen.

Its own 30 lines: the libraries for this either hold a lock during the call or, when it is time to try again, let
every waiting thread run into the time-out at once.
"""

import threading
import time
from collections.abc import Callable

FAILURES = 3
"""So many calls in a row must fail first: one lost packet is no reason to refuse anybody."""
RETRY_S = 0.2


class Breaker:
    """Closed while calls succeed; open after FAILURES in a row, when one call every RETRY_S may try."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._failures = 0
        self._next_try = 0.0

    def allows(self) -> bool:
        """Whether to call at all."""
        if self._failures < FAILURES:
            return True
        with self._lock:
            now = self._clock()
            if now < self._next_try:
                return False
            self._next_try = now + RETRY_S
            return True

    def succeeded(self) -> None:
        self._failures = 0

    def failed(self) -> None:
        with self._lock:
            self._failures += 1
            self._next_try = self._clock() + RETRY_S
