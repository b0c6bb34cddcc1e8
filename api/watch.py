"""Waiting for sessions to leave the line: one question for all of them, however many drivers wait to hear."""

import secrets
import threading
from collections import defaultdict
from http import HTTPStatus

from api.balancer import BalancerClient

INTERVAL_MS = 200


class WatchError(Exception):
    """A balancer did not say who waits."""


class Watch:
    """`places`: so many may wait at once; each of them holds a thread."""

    def __init__(self, balancer: BalancerClient, places: int) -> None:
        self._balancer = balancer
        self._places = threading.Semaphore(places)
        self._lock = threading.Lock()
        self._watched: dict[str, set[threading.Event]] = defaultdict(set)
        self._open = True

    def wait(self, session_id: str, timeout_s: float) -> bool:
        """Until the session has left the line, or `timeout_s` is over; False at once if there is no place."""
        if not self._open or not self._places.acquire(blocking=False):
            return False
        moved = self._begin(session_id)
        try:
            moved.wait(timeout_s)
        finally:
            self._end(session_id, moved)
            self._places.release()
        return True

    def look(self) -> None:
        """Wake those whose session waits no more. The next look tells them, if this one raises.

        Problem: no balancer answers. WatchError: one did, and did not say.
        """
        with self._lock:
            watched = set(self._watched)
        if not watched:
            return
        reply = self._balancer.call("POST", "/waiting", f"watch-{secrets.token_hex(4)}", sorted(watched))
        if reply.status != HTTPStatus.OK:
            raise WatchError(f"a balancer answered {reply.status}: {reply.body.get('detail')}")
        self._wake(watched - set(reply.body["waiting"]))

    def close(self) -> None:
        """Everybody is answered now: this process is about to stop."""
        with self._lock:
            self._open = False
            watched = set(self._watched)
        self._wake(watched)

    def _begin(self, session_id: str) -> threading.Event:
        moved = threading.Event()
        with self._lock:
            self._watched[session_id].add(moved)
            if not self._open:
                moved.set()
        return moved

    def _end(self, session_id: str, moved: threading.Event) -> None:
        with self._lock:
            self._watched[session_id].discard(moved)
            if not self._watched[session_id]:
                del self._watched[session_id]

    def _wake(self, sessions: set[str]) -> None:
        with self._lock:
            for session_id in sessions & set(self._watched):
                for moved in self._watched[session_id]:
                    moved.set()
