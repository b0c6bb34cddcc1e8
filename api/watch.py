"""Waiting for sessions to leave the line: one look for all of them, however many drivers wait to hear."""

import secrets
import threading
from collections import defaultdict
from urllib.parse import urlencode

from api.balancer import BalancerClient

INTERVAL_MS = 200


class Watch:
    """`places`: so many may wait at once; each of them holds a thread."""

    def __init__(self, balancer: BalancerClient, places: int) -> None:
        self._balancer = balancer
        self._places = threading.Semaphore(places)
        self._lock = threading.Lock()
        self._watched: dict[str, list[threading.Event]] = defaultdict(list)
        self._open = True

    def wait(self, session_id: str, timeout_s: float) -> bool:
        """Until the session has left the line, or `timeout_s` is over; False at once if there is no place."""
        if not self._places.acquire(blocking=False):
            return False
        moved = threading.Event()
        try:
            with self._lock:
                if not self._open:
                    return False
                self._watched[session_id].append(moved)
            moved.wait(timeout_s)
            return True
        finally:
            self._forget(session_id, moved)
            self._places.release()

    def look(self) -> None:
        """Wake those whose session waits no more. Raises Problem if no balancer answers; the next look tells them."""
        with self._lock:
            watched = list(self._watched)
        if not watched:
            return
        query = urlencode([("session_id", session_id) for session_id in watched])
        reply = self._balancer.call("GET", f"/waiting?{query}", f"watch-{secrets.token_hex(4)}")
        if reply.status == 200:
            self._wake(set(watched) - set(reply.body["waiting"]))

    def close(self) -> None:
        """Everybody is answered now: this process is about to stop."""
        with self._lock:
            self._open = False
            watched = set(self._watched)
        self._wake(watched)

    def _wake(self, sessions: set[str]) -> None:
        with self._lock:
            for session_id in sessions:
                for moved in self._watched.get(session_id, ()):
                    moved.set()

    def _forget(self, session_id: str, moved: threading.Event) -> None:
        with self._lock:
            events = self._watched.get(session_id, [])
            if moved in events:
                events.remove(moved)
            if not events:
                self._watched.pop(session_id, None)
