"""Work that a process repeats beside its requests: a substation's heartbeat, a balancer's sweep."""

import logging
import random
import threading
from collections.abc import Callable

from flask import Flask

log = logging.getLogger(__name__)

FIRST_RETRY_S = 0.1


class Background:
    """Calls `work` every `interval_ms` (± a tenth, so that replicas drift apart), and at once after `wake`.

    However often it is woken, it rests for `rest_ms` after each round: what comes meanwhile is done in the next one.
    `last_words` is called once, after the last round. What `work` raises is logged, once until it works again. A
    round that failed is followed by the next one sooner: after 0.1 s, then twice as long each time, up to the interval.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[], None],
        interval_ms: int,
        last_words: Callable[[], None] = lambda: None,
        *,
        rest_ms: int = 0,
    ) -> None:
        self._work = work
        self._last_words = last_words
        self._interval = interval_ms / 1000
        self._rest = rest_ms / 1000
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._failures = 0
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        self._wake.set()

    def stop(self, timeout_s: float = 2.0) -> None:
        """Finish the round under way and end. Again, it only waits."""
        first = not self._stop.is_set()
        self._stop.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        if first:
            self._last_words()

    def _run(self) -> None:
        while not self._stop.is_set():
            self._round()
            if self._rest:
                self._stop.wait(self._rest)
            self._wake.wait(self._pause_s() * random.uniform(0.9, 1.1))
            self._wake.clear()

    def _pause_s(self) -> float:
        if not self._failures:
            return self._interval
        return min(self._interval, FIRST_RETRY_S * 2.0 ** min(self._failures - 1, 10))

    def _round(self) -> None:
        try:
            self._work()
        except Exception as error:
            if not self._failures:
                log.warning("%s: %s; trying again until it works", self._thread.name, error)
            self._failures += 1
        else:
            if self._failures:
                log.warning("%s works again", self._thread.name)
            self._failures = 0


def start_all(app: Flask) -> None:
    """Start the app's background work: in the process that serves, after the fork."""
    for work in app.extensions.get("background", []):
        work.start()


def stop_all(app: Flask) -> None:
    for work in app.extensions.get("background", []):
        work.stop()
