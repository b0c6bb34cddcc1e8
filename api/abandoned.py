"""Sessions whose only callers were told that they failed: the ledger may have taken them, and none may charge."""

import logging
import secrets
import threading
from collections import deque
from collections.abc import Callable, Iterable
from http import HTTPStatus

from api.balancer import BalancerClient
from grid.problems import Problem

log = logging.getLogger(__name__)

MAX_ABANDONED = 10_000
RETRY_MS = 1_000


class AbandonedError(Exception):
    """A balancer did not cancel one."""


class Abandoned:
    """Has each cancelled by a balancer, in order, until one has done so. Safe between threads.

    They are known to this process only: one that is killed forgets those that it has not cancelled yet. `on_change` is
    called when there is something to cancel.
    """

    def __init__(self, balancer: BalancerClient) -> None:
        self._balancer = balancer
        self._sessions: deque[str] = deque()
        self._lock = threading.Lock()
        self._is_closed = False
        self.on_change: Callable[[], None] = lambda: None

    def add(self, sessions: Iterable[str]) -> None:
        for session in sessions:
            if len(self._sessions) < MAX_ABANDONED:
                self._sessions.append(session)
            else:
                log.error("%s will not be cancelled and may charge: too many wait to be", session)
        if self._is_closed:  # by a request that was under way when this process was told to stop
            self.close()
        else:
            self.on_change()

    def cancel_all(self) -> None:
        """Raises Problem if no balancer answers, AbandonedError if one did not do it; the next call goes on."""
        with self._lock:
            while self._sessions:
                session = self._sessions[0]
                path = f"/sessions/{session}?abandoned=true"
                reply = self._balancer.call("DELETE", path, f"abandoned-{secrets.token_hex(4)}")
                if reply.status != HTTPStatus.OK:
                    raise AbandonedError(f"a balancer answered {reply.status}: {reply.body.get('detail')}")
                log.info("%s is cancelled: its caller was told that it failed", session)
                self._sessions.popleft()

    def close(self) -> None:
        """The last try, before this process stops."""
        self._is_closed = True
        try:
            self.cancel_all()
        except (Problem, AbandonedError) as error:
            log.error("not cancelled, and may charge: %s (%s)", ", ".join(list(self._sessions)), error)
